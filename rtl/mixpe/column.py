"""One column of an array that dequantises after the group: PEs, scales, dequantiser, sums."""

from __future__ import annotations

from amaranth import Module, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.engine import SCALE_LANE_BITS, WEIGHT_BITS, GemmEngineConfig
from dovetail.rtl.gemm.drain import row_control
from dovetail.rtl.gemm.group_results import GroupResults
from dovetail.rtl.gemm.pe import PE_CONTROL
from dovetail.rtl.gemm.pe_column import PeColumn
from dovetail.rtl.leaf import Leaf
from dovetail.rtl.mixpe.parts import AfterGroupParts

__all__ = ["MixpeColumn"]


class MixpeColumn(wiring.Component):
    """All of one output channel: from weights at the top to accumulators at the bottom.

    Neighbours work one cycle apart: operands, row control and group sums move one column to the
    right each cycle.

    :Latency: accumulators hold the sum 2 + ``dequant_cycles`` cycles after ``row_i``.
    :Throughput: one k in and one row out per cycle.
    :Ready path: none.
    :Reference: :func:`dovetail.models.mpgemm.dequantize_after_group`.

    Parameters
    ----------
    config : GemmEngineConfig
    parts : AfterGroupParts

    Members
    -------
    a_i, a_o : activation_bits * rows bits
    w_i : unsigned(4)
    control_i, control_o : PE_CONTROL
    scale_push, scale_slot, scale_lane : In
        A group's scale and zero point, stored until the group drains.
    row_i, row_o : row_control(config)
    group_sum_i, group_sum_o : shape of a sum of activations
        Activation sum of the row that drains.
    read, read_address, read_half, read_data
        As in :class:`~dovetail.rtl.gemm.accumulators.AccumulatorBank`.
    """

    def __init__(self, config: GemmEngineConfig, parts: AfterGroupParts) -> None:
        self._config = config
        self._parts = parts
        pe = Leaf("mixpe_pe", parts.pe)
        self._pes = Leaf("mixpe_pe_column", PeColumn(pe=pe, rows=config.rows))
        activations = config.spec.activation_bits * config.rows
        group_sum = parts.group_sum.sum_shape
        row = row_control(config)
        super().__init__(
            {
                "a_i": In(activations),
                "a_o": Out(activations),
                "w_i": In(WEIGHT_BITS),
                "control_i": In(PE_CONTROL),
                "control_o": Out(PE_CONTROL),
                "scale_push": In(1),
                "scale_slot": In(row["slot"].shape),
                "scale_lane": In(SCALE_LANE_BITS),
                "row_i": In(row),
                "row_o": Out(row),
                "group_sum_i": In(group_sum),
                "group_sum_o": Out(group_sum),
                "read": In(1),
                "read_address": In(row["address"].shape),
                "read_half": In(1),
                "read_data": Out(parts.accumulate.shape),
            }
        )

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (self._pes,)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        parts = self._parts
        total = Signal(parts.pe.sum_shape)
        m.submodules.pes = self._pes.instance(
            a_i=self.a_i,
            a_o=self.a_o,
            w_i=self.w_i,
            control_i=self.control_i,
            control_o=self.control_o,
            drain=Signal(name="drain"),
            sum=total,
        )
        m.submodules.results = results = GroupResults(
            self._config, dequant=parts.dequant, accumulate=parts.accumulate
        )
        m.d.comb += [
            results.scale_push.eq(self.scale_push),
            results.scale_slot.eq(self.scale_slot),
            results.scale_lane.eq(self.scale_lane),
            results.row_i.eq(self.row_i),
            results.product_sum.eq(total),
            results.group_sum.eq(self.group_sum_i),
            results.zero.eq(results.zero_lane),
            results.read.eq(self.read),
            results.read_address.eq(self.read_address),
            results.read_half.eq(self.read_half),
            self.read_data.eq(results.read_data),
            self.row_o.eq(results.row_o),
        ]
        m.d.sync += self.group_sum_o.eq(self.group_sum_i)
        return m
