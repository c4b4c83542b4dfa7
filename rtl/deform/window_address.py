"""Where the taps of a window lie in the line buffer: rows, banks of columns, places in them."""

from __future__ import annotations

from typing import Any

from amaranth import Array, Const, Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.deform import DeformEngineConfig
from dovetail.rtl.deform.descriptor import DESCRIPTOR
from dovetail.rtl.deform.line_buffer import line_ports, line_read
from dovetail.rtl.deform.line_writer import POSITION_BITS

__all__ = ["WindowAddress", "window_position", "window_step", "wrapped"]


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


def window_position(config: DeformEngineConfig) -> data.StructLayout:
    """A step of a window: its pixel in image and line buffer, group of channels, step."""
    return data.StructLayout(
        {
            "valid": 1,
            "row": POSITION_BITS,
            "col": POSITION_BITS,
            "slot": range(config.buffer_rows),
            "bank": range(max(2, config.column_banks)),
            "entry": range(max(2, config.bank_beats)),  # of the pixel's group 0
            "group": range(max(2, config.max_groups)),
            "step": range(max(2, config.steps)),
            "last": 1,
        }
    )


def wrapped(value: Any, size: int) -> Any:
    """``value`` mod ``size``, of a signed value from ``-size`` to ``2 * size - 1``."""
    return Mux(value < 0, value + size, Mux(value >= size, value - size, value))


class WindowAddress(wiring.Component):
    """Two stages: what is inside the image, rows and banks; then the places in the banks.

    :Latency: :data:`~dovetail.arch.deform.WINDOW_ADDRESS_CYCLES`.
    :Throughput: one step per cycle.
    :Ready path: none.
    :Reference: row r lies in memory r mod ``buffer_rows``, column c in bank c mod
        ``column_banks``.

    Members
    -------
    descriptor : In
    at : In(window_position(config))
    offset : In
        How far the taps lie apart.
    read, step : Out
        To the line buffer, and what goes along.
    """

    def __init__(self, config: DeformEngineConfig) -> None:
        self._config = config
        super().__init__(
            {
                "descriptor": In(DESCRIPTOR),
                "at": In(window_position(config)),
                "offset": In(range(config.bound + 1)),
                "read": Out(line_read(config)),
                "step": Out(window_step(config)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config = self._config
        banks = config.column_banks
        s = self.offset
        at: Any = self.at
        d: Any = self.descriptor
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
                    "entry": range(max(2, config.bank_beats)),
                    "distance": range(config.bound * max(2, config.max_groups) + 1),
                    "step": window_step(config),
                }
            ),
            name="address",
        )
        one: Any = first
        m.d.sync += [
            one.step.valid.eq(at.valid),
            one.step.step.eq(at.step),
            one.step.last.eq(at.valid & at.last),
            one.step.group.eq(at.group),
            one.entry.eq(at.entry + at.group),
            one.distance.eq(s * d.image_groups),
        ]
        for side, sign in enumerate((-1, 0, 1)):
            at_row = Signal(signed(POSITION_BITS + 1), name=f"at_row_{side}")
            at_col = Signal(signed(POSITION_BITS + 1), name=f"at_col_{side}")
            at_slot = Signal(signed(len(at.slot) + 2), name=f"at_slot_{side}")
            at_bank = Signal(signed(len(at.bank) + 2), name=f"at_bank_{side}")
            m.d.comb += [
                at_row.eq(at.row + sign * s),
                at_col.eq(at.col + sign * s),
                at_slot.eq(at.slot + sign * s),
                at_bank.eq(at.bank + sign * s),
            ]
            m.d.sync += [
                one.rows[side].valid.eq((at_row >= 0) & (at_row < d.height)),
                one.rows[side].slot.eq(wrapped(at_slot, config.buffer_rows)),
                one.cols[side].valid.eq((at_col >= 0) & (at_col < d.width)),
            ]
            if banks > 1:
                m.d.sync += [
                    one.cols[side].bank.eq(wrapped(at_bank, banks)),
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
        return m
