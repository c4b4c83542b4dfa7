"""The last step of every floating-point result: round half to even, pack."""

from __future__ import annotations

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.number_formats import FloatFormat

__all__ = ["RoundAndPack"]


class RoundAndPack(wiring.Component):
    """Bit pattern of ``(-1)**sign * significand * 2**exponent``, suitably scaled, rounded once.

    :Latency: combinational.

    Parameters
    ----------
    form : FloatFormat
        Of the result.
    exponent_bits : int
        Width of ``exponent``, which may exceed the field's.
    tail_bits : int
        Bits of the significand beyond those that the format holds, 1 or more; the last stands for
        all that follow it.

    Members
    -------
    sign : unsigned(1)
    exponent : unsigned(exponent_bits)
        What the exponent field becomes, but for a carry from rounding, if the significand begins
        with a one.  Where it begins with a zero, the number is subnormal and the field 0.
    significand : unsigned(form.significand_bits + tail_bits)
    inf, nan : unsigned(1)
        The result is infinite, or NaN whatever else.
    o : unsigned(form.bits)
    """

    def __init__(self, form: FloatFormat, *, exponent_bits: int, tail_bits: int) -> None:
        self._form = form
        self._tail_bits = tail_bits
        super().__init__(
            {
                "sign": In(1),
                "exponent": In(exponent_bits),
                "significand": In(form.significand_bits + tail_bits),
                "inf": In(1),
                "nan": In(1),
                "o": Out(form.bits),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        form, tail_bits = self._form, self._tail_bits
        tail = self.significand[:tail_bits]
        kept = self.significand[tail_bits:]
        field = Signal(form.exponent_bits)
        up = Signal()
        infinite = Signal()
        # A carry out of the fraction raises the exponent, up to that of infinity.
        rounded = Signal(form.bits - 1)
        m.d.comb += [
            field.eq(Mux(kept[-1], self.exponent, 0)),
            up.eq(tail[-1] & (tail[:-1].any() | kept[0])),
            rounded.eq(Cat(kept[:-1], field) + up),
            infinite.eq(self.inf | (kept[-1] & (self.exponent >= form.special_field))),
            self.o.eq(
                Mux(
                    self.nan,
                    form.nan,
                    Cat(Mux(infinite, Const(form.infinity, form.bits - 1), rounded), self.sign),
                )
            ),
        ]
        return m
