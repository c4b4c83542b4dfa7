"""Scales and zero points of one column's segments, kept from their first k until they drain."""

from __future__ import annotations

from amaranth import Module
from amaranth.hdl import Elaboratable
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.engine import SCALE_LANE_BITS

__all__ = ["ScaleQueue"]


class ScaleQueue(wiring.Component):
    """A small register file: one write port, one combinational read port.

    :Latency: a write can be read in the next cycle; a read is combinational.
    :Throughput: one write and one read per cycle.
    :Ready path: none; the drain control hands out slots that are free.
    :Reference: an array.

    Parameters
    ----------
    depth : int
        Segments in flight.
    lane_bits : int
        Of a scale with its zero point.

    Members
    -------
    push, push_slot, push_lane : In
        Store a lane, scale below zero point, in a slot.
    slot : In
    lane : Out
        What the slot holds.
    """

    def __init__(self, *, depth: int, lane_bits: int = SCALE_LANE_BITS) -> None:
        self._depth = depth
        self._lane_bits = lane_bits
        slot_bits = max(1, (depth - 1).bit_length())
        super().__init__(
            {
                "push": In(1),
                "push_slot": In(slot_bits),
                "push_lane": In(lane_bits),
                "slot": In(slot_bits),
                "lane": Out(lane_bits),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.lanes = lanes = memory.Memory(
            shape=self._lane_bits, depth=self._depth, init=[]
        )
        write, read = lanes.write_port(), lanes.read_port(domain="comb")
        m.d.comb += [
            write.addr.eq(self.push_slot),
            write.data.eq(self.push_lane),
            write.en.eq(self.push),
            read.addr.eq(self.slot),
            self.lane.eq(read.data),
        ]
        return m
