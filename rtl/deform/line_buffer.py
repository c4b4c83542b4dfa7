"""The line buffer: rows of an image in memories of their own, or in banks of columns."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from amaranth import Array, Cat, Const, Module, Mux, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.deform import ACTIVATION_BITS, ZERO, DeformEngineConfig

__all__ = ["LineBuffer", "line_ports", "line_read", "line_write"]


def line_ports(config: DeformEngineConfig) -> tuple[int, int]:
    """Rows and columns that are read in a cycle: 1 x 1, 3 x 1 or 3 x 3 beats."""
    return min(config.window_ports, 3), config.window_ports // min(config.window_ports, 3)


def line_write(config: DeformEngineConfig) -> data.StructLayout:
    """Where a beat is written: row memory, bank of columns, place in the bank."""
    return data.StructLayout(
        {
            "slot": range(config.buffer_rows),
            "bank": range(max(2, config.column_banks)),
            "entry": range(max(2, config.bank_beats)),
        }
    )


def line_read(config: DeformEngineConfig) -> data.StructLayout:
    """What is read in a cycle: rows, and columns of each; what is not valid is outside."""
    rows, cols = line_ports(config)
    row = data.StructLayout({"valid": 1, "slot": range(config.buffer_rows)})
    col = data.StructLayout(
        {
            "valid": 1,
            "bank": range(max(2, config.column_banks)),
            "entry": range(max(2, config.bank_beats)),
        }
    )
    return data.StructLayout(
        {"rows": data.ArrayLayout(row, rows), "cols": data.ArrayLayout(col, cols)}
    )


class LineBuffer(wiring.Component):
    """``buffer_rows`` rows, each in ``column_banks`` memories with one read and one write port.

    :Latency: 1 cycle from ``read`` to ``taps``.
    :Throughput: one beat written and ``window_ports`` beats read per cycle.
    :Ready path: none.
    :Reference: a memory; -128 for what is outside.

    Members
    -------
    write, write_at, write_data : In
    read : In(line_read(config))
        Columns that are valid together lie in different banks, or in one place.
    taps : Out(window_ports * port_bits)
        Columns fastest.
    reads : Out
        Memories read in this cycle.
    """

    def __init__(self, config: DeformEngineConfig) -> None:
        self._config = config
        super().__init__(
            {
                "write": In(1),
                "write_at": In(line_write(config)),
                "write_data": In(config.port_bits),
                "read": In(line_read(config)),
                "taps": Out(config.window_ports * config.port_bits),
                "reads": Out(range(config.window_ports + 1)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config = self._config
        rows, cols = line_ports(config)
        read: Any = self.read
        at: Any = self.write_at
        wanted_rows = [
            reduce(or_, (read.rows[i].valid & (read.rows[i].slot == slot) for i in range(rows)))
            for slot in range(config.buffer_rows)
        ]
        wanted_banks, entries = [], []
        for bank in range(config.column_banks):
            hits = [read.cols[j].valid & (read.cols[j].bank == bank) for j in range(cols)]
            entry: Any = read.cols[0].entry
            for j in range(1, cols):
                entry = Mux(hits[j], read.cols[j].entry, entry)
            wanted_banks.append(reduce(or_, hits))
            entries.append(entry)
        m.d.comb += self.reads.eq(sum(wanted_rows) * sum(wanted_banks))

        outputs = []
        for slot in range(config.buffer_rows):
            banks = []
            for bank in range(config.column_banks):
                m.submodules[f"row_{slot}_{bank}"] = store = memory.Memory(
                    shape=config.port_bits, depth=config.bank_beats, init=[]
                )
                write_port, read_port = store.write_port(), store.read_port()
                m.d.comb += [
                    write_port.addr.eq(at.entry),
                    write_port.data.eq(self.write_data),
                    write_port.en.eq(self.write & (at.slot == slot) & (at.bank == bank)),
                    read_port.addr.eq(entries[bank]),
                    read_port.en.eq(wanted_rows[slot] & wanted_banks[bank]),
                ]
                banks.append(read_port.data)
            outputs.append(banks)

        # In the next cycle each tap picks its row and bank.
        was = Signal(line_read(config))
        chosen: Any = was
        m.d.sync += was.eq(self.read)
        outside = Const(ZERO, ACTIVATION_BITS).replicate(config.lanes)
        columns = []
        for j in range(cols):
            columns.append(
                Array(
                    Array(banks)[chosen.cols[j].bank] if config.column_banks > 1 else banks[0]
                    for banks in outputs
                )
            )
        m.d.comb += self.taps.eq(
            Cat(
                Mux(
                    chosen.rows[i].valid & chosen.cols[j].valid,
                    columns[j][chosen.rows[i].slot],
                    outside,
                )
                for i in range(rows)
                for j in range(cols)
            )
        )
        return m
