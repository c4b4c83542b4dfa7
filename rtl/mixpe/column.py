"""One column of MixPE's array: PEs, scale queue, dequantiser, accumulators."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.engine import (
    ACCUMULATOR_BITS,
    SCALE_BITS,
    SCALE_LANE_BITS,
    GemmEngineConfig,
)
from dovetail.rtl.gemm.accumulators import AccumulatorBank
from dovetail.rtl.gemm.drain import row_control
from dovetail.rtl.gemm.pe import PE_CONTROL
from dovetail.rtl.gemm.pe_column import PeColumn
from dovetail.rtl.leaf import Leaf
from dovetail.rtl.mixpe.dequant import GroupDequant
from dovetail.rtl.mixpe.pe import MixpePe
from dovetail.rtl.mixpe.scale_queue import ScaleQueue

__all__ = ["MixpeColumn"]


class MixpeColumn(wiring.Component):
    """All of one output channel: from weights at the top to accumulators at the bottom.

    Neighbours work one cycle apart: operands, row control and group sums move one column to the
    right each cycle.

    :Latency: accumulators hold the sum 3 cycles after ``row_i``.
    :Throughput: one k in and one row out per cycle.
    :Ready path: none.
    :Reference: :func:`dovetail.models.mpgemm.dequantize_after_group`.

    Members
    -------
    a_i, a_o : 8 * rows bits
    w_i : unsigned(4)
    control_i, control_o : PE_CONTROL
    scale_push, scale_slot, scale_lane : In
        A group's scale and zero point, stored until the group drains.
    row_i, row_o : row_control(config)
    group_sum_i, group_sum_o : signed
        Activation sum of the row that drains.
    read, read_address, read_half, read_data
        As in :class:`~dovetail.rtl.gemm.accumulators.AccumulatorBank`.
    """

    def __init__(self, config: GemmEngineConfig) -> None:
        self._config = config
        pe = Leaf("mixpe_pe", MixpePe(sum_bits=config.pe_accumulator_bits))
        self._pes = Leaf("mixpe_pe_column", PeColumn(pe=pe, rows=config.rows))
        row = row_control(config)
        super().__init__(
            {
                "a_i": In(8 * config.rows),
                "a_o": Out(8 * config.rows),
                "w_i": In(4),
                "control_i": In(PE_CONTROL),
                "control_o": Out(PE_CONTROL),
                "scale_push": In(1),
                "scale_slot": In(row["slot"].shape),
                "scale_lane": In(SCALE_LANE_BITS),
                "row_i": In(row),
                "row_o": Out(row),
                "group_sum_i": In(signed(config.group_sum_bits)),
                "group_sum_o": Out(signed(config.group_sum_bits)),
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
            drain=Signal(name="drain"),
            sum=total,
        )
        m.submodules.scales = scales = ScaleQueue(depth=config.segments_in_flight)
        m.submodules.dequant = dequant = GroupDequant(
            p_bits=config.pe_accumulator_bits, s_bits=config.group_sum_bits
        )
        m.submodules.accumulators = bank = AccumulatorBank(
            depth=config.accumulator_half_tiles * config.rows, increment_bits=dequant.o_bits
        )
        row: Any = self.row_i
        later: Any = self.row_o
        scale = Signal(SCALE_BITS)
        m.d.comb += [
            scales.push.eq(self.scale_push),
            scales.push_slot.eq(self.scale_slot),
            scales.push_lane.eq(self.scale_lane),
            scales.slot.eq(row.slot),
            dequant.p.eq(total),
            dequant.s.eq(self.group_sum_i),
            dequant.zero.eq(scales.lane[SCALE_BITS:]),
            dequant.scale.eq(scale),
            dequant.high.eq(later.high),
            bank.valid.eq(later.valid),
            bank.address.eq(later.address),
            bank.half.eq(later.half),
            bank.first.eq(later.first),
            bank.increment.eq(dequant.o),
            bank.read.eq(self.read),
            bank.read_address.eq(self.read_address),
            bank.read_half.eq(self.read_half),
            self.read_data.eq(bank.read_data),
        ]
        m.d.sync += [
            self.row_o.eq(self.row_i),
            self.group_sum_o.eq(self.group_sum_i),
            scale.eq(scales.lane[:SCALE_BITS]),
        ]
        return m
