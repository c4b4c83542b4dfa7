"""The pixel ring: beats of features wait until the 1x1 array has read their pixel often enough."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.rtl.deform.descriptor import SIZE_BITS

__all__ = ["PixelRing"]


class PixelRing(wiring.Component):
    """A ring of ``beats`` beats that are freed a pixel at a time.

    :Latency: a pixel is ``ready`` in the cycle after its last beat; 1 cycle from ``read`` to
        ``data``; a freed pixel's room takes beats in the cycle after ``free``.
    :Throughput: one beat written and one read per cycle.
    :Ready path: none; ``i.ready`` is from a register.
    :Reference: :mod:`dovetail.sim.deform_kernel`.

    Parameters
    ----------
    beats, beat_bits : int
        ``beats`` is a power of two.

    Members
    -------
    start : In(1)
        Forget everything.
    pixel_beats : In
        Beats of a pixel; constant while the ring is in use.
    i : In(stream)
    ready : Out(1)
        The oldest pixel that was not taken is complete.
    take : In(1)
        Begin to read it; only while ``ready``.
    read, read_beat, data
        Beat of the oldest pixel that is not freed.
    free : In(1)
        With the last read of that pixel.
    write, data : Out
        A beat is stored.
    """

    def __init__(self, *, beats: int, beat_bits: int) -> None:
        self._beats = beats
        self._beat_bits = beat_bits
        super().__init__(
            {
                "start": In(1),
                "pixel_beats": In(SIZE_BITS),
                "i": In(stream.Signature(beat_bits)),
                "ready": Out(1),
                "take": In(1),
                "read": In(1),
                "read_beat": In(SIZE_BITS),
                "data": Out(beat_bits),
                "free": In(1),
                "write": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.ring = ring = memory.Memory(shape=self._beat_bits, depth=self._beats, init=[])
        write, read = ring.write_port(), ring.read_port()
        filled = Signal(range(self._beats + 1))
        complete = Signal(range(self._beats + 1))
        tail, head = Signal(range(self._beats)), Signal(range(self._beats))
        beat = Signal(SIZE_BITS)
        last: Any = Signal()
        m.d.comb += [
            self.i.ready.eq(filled != self._beats),
            self.write.eq(self.i.valid & self.i.ready),
            last.eq(self.write & (beat == self.pixel_beats - 1)),
            write.addr.eq(tail),
            write.data.eq(self.i.payload),
            write.en.eq(self.write),
            read.addr.eq(head + self.read_beat),
            read.en.eq(self.read),
            self.data.eq(read.data),
            self.ready.eq(complete != 0),
        ]
        with m.If(self.write):
            m.d.sync += [tail.eq(tail + 1), beat.eq(beat + 1)]
        with m.If(last):
            m.d.sync += beat.eq(0)
        with m.If(self.free):
            m.d.sync += head.eq(head + self.pixel_beats)
        freed = Signal.like(self.pixel_beats)
        with m.If(self.free):
            m.d.comb += freed.eq(self.pixel_beats)
        m.d.sync += [
            filled.eq(filled + self.write - freed),
            complete.eq(complete + last - self.take),
        ]
        with m.If(self.start):
            m.d.sync += [x.eq(0) for x in (filled, complete, tail, head, beat)]
        return m
