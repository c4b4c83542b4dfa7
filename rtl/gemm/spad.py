"""A double-buffered operand scratchpad: beats in, words out."""

from __future__ import annotations

from amaranth import Module, Mux, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.spad import SpadShape

__all__ = ["Spad", "row_index", "word_index"]


def row_index(shape: SpadShape) -> range:
    """Shape of a row's index within a half."""
    return range(max(2, shape.half_rows))


def word_index(shape: SpadShape) -> range:
    """Shape of a word's index within a row."""
    return range(max(2, shape.words_per_row))


class Spad(wiring.Component):
    """Two halves of ``half_rows`` rows; a row is the wider of DRAM beat and core word.

    A row that was read stays at the memory's output, so its further words cost no access.

    :Latency: 1 cycle from ``read`` and ``read_word`` to ``data``.
    :Throughput: one beat written and one word read per cycle.
    :Ready path: none.
    :Reference: a memory.

    Members
    -------
    write, write_half, write_beat, write_data : In
        ``write_beat`` counts beats from the start of the half.
    read, read_half, read_row : In
        Fetch a row of the half.
    read_word : In
        Word of the row fetched now or last.
    data : word_bits
    """

    def __init__(self, shape: SpadShape) -> None:
        self._shape = shape
        super().__init__(
            {
                "write": In(1),
                "write_half": In(1),
                "write_beat": In(range(max(2, shape.half_rows * shape.beats_per_row))),
                "write_data": In(shape.beat_bits),
                "read": In(1),
                "read_half": In(1),
                "read_row": In(row_index(shape)),
                "read_word": In(word_index(shape)),
                "data": Out(shape.word_bits),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        shape = self._shape
        m.submodules.rows = rows = memory.Memory(
            shape=shape.row_bits, depth=2 * shape.half_rows, init=[]
        )
        write, read = rows.write_port(granularity=shape.beat_bits), rows.read_port()
        beats_log2 = shape.beats_per_row.bit_length() - 1
        word = Signal.like(self.read_word)
        m.d.comb += [
            write.addr.eq(
                Mux(self.write_half, shape.half_rows, 0) + (self.write_beat >> beats_log2)
            ),
            write.data.eq(self.write_data.replicate(shape.beats_per_row)),
            write.en.eq(self.write << self.write_beat[:beats_log2]),
            read.addr.eq(Mux(self.read_half, shape.half_rows, 0) + self.read_row),
            read.en.eq(self.read),
            self.data.eq(read.data.word_select(word, shape.word_bits)),
        ]
        m.d.sync += word.eq(self.read_word)
        return m
