"""A credit counter between two decoupled parts of the engine."""

from __future__ import annotations

from amaranth import Module, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Credits"]


class Credits(wiring.Component):
    """Count buffer halves: 0 to 2.

    :Latency: ``give`` shows in ``any`` one cycle later.
    :Throughput: one of each per cycle.
    :Ready path: none.
    :Reference: a counter.

    Parameters
    ----------
    initial : int
        Credits after reset; a finished GEMM leaves the same number.

    Members
    -------
    give, take : unsigned(1)
        ``take`` only while ``any``.
    any : unsigned(1)
        At least one credit is left.
    """

    def __init__(self, *, initial: int) -> None:
        self._initial = initial
        super().__init__({"give": In(1), "take": In(1), "any": Out(1)})

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        count = Signal(2, init=self._initial)
        m.d.sync += count.eq(count + self.give - self.take)
        m.d.comb += self.any.eq(count != 0)
        return m
