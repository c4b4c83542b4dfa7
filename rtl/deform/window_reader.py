"""The reader of windows: walks the output pixels and says which rows and columns to read."""

from __future__ import annotations

from typing import Any

from amaranth import Array, Const, Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.deform import WINDOW_ADDRESS_CYCLES, DeformEngineConfig
from dovetail.rtl.deform.descriptor import DESCRIPTOR
from dovetail.rtl.deform.line_buffer import line_ports, line_read
from dovetail.rtl.deform.line_writer import POSITION_BITS

__all__ = ["WindowReader", "window_step"]


def window_step(config: DeformEngineConfig) -> data.StructLayout:
    """What goes along with a read: which taps of the window come, and of which channels."""
    return data.StructLayout(
        {
            "valid": 1,
            "step": range(max(2, config.steps)),
            "last": 1,  # the window is complete with it
            "group": range(max(2, config.max_groups)),
        }
    )


def _wrapped(value: Any, size: int) -> Any:
    """``value`` mod ``size``, of a signed value from ``-size`` to ``2 * size - 1``."""
    return Mux(value < 0, value + size, Mux(value >= size, value - size, value))


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
        row, col = Signal(POSITION_BITS), Signal(POSITION_BITS)
        slot = Signal(range(rows_held))
        bank = Signal(range(max(2, banks)))
        entry = Signal(range(max(2, config.bank_beats)))  # of the pixel's group 0
        group = Signal(range(max(2, config.max_groups)))
        step = Signal(range(max(2, config.steps)))
        m.d.comb += stride.eq(1 + d.stride2)

        # When a pixel may be read.
        pixel_begun = Signal()
        step_last, group_last, row_last, image_last = (Signal() for _ in range(4))
        m.d.comb += [
            pixel_begun.eq((step != 0) | (group != 0)),
            step_last.eq(step == config.steps - 1),
            group_last.eq(group == d.image_groups - 1),
            row_last.eq(col + stride >= d.width),
            image_last.eq(row_last & (row + stride >= d.height)),
            self.ready.eq(pixel_begun | self._written(m, row, col, d)),
            self.begin.eq(self.issue & (step == 0)),
            self.issue.eq(~self.done & self.ready & ((step != 0) | self.room)),
            self.pixel_last.eq(self.issue & step_last & group_last),
        ]
        with m.If(self.issue):
            m.d.sync += step.eq(Mux(step_last, 0, step + 1))
            with m.If(step_last):
                m.d.sync += group.eq(Mux(group_last, 0, group + 1))
        with m.If(self.pixel_last):
            m.d.sync += self.done.eq(image_last)
            moved = Signal(range(banks + 2))
            next_slot = Signal(signed(len(slot) + 2))
            m.d.comb += [moved.eq(bank + stride), next_slot.eq(slot + stride)]
            m.d.sync += col.eq(col + stride)
            if banks == 1:
                m.d.sync += entry.eq(entry + Mux(d.stride2, d.image_groups << 1, d.image_groups))
            else:
                with m.If(moved < banks):
                    m.d.sync += bank.eq(moved)
                with m.Else():
                    m.d.sync += [bank.eq(moved - banks), entry.eq(entry + d.image_groups)]
            with m.If(row_last):
                m.d.sync += [
                    *(x.eq(0) for x in (col, bank, entry)),
                    row.eq(row + stride),
                    slot.eq(_wrapped(next_slot, rows_held)),
                ]

        # Input positions of pixels that are read, as the memory sees it.
        read_done = [self.pixel_last, Signal(name="read_done_1"), Signal(name="read_done_2")]
        assert len(read_done) == WINDOW_ADDRESS_CYCLES + 1
        m.d.sync += [read_done[1].eq(read_done[0]), read_done[2].eq(read_done[1])]
        with m.If(read_done[-1]):
            m.d.sync += self.read_col.eq(self.read_col + stride)
            with m.If(self.read_col + stride >= d.width):
                m.d.sync += [self.read_col.eq(0), self.read_row.eq(self.read_row + stride)]

        self._address(m, d, row, col, slot, bank, entry, group, step, step_last)
        with m.If(self.start):
            m.d.sync += [x.eq(0) for x in (row, col, slot, bank, entry, group, step, self.done)]
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

    def _address(
        self,
        m: Module,
        d: Any,
        row: Any,
        col: Any,
        slot: Any,
        bank: Any,
        entry: Any,
        group: Any,
        step: Any,
        step_last: Any,
    ) -> None:
        """Two stages: what is inside, rows and banks; then the places in the banks."""
        config = self._config
        banks = config.column_banks
        s = self.offset
        first = Signal(
            data.StructLayout(
                {
                    "rows": data.ArrayLayout(
                        data.StructLayout({"valid": 1, "slot": range(config.buffer_rows)}), 3
                    ),
                    "cols": data.ArrayLayout(
                        data.StructLayout(
                            {"valid": 1, "bank": range(max(2, banks)), "carry": signed(2)}
                        ),
                        3,
                    ),
                    "entry": entry.shape(),
                    "distance": range(config.bound * max(2, config.max_groups) + 1),
                    "step": window_step(config),
                }
            ),
            name="address",
        )
        one: Any = first
        m.d.sync += [
            one.step.valid.eq(self.issue),
            one.step.step.eq(step),
            one.step.last.eq(self.issue & step_last),
            one.step.group.eq(group),
            one.entry.eq(entry + group),
            one.distance.eq(s * d.image_groups),
        ]
        for side, sign in enumerate((-1, 0, 1)):
            at_row = Signal(signed(POSITION_BITS + 1), name=f"at_row_{side}")
            at_col = Signal(signed(POSITION_BITS + 1), name=f"at_col_{side}")
            at_slot = Signal(signed(len(slot) + 2), name=f"at_slot_{side}")
            at_bank = Signal(signed(len(bank) + 2), name=f"at_bank_{side}")
            m.d.comb += [
                at_row.eq(row + sign * s),
                at_col.eq(col + sign * s),
                at_slot.eq(slot + sign * s),
                at_bank.eq(bank + sign * s),
            ]
            m.d.sync += [
                one.rows[side].valid.eq((at_row >= 0) & (at_row < d.height)),
                one.rows[side].slot.eq(_wrapped(at_slot, config.buffer_rows)),
                one.cols[side].valid.eq((at_col >= 0) & (at_col < d.width)),
            ]
            if banks > 1:
                m.d.sync += [
                    one.cols[side].bank.eq(_wrapped(at_bank, banks)),
                    one.cols[side].carry.eq(Mux(at_bank < 0, -1, Mux(at_bank >= banks, 1, 0))),
                ]

        read: Any = self.read
        rows, cols = line_ports(config)
        turn_row, turn_col = Signal(range(3)), Signal(range(3))
        m.d.comb += [
            # One port takes the rows in turn, three steps each.
            turn_row.eq(Array(n // 3 for n in range(config.steps))[one.step.step]),
            turn_col.eq(Array(n % 3 for n in range(config.steps))[one.step.step]),
        ]
        sides = Array(Const(side, signed(2)) for side in (-1, 0, 1))
        for i in range(rows):
            index: Any = i if rows == 3 else turn_row
            m.d.sync += [
                read.rows[i].valid.eq(one.step.valid & one.rows[index].valid),
                read.rows[i].slot.eq(one.rows[index].slot),
            ]
        for j in range(cols):
            index = j if cols == 3 else turn_col
            if banks > 1:
                place = one.entry + one.cols[index].carry * d.image_groups
            else:
                place = one.entry + sides[index] * one.distance
            m.d.sync += [
                read.cols[j].valid.eq(one.cols[index].valid),
                read.cols[j].bank.eq(one.cols[index].bank if banks > 1 else 0),
                read.cols[j].entry.eq(place),
            ]
        m.d.sync += self.step.eq(one.step)
