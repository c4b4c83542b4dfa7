"""The writer of the line buffer: stores pixels in raster order where no old one is needed."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.deform import DeformEngineConfig
from dovetail.rtl.deform.descriptor import DESCRIPTOR, SIZE_BITS
from dovetail.rtl.deform.line_buffer import line_write

__all__ = ["LineWriter", "POSITION_BITS"]

# Positions go one past the last row, and are compared with rows above the image.
POSITION_BITS = SIZE_BITS + 2


class LineWriter(wiring.Component):
    """Write each beat of ``i``; row and column of the next pixel to come are ``row`` and ``col``.

    A pixel in (row, col) waits until the windows of all output pixels that can reach the pixel it
    replaces are read: up to (row - N - 1, col + N).  With the public code's lead it waits until all
    output pixels before (row - N - 1, col) are read, and nothing more.

    :Latency: a beat is written in the cycle in which it is accepted; ``row`` and ``col`` move one
        cycle later.
    :Throughput: one beat per cycle.
    :Ready path: none; ``i.ready`` depends on registers alone.
    :Reference: :mod:`dovetail.sim.deform_kernel`.

    Members
    -------
    start, descriptor : In
    i : In(stream)
    read_row, read_col : In
        Input position of the first output pixel whose windows are not all read.
    row, col : Out
    write, write_at, write_data : Out
        To the line buffer.
    """

    def __init__(self, config: DeformEngineConfig) -> None:
        self._config = config
        super().__init__(
            {
                "start": In(1),
                "descriptor": In(DESCRIPTOR),
                "i": In(stream.Signature(config.port_bits)),
                "read_row": In(POSITION_BITS),
                "read_col": In(POSITION_BITS),
                "row": Out(POSITION_BITS),
                "col": Out(POSITION_BITS),
                "write": Out(1),
                "write_at": Out(line_write(config)),
                "write_data": Out(config.port_bits),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config = self._config
        d: Any = self.descriptor
        ahead = config.bound + 1
        old_row = Signal(POSITION_BITS)
        far_col = Signal(POSITION_BITS)
        free = Signal()
        m.d.comb += old_row.eq(self.row - ahead)
        if config.lead == "exact":
            m.d.comb += [
                far_col.eq(self.col + config.bound),
                free.eq(
                    (self.row < config.buffer_rows)
                    | (self.read_row > old_row)
                    | (
                        (self.read_row == old_row)
                        & (self.read_col > Mux(far_col < d.width, far_col, d.width - 1))
                    )
                ),
            ]
        else:
            m.d.comb += free.eq(
                (self.row < ahead)
                | (self.read_row > old_row)
                | ((self.read_row == old_row) & (self.read_col >= self.col))
            )

        at: Any = self.write_at
        group = Signal(SIZE_BITS)
        slot = Signal.like(at.slot)
        bank = Signal.like(at.bank)
        entry = Signal.like(at.entry)
        first_entry = Signal.like(at.entry)  # of the pixel's bank of columns
        pixel_last, row_last, bank_last = Signal(), Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(free),
            self.write.eq(self.i.valid & self.i.ready),
            self.write_data.eq(self.i.payload),
            at.slot.eq(slot),
            at.bank.eq(bank),
            at.entry.eq(entry),
            pixel_last.eq(group == d.image_groups - 1),
            row_last.eq(self.col == d.width - 1),
            bank_last.eq(bank == config.column_banks - 1),
        ]
        with m.If(self.write):
            m.d.sync += [group.eq(group + 1), entry.eq(entry + 1)]
            with m.If(pixel_last):
                m.d.sync += [group.eq(0), self.col.eq(self.col + 1)]
                with m.If(bank_last):
                    m.d.sync += [bank.eq(0), first_entry.eq(entry + 1)]
                with m.Else():
                    m.d.sync += [bank.eq(bank + 1), entry.eq(first_entry)]
                with m.If(row_last):
                    m.d.sync += [x.eq(0) for x in (self.col, bank, entry, first_entry)]
                    m.d.sync += [
                        self.row.eq(self.row + 1),
                        slot.eq(Mux(slot == config.buffer_rows - 1, 0, slot + 1)),
                    ]
        with m.If(self.start):
            m.d.sync += [
                x.eq(0) for x in (self.row, self.col, group, slot, bank, entry, first_entry)
            ]
        return m
