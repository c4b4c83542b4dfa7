"""The GEMMs that one part of a chained engine has still to do, the first of which it works on."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.chained import WAITING_DESCRIPTORS

__all__ = ["DescriptorQueue"]


class DescriptorQueue(wiring.Component):
    """Start a part on one descriptor after the other.

    :Latency: ``start`` one cycle after ``push``, or after ``done`` where the next one waits.
    :Throughput: one descriptor in two cycles.
    :Ready path: none; ``room`` is a register's.
    :Reference: a queue.

    Parameters
    ----------
    layout : data.StructLayout
        Of a descriptor.

    Members
    -------
    push, i : unsigned(1), layout
        Only while there is ``room``.
    room : unsigned(1)
        Fewer than :data:`~dovetail.arch.chained.WAITING_DESCRIPTORS` are here.
    hold : unsigned(1)
        The first descriptor must not start now.
    start : unsigned(1)
        It does, in this cycle.
    done : unsigned(1)
        The part deals with the last of it in this cycle.
    o : layout
        The first descriptor, from ``start`` to ``done``.
    """

    def __init__(self, layout: data.StructLayout) -> None:
        self._layout = layout
        super().__init__(
            {
                "push": In(1),
                "i": In(layout),
                "room": Out(1),
                "hold": In(1),
                "start": Out(1),
                "done": In(1),
                "o": Out(layout),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        entries: list[Any] = [
            Signal(self._layout, name=f"entry_{index}", reset_less=True)
            for index in range(WAITING_DESCRIPTORS)
        ]
        count = Signal(range(WAITING_DESCRIPTORS + 1))
        running = Signal()
        m.d.comb += [
            self.room.eq(count != WAITING_DESCRIPTORS),
            self.start.eq((count != 0) & ~running & ~self.hold),
            self.o.eq(entries[0]),
        ]
        m.d.sync += count.eq(count + self.push - self.done)
        with m.If(self.done):
            m.d.sync += running.eq(0)
        with m.Elif(self.start):
            m.d.sync += running.eq(1)
        with m.If(self.done):
            for entry, behind in zip(entries, entries[1:], strict=False):
                m.d.sync += entry.eq(behind)
        with m.If(self.push):
            for index, entry in enumerate(entries):
                with m.If(count - self.done == index):
                    m.d.sync += entry.eq(self.i)
        return m
