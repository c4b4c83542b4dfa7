"""The reader of windows: walks the output pixels and says which rows and columns to read."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.deform import WINDOW_ADDRESS_CYCLES, DeformEngineConfig
from dovetail.rtl.deform.descriptor import DESCRIPTOR
from dovetail.rtl.deform.line_buffer import line_read
from dovetail.rtl.deform.line_writer import POSITION_BITS
from dovetail.rtl.deform.window_address import (
    WindowAddress,
    window_position,
    window_step,
    wrapped,
)

__all__ = ["WindowReader"]


class WindowReader(wiring.Component):
    """For each output pixel and each group of channels read a window, ``steps`` cycles long.

    A pixel in (row, col) waits until the image is written up to (row + N, col + N), or its edge;
    with the public code's lead up to (row + N + 1, col), or its end.

    :Latency: ``WINDOW_ADDRESS_CYCLES`` from ``issue`` to ``read``; one more until ``read_row`` and
        ``read_col`` move.
    :Throughput: one window per ``steps`` cycles.
    :Ready path: none; a window starts only when there is ``room`` for its result.
    :Reference: :mod:`dovetail.models.deform.engine_call`, :mod:`dovetail.sim.deform_kernel`.

    Members
    -------
    start, descriptor : In
    written_row, written_col : In
        Next pixel to be written.
    room : In(1)
        The queue behind the 3x3 unit can take one more.
    offset : In
        Of the pixel that is read; constant 1 where windows are not deformed.
    pixel_last : Out(1)
        The last step of a pixel is issued.
    read, step : Out
        To the line buffer, and what goes along.
    read_row, read_col : Out
        Input position of the first output pixel whose windows are not all read.
    issue, ready, done : Out(1)
        A step begins; it could, were there room; all have begun.
    begin : Out(1)
        The step is a window's first.
    """

    def __init__(self, config: DeformEngineConfig) -> None:
        self._config = config
        super().__init__(
            {
                "start": In(1),
                "descriptor": In(DESCRIPTOR),
                "written_row": In(POSITION_BITS),
                "written_col": In(POSITION_BITS),
                "room": In(1),
                "offset": In(range(config.bound + 1)),
                "pixel_last": Out(1),
                "read": Out(line_read(config)),
                "step": Out(window_step(config)),
                "read_row": Out(POSITION_BITS),
                "read_col": Out(POSITION_BITS),
                "issue": Out(1),
                "ready": Out(1),
                "done": Out(1),
                "begin": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config = self._config
        d: Any = self.descriptor
        banks, rows_held = config.column_banks, config.buffer_rows
        stride = Signal(2)
        m.submodules.address = address = WindowAddress(config)
        position = Signal(window_position(config))
        p: Any = position
        m.d.comb += stride.eq(1 + d.stride2)

        # When a pixel may be read.
        pixel_begun = Signal()
        step_last, group_last, row_last, image_last = (Signal() for _ in range(4))
        m.d.comb += [
            pixel_begun.eq((p.step != 0) | (p.group != 0)),
            step_last.eq(p.step == config.steps - 1),
            group_last.eq(p.group == d.image_groups - 1),
            row_last.eq(p.col + stride >= d.width),
            image_last.eq(row_last & (p.row + stride >= d.height)),
            self.ready.eq(pixel_begun | self._written(m, p.row, p.col, d)),
            self.begin.eq(self.issue & (p.step == 0)),
            self.issue.eq(~self.done & self.ready & ((p.step != 0) | self.room)),
            self.pixel_last.eq(self.issue & step_last & group_last),
        ]
        with m.If(self.issue):
            m.d.sync += p.step.eq(Mux(step_last, 0, p.step + 1))
            with m.If(step_last):
                m.d.sync += p.group.eq(Mux(group_last, 0, p.group + 1))
        with m.If(self.pixel_last):
            m.d.sync += self.done.eq(image_last)
            moved = Signal(range(banks + 2))
            next_slot = Signal(signed(len(p.slot) + 2))
            m.d.comb += [moved.eq(p.bank + stride), next_slot.eq(p.slot + stride)]
            m.d.sync += p.col.eq(p.col + stride)
            if banks == 1:
                m.d.sync += p.entry.eq(
                    p.entry + Mux(d.stride2, d.image_groups << 1, d.image_groups)
                )
            else:
                with m.If(moved < banks):
                    m.d.sync += p.bank.eq(moved)
                with m.Else():
                    m.d.sync += [p.bank.eq(moved - banks), p.entry.eq(p.entry + d.image_groups)]
            with m.If(row_last):
                m.d.sync += [
                    *(x.eq(0) for x in (p.col, p.bank, p.entry)),
                    p.row.eq(p.row + stride),
                    p.slot.eq(wrapped(next_slot, rows_held)),
                ]

        # Input positions of pixels that are read, as the memory sees it.
        read_done = [self.pixel_last, Signal(name="read_done_1"), Signal(name="read_done_2")]
        assert len(read_done) == WINDOW_ADDRESS_CYCLES + 1
        m.d.sync += [read_done[1].eq(read_done[0]), read_done[2].eq(read_done[1])]
        with m.If(read_done[-1]):
            m.d.sync += self.read_col.eq(self.read_col + stride)
            with m.If(self.read_col + stride >= d.width):
                m.d.sync += [self.read_col.eq(0), self.read_row.eq(self.read_row + stride)]

        m.d.comb += [
            address.descriptor.eq(self.descriptor),
            address.at.eq(position),
            address.at.valid.eq(self.issue),
            address.at.last.eq(step_last),
            address.offset.eq(self.offset),
            self.read.eq(address.read),
            self.step.eq(address.step),
        ]
        with m.If(self.start):
            m.d.sync += [position.eq(0), self.done.eq(0)]
            m.d.sync += [x.eq(0) for x in (*read_done[1:], self.read_row, self.read_col)]
        return m

    def _written(self, m: Module, row: Any, col: Any, d: Any) -> Any:
        """Whether the image is written as far as a window in (row, col) can reach."""
        config = self._config
        far_row, far_col = Signal(POSITION_BITS), Signal(POSITION_BITS)
        if config.lead == "exact":
            m.d.comb += [
                far_row.eq(Mux(row + config.bound < d.height, row + config.bound, d.height - 1)),
                far_col.eq(Mux(col + config.bound < d.width, col + config.bound, d.width - 1)),
            ]
        else:
            inside = row + config.bound + 1 < d.height
            m.d.comb += [
                far_row.eq(Mux(inside, row + config.bound + 1, d.height - 1)),
                far_col.eq(Mux(inside, col, d.width - 1)),
            ]
        return (self.written_row > far_row) | (
            (self.written_row == far_row) & (self.written_col > far_col)
        )
