"""The offset buffer: one byte for each output pixel, in the order in which windows are read."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.deform import DeformEngineConfig
from dovetail.rtl.deform.descriptor import DESCRIPTOR
from dovetail.rtl.deform.word_memory import WordMemory

__all__ = ["Offsets"]


class Offsets(wiring.Component):
    """Give the offset of the current pixel; a beat of offsets is read once.

    :Latency: 1 cycle from ``loaded`` to the first ``offset``, from ``advance`` to the next.
    :Throughput: one offset per cycle.
    :Ready path: none.
    :Reference: a list.

    Members
    -------
    start, descriptor : In
    write, write_data : In
        Beats of offsets, the first pixel's in the lowest byte.
    loaded : In(1)
        All are written.
    advance : In(1)
        Go to the next pixel.
    offset : Out
        1 where the call does not deform windows.
    read : Out(1)
        A beat is read.
    """

    def __init__(self, config: DeformEngineConfig) -> None:
        self._config = config
        super().__init__(
            {
                "start": In(1),
                "descriptor": In(DESCRIPTOR),
                "write": In(1),
                "write_data": In(config.port_bits),
                "loaded": In(1),
                "advance": In(1),
                "offset": Out(range(config.bound + 1)),
                "read": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config = self._config
        d: Any = self.descriptor
        m.submodules.beats = beats = WordMemory(
            words=config.offset_beats, beats=1, beat_bits=config.port_bits
        )
        lane = Signal(range(config.lanes))
        left = Signal.like(d.offset_beats)  # beats still to be read
        word = Signal.like(beats.read_word)
        held = Signal()
        m.d.comb += [
            beats.restart.eq(self.start),
            beats.write.eq(self.write),
            beats.write_data.eq(self.write_data),
            beats.read.eq(self.read),
            beats.read_word.eq(word),
            self.read.eq(
                self.loaded & (left != 0) & (~held | (self.advance & (lane == config.lanes - 1)))
            ),
            self.offset.eq(Mux(d.deform, beats.data.word_select(lane, 8), 1)),
        ]
        with m.If(self.read):
            m.d.sync += [held.eq(1), word.eq(word + 1), left.eq(left - 1)]
        with m.If(self.advance):
            m.d.sync += lane.eq(lane + 1)
        with m.If(self.start):
            m.d.sync += [word.eq(0), lane.eq(0), held.eq(0), left.eq(0)]
        with m.If(self.write):
            m.d.sync += left.eq(left + 1)
        return m
