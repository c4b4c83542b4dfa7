"""One column of the baseline's array: INT8 PEs and accumulators."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.engine import ACCUMULATOR_BITS, GemmEngineConfig
from dovetail.rtl.gemm.accumulators import AccumulatorBank
from dovetail.rtl.gemm.drain import row_control
from dovetail.rtl.gemm.pe import PE_CONTROL
from dovetail.rtl.gemm.pe_column import PeColumn
from dovetail.rtl.int8.pe import Int8Pe
from dovetail.rtl.leaf import Leaf

__all__ = ["Int8Column"]


class Int8Column(wiring.Component):
    """All of one output channel: from INT8 weights at the top to accumulators at the bottom.

    :Latency: accumulators are written 2 cycles after ``row_i``.
    :Throughput: one k in and one row out per cycle.
    :Ready path: none.
    :Reference: the integer sum of products.

    Members
    -------
    a_i, a_o : 8 * rows bits
    w_i : unsigned(8)
    control_i, control_o : PE_CONTROL
    row_i, row_o : row_control(config)
    drain : unsigned(1)
        A segment is complete in this column.
    read, read_address, read_half, read_data
        As in :class:`~dovetail.rtl.gemm.accumulators.AccumulatorBank`.
    """

    def __init__(self, config: GemmEngineConfig) -> None:
        self._config = config
        pe = Leaf("int8_pe", Int8Pe(sum_bits=config.pe_accumulator_bits))
        self._pes = Leaf("int8_pe_column", PeColumn(pe=pe, rows=config.rows))
        row = row_control(config)
        super().__init__(
            {
                "a_i": In(8 * config.rows),
                "a_o": Out(8 * config.rows),
                "w_i": In(8),
                "control_i": In(PE_CONTROL),
                "control_o": Out(PE_CONTROL),
                "row_i": In(row),
                "row_o": Out(row),
                "drain": Out(1),
                "read": In(1),
                "read_address": In(row["address"].shape),
                "read_half": In(1),
                "read_data": Out(signed(ACCUMULATOR_BITS)),
            }
        )

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (self._pes,)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config = self._config
        total = Signal(signed(config.pe_accumulator_bits))
        m.submodules.pes = self._pes.instance(
            a_i=self.a_i,
            a_o=self.a_o,
            w_i=self.w_i,
            control_i=self.control_i,
            control_o=self.control_o,
            drain=self.drain,
            sum=total,
        )
        m.submodules.accumulators = bank = AccumulatorBank(
            depth=config.accumulator_half_tiles * config.rows,
            increment_bits=config.pe_accumulator_bits,
        )
        row: Any = self.row_i
        m.d.comb += [
            bank.valid.eq(row.valid),
            bank.address.eq(row.address),
            bank.half.eq(row.half),
            bank.first.eq(row.first),
            bank.increment.eq(total),
            bank.read.eq(self.read),
            bank.read_address.eq(self.read_address),
            bank.read_half.eq(self.read_half),
            self.read_data.eq(bank.read_data),
        ]
        m.d.sync += self.row_o.eq(self.row_i)
        return m
