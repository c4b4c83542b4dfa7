"""A memory of words wider than a beat, filled a beat at a time before it is read."""

from __future__ import annotations

from amaranth import Module, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["WordMemory"]


class WordMemory(wiring.Component):
    """``words`` words of ``beats`` beats; the first beat written holds a word's lowest bits.

    :Latency: 1 cycle from ``read`` to ``data``, which stays until the next read.
    :Throughput: one beat written and one word read per cycle.
    :Ready path: none.
    :Reference: a memory.

    Parameters
    ----------
    words, beats, beat_bits : int

    Members
    -------
    restart : In(1)
        The next beat written is the first of word 0.
    write, write_data : In
    read, read_word : In
    data : Out(beats * beat_bits)
    """

    def __init__(self, *, words: int, beats: int, beat_bits: int) -> None:
        self._words, self._beats, self._beat_bits = words, beats, beat_bits
        super().__init__(
            {
                "restart": In(1),
                "write": In(1),
                "write_data": In(beat_bits),
                "read": In(1),
                "read_word": In(range(max(2, words))),
                "data": Out(beats * beat_bits),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        beats = self._beats
        m.submodules.words = words = memory.Memory(
            shape=beats * self._beat_bits, depth=self._words, init=[]
        )
        write, read = words.write_port(granularity=self._beat_bits), words.read_port()
        word = Signal.like(self.read_word)
        part = Signal(range(max(2, beats)))
        with m.If(self.restart):
            m.d.sync += [word.eq(0), part.eq(0)]
        with m.Elif(self.write):
            m.d.sync += part.eq(part + 1)
            with m.If(part == beats - 1):
                m.d.sync += [part.eq(0), word.eq(word + 1)]
        m.d.comb += [
            write.addr.eq(word),
            write.data.eq(self.write_data.replicate(beats)),
            write.en.eq(self.write << part),
            read.addr.eq(self.read_word),
            read.en.eq(self.read),
            self.data.eq(read.data),
        ]
        return m
