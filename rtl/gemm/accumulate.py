"""The integer adder in front of a column's accumulators."""

from __future__ import annotations

from amaranth import Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.engine import FIXED_ACCUMULATOR_BITS

__all__ = ["Accumulate"]


class Accumulate(wiring.Component):
    """``o = (0 if first else stored) + increment``, one cycle after ``first`` and ``increment``.

    :Latency: 1 cycle from ``increment``; ``stored`` belongs to that later cycle.
    :Throughput: one addition per cycle.
    :Ready path: none.
    :Reference: integer addition modulo 2^``bits``.

    Parameters
    ----------
    increment_bits : int
        Width of the signed increment.
    bits : int
        Width of an accumulator.

    Members
    -------
    first : unsigned(1)
        Store the increment instead of adding it.
    increment : signed(increment_bits)
    stored, o : signed(bits)
        The accumulator as read, and as written back.
    """

    def __init__(self, *, increment_bits: int, bits: int = FIXED_ACCUMULATOR_BITS) -> None:
        self.increment_shape = signed(increment_bits)
        self.shape = signed(bits)
        super().__init__(
            {
                "first": In(1),
                "increment": In(self.increment_shape),
                "stored": In(self.shape),
                "o": Out(self.shape),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        first = Signal()
        increment = Signal(self.increment_shape)
        m.d.sync += [first.eq(self.first), increment.eq(self.increment)]
        m.d.comb += self.o.eq(Mux(first, 0, self.stored) + increment)
        return m
