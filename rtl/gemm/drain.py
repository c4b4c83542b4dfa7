"""Drain control: turns a finished segment into one row a cycle for the columns' accumulators."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.engine import GemmEngineConfig

__all__ = ["DrainControl", "row_control", "segment"]


def _bits(count: int) -> int:
    """Width of an index into ``count`` items; one bit at least."""
    return max(1, (count - 1).bit_length())


def _bias_shift(config: GemmEngineConfig) -> dict[str, Any]:
    """By how much a bias is shifted before it is added to the segment's sums."""
    return {"bias_shift": 5} if config.spec.biased else {}


def segment(config: GemmEngineConfig) -> data.StructLayout:
    """Layout of one segment's entry in the drain queue."""
    return data.StructLayout(
        {
            "address": _bits(config.accumulator_half_tiles * config.rows),
            "half": 1,
            "first": 1,  # first segment of the output tile: store instead of add
            "high": 1,  # signed high nibbles of INT8 weights
            "tile_last": 1,  # last segment of the output tile
            "rows_valid": range(config.rows + 1),
            "cols_valid": range(config.cols + 1),
            **_bias_shift(config),
        }
    )


def row_control(config: GemmEngineConfig) -> data.StructLayout:
    """Layout of what travels from column to column with each drained row."""
    return data.StructLayout(
        {
            "valid": 1,  # a row of the GEMM, not of the padding
            "address": _bits(config.accumulator_half_tiles * config.rows),
            "half": 1,
            "first": 1,
            "high": 1,
            "slot": _bits(config.segments_in_flight),  # which entry of the scale queue
            "tile_done": 1,  # last row of the output tile
            **_bias_shift(config),
        }
    )


class DrainControl(wiring.Component):
    """Queue of segments in flight, and the row counter of the one that drains.

    :Latency: ``row`` is valid in the cycle of ``drain`` and in the ``rows - 1`` cycles after it.
    :Throughput: one row per cycle.
    :Ready path: none; the queue is as deep as the array lets it become.
    :Reference: rows ``rows - 1 .. 0`` of each segment, in the order in which segments entered.

    Members
    -------
    push, entry : unsigned(1), segment(config)
        With the segment's first operand.
    push_slot : unsigned
        Where the segment's scales go in the columns' queues.
    drain : unsigned(1)
        A segment's last row is at the bottom of the leading column.
    row : row_control(config)
        For the leading column.
    drained_cols : unsigned
        Valid columns of ``row``; 0 where the row is padding or nothing drains.
    """

    def __init__(self, config: GemmEngineConfig) -> None:
        self._config = config
        super().__init__(
            {
                "push": In(1),
                "entry": In(segment(config)),
                "push_slot": Out(_bits(config.segments_in_flight)),
                "drain": In(1),
                "row": Out(row_control(config)),
                "drained_cols": Out(range(config.cols + 1)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config = self._config
        depth = config.segments_in_flight
        m.submodules.queue = queue = memory.Memory(shape=segment(config), depth=depth, init=[])
        write, read = queue.write_port(), queue.read_port(domain="comb")
        head = Signal(range(depth))
        tail = Signal(range(depth))
        left = Signal(range(config.rows))  # rows above the one that drains
        busy = Signal()
        active = Signal()
        row = Signal(range(config.rows))
        entry: Any = read.data
        out: Any = self.row
        m.d.comb += [
            write.addr.eq(tail),
            write.data.eq(self.entry),
            write.en.eq(self.push),
            self.push_slot.eq(tail),
            read.addr.eq(head),
            active.eq(self.drain | busy),
            row.eq(Mux(self.drain, config.rows - 1, left)),
            out.valid.eq(active & (row < entry.rows_valid)),
            out.address.eq(entry.address + row),
            out.half.eq(entry.half),
            out.first.eq(entry.first),
            out.high.eq(entry.high),
            out.slot.eq(head),
            out.tile_done.eq(active & entry.tile_last & (row == 0)),
            self.drained_cols.eq(Mux(out.valid, entry.cols_valid, 0)),
        ]
        if config.spec.biased:
            m.d.comb += out.bias_shift.eq(entry.bias_shift)
        with m.If(self.push):
            m.d.sync += tail.eq(Mux(tail == depth - 1, 0, tail + 1))
        with m.If(active):
            m.d.sync += [busy.eq(row != 0), left.eq(row - 1)]
            with m.If(row == 0):
                m.d.sync += head.eq(Mux(head == depth - 1, 0, head + 1))
        return m
