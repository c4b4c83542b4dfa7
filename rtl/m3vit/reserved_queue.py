"""A queue behind a pipeline that cannot stop: a place is reserved before its value sets off."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ReservedQueue"]


class ReservedQueue(wiring.Component):
    """Values in order; whoever reserved ``room`` may push later without asking.

    :Latency: 1 cycle from ``push`` to ``o``; a place that is emptied is room in the next cycle.
    :Throughput: one value per cycle, where ``depth`` covers the pipeline.
    :Ready path: none.
    :Reference: a first-in first-out queue.

    Parameters
    ----------
    bits, depth : int

    Members
    -------
    room : unsigned(1)
    reserve : unsigned(1)
        Only while ``room``.
    push : unsigned(1)
        Once for each ``reserve``, in a later cycle.
    i : unsigned(bits)
    o : Out(stream.Signature(bits))
    """

    def __init__(self, *, bits: int, depth: int) -> None:
        self._bits = bits
        self._depth = depth
        super().__init__(
            {
                "room": Out(1),
                "reserve": In(1),
                "push": In(1),
                "i": In(bits),
                "o": Out(stream.Signature(bits)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.queue = queue = fifo.SyncFIFO(width=self._bits, depth=self._depth)
        room: Any = Signal(range(self._depth + 1), init=self._depth)
        m.d.sync += room.eq(room - self.reserve + (queue.r_en & queue.r_rdy))
        m.d.comb += [
            self.room.eq(room != 0),
            queue.w_en.eq(self.push),
            queue.w_data.eq(self.i),
            self.o.valid.eq(queue.r_rdy),
            self.o.payload.eq(queue.r_data),
            queue.r_en.eq(self.o.ready),
        ]
        return m
