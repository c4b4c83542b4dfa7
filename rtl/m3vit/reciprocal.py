"""One over a sum of exponentials, by a divider that finds one bit a cycle."""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.m3vit.formats import RECIPROCAL, SOFTMAX_SUM

__all__ = ["Reciprocal"]


class Reciprocal(wiring.Component):
    """``o = floor(2**53 / i)``.

    The sum is at least 1, so the quotient has 32 bits; the dividend's 22 bits above them are the
    first remainder, which is not above the smallest sum.

    :Latency: 33 cycles from ``start`` to ``done``; ``o`` then holds until the next start.
    :Throughput: one quotient in 33 cycles.
    :Ready path: none; ``start`` is not given while a division runs.
    :Reference: :func:`dovetail.models.m3vit.softmax.running_softmax`.

    Members
    -------
    start : unsigned(1)
    i : unsigned(38)
        With ``start``; ``2**22`` or more.
    done : unsigned(1)
        High for one cycle.
    o : unsigned(32)
        ufixed<32,1>.
    """

    latency_cycles = RECIPROCAL.bits + 1

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "i": In(SOFTMAX_SUM.bits),
                "done": Out(1),
                "o": Out(RECIPROCAL.bits),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        divisor = Signal(SOFTMAX_SUM.bits, reset_less=True)
        remainder = Signal(SOFTMAX_SUM.bits, reset_less=True)
        left = Signal(range(RECIPROCAL.bits + 1))
        difference = Signal(signed(SOFTMAX_SUM.bits + 2))
        fits = Signal()
        # The dividend is a one and zeros, so zeros are all that is shifted in.
        m.d.comb += [
            difference.eq((remainder << 1) - divisor),
            fits.eq(difference >= 0),
        ]
        m.d.sync += self.done.eq(left == 1)
        with m.If(self.start):
            top = 1 << (SOFTMAX_SUM.fraction_bits + RECIPROCAL.fraction_bits - RECIPROCAL.bits)
            m.d.sync += [divisor.eq(self.i), remainder.eq(top), left.eq(RECIPROCAL.bits)]
        with m.Elif(left != 0):
            m.d.sync += [
                remainder.eq(Mux(fits, difference, remainder << 1)),
                self.o.eq(Cat(fits, self.o[:-1])),
                left.eq(left - 1),
            ]
        return m
