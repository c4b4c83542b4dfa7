"""Rounding: arithmetic right shift by a run-time amount, half to even, saturated."""

from __future__ import annotations

from amaranth import Module, Mux, Signal, signed, unsigned
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["RoundingShift"]


class RoundingShift(wiring.Component):
    """``o = clip(round_half_even(i / 2**shift))``.

    :Latency: combinational.
    :Reference: :func:`dovetail.models.rounding.round_half_even_shift`, then saturation.

    Parameters
    ----------
    in_bits, out_bits : int
        Widths of the signed input and output.

    Members
    -------
    i : signed(in_bits)
    shift : unsigned, 0 to ``in_bits - 1``
    o : signed(out_bits)
    """

    def __init__(self, *, in_bits: int, out_bits: int) -> None:
        self._in_bits = in_bits
        self._out_bits = out_bits
        super().__init__(
            {
                "i": In(signed(in_bits)),
                "shift": In(range(in_bits)),
                "o": Out(signed(out_bits)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        low, high = -(1 << (self._out_bits - 1)), (1 << (self._out_bits - 1)) - 1
        # The bits below the point, left-aligned: the top one is the half, the rest are sticky.
        wide = Signal(signed(2 * self._in_bits))
        quotient = Signal(signed(self._in_bits))
        rest = Signal(unsigned(self._in_bits))
        up = Signal()
        # One bit more than the quotient, so that rounding up cannot wrap.
        rounded = Signal(signed(self._in_bits + 1))
        m.d.comb += [
            wide.eq((self.i << self._in_bits) >> self.shift),
            quotient.eq(wide >> self._in_bits),
            rest.eq(wide[: self._in_bits]),
            up.eq(rest[-1] & (rest[:-1].any() | quotient[0])),
            rounded.eq(quotient + up),
            self.o.eq(Mux(rounded < low, low, Mux(rounded > high, high, rounded))),
        ]
        return m
