"""Delays: whole values by some cycles, and lane ``i`` of a word by ``i`` cycles."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Skew", "delayed"]


def delayed(m: Module, value: Any, cycles: int, *, name: str, reset_less: bool = False) -> Any:
    """``value`` as it was ``cycles`` cycles ago; the value itself for 0."""
    for step in range(cycles):
        register = Signal(value.shape(), name=f"{name}_{step}", reset_less=reset_less)
        m.d.sync += register.eq(value)
        value = register
    return value


class Skew(wiring.Component):
    """Delay lane ``i`` by ``i + extra`` cycles.

    :Latency: ``extra`` cycles for lane 0, one more for each further lane.
    :Throughput: one word per cycle.
    :Ready path: none.
    :Reference: a shifted copy of each lane.

    Parameters
    ----------
    lanes, lane_bits, extra : int

    Members
    -------
    i, o : lanes * lane_bits bits
        Lane 0 in the low bits.
    """

    def __init__(self, *, lanes: int, lane_bits: int, extra: int = 0) -> None:
        self._lanes = lanes
        self._lane_bits = lane_bits
        self._extra = extra
        super().__init__({"i": In(lanes * lane_bits), "o": Out(lanes * lane_bits)})

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        outputs = []
        for lane in range(self._lanes):
            value = self.i.word_select(lane, self._lane_bits)
            for step in range(lane + self._extra):
                register = Signal(self._lane_bits, name=f"lane_{lane}_{step}", reset_less=True)
                m.d.sync += register.eq(value)
                value = register
            outputs.append(value)
        m.d.comb += self.o.eq(Cat(*outputs))
        return m
