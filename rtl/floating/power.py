"""A number times a power of two, exact: only the exponent of an unpacked number is raised."""

from __future__ import annotations

from amaranth import Module
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.number_formats import FloatFormat
from dovetail.rtl.floating.exact import ExactFormat, unpack

__all__ = ["FloatTimesPower"]


class FloatTimesPower(wiring.Component):
    """``o = a * 2**power``.

    The power never enters a packed exponent, so zeros stay zeros, subnormal numbers are doubled
    like any other, and nothing overflows before it is added.

    :Latency: combinational.
    :Reference: :func:`dovetail.models.floating.multiply`.

    Parameters
    ----------
    form : FloatFormat
    most : int
        Largest power.

    Attributes
    ----------
    exact : ExactFormat
        Of ``o``.

    Members
    -------
    a : unsigned(form.bits)
        Bit pattern of ``form``.
    power : unsigned, 0 to ``most``
    o : exact.layout
    """

    def __init__(self, form: FloatFormat, *, most: int) -> None:
        self._form = form
        self.exact = ExactFormat(
            significand_bits=form.significand_bits,
            exponent_bits=(form.special_field + most).bit_length(),
            origin=form.least_exponent - 1,
            least=1,
            small=1 + most,
            leading=form.fraction_bits,
        )
        super().__init__(
            {"a": In(form.bits), "power": In(range(most + 1)), "o": Out(self.exact.layout)}
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        a = unpack(m, self.a, self._form, name="a")
        m.d.comb += [
            self.o.sign.eq(a.sign),
            self.o.zero.eq(a.zero),
            self.o.exponent.eq(a.exponent + self.power),
            self.o.significand.eq(a.significand),
            self.o.inf.eq(a.inf),
            self.o.nan.eq(a.nan),
        ]
        return m
