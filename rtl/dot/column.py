"""One column of a broadcast array: units, scales, dequantiser, sums over groups."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.cores import MAX_WEIGHT_BITS
from dovetail.arch.engine import GemmEngineConfig
from dovetail.rtl.dot.chain import drain_chain
from dovetail.rtl.dot.parts import BroadcastParts
from dovetail.rtl.dot.unit import SUM_CONTROL, UNIT_CONTROL
from dovetail.rtl.gemm.drain import row_control
from dovetail.rtl.gemm.group_results import GroupResults
from dovetail.rtl.leaf import Leaf

__all__ = ["BroadcastColumn", "zero_shape"]


def zero_shape(config: GemmEngineConfig) -> Any:
    """Shape of what the sum of activations is multiplied by.

    A recentred zero point ``z' = 2z + 1 - 2^b`` is below ``2^zero_bits`` either way.  Where sums
    are doubled, twice a zero point reaches ``2^b``.
    """
    if config.spec.unit in ("full_table", "conventional"):
        return signed(MAX_WEIGHT_BITS + 2)
    return signed(config.zero_bits + 1)


class BroadcastColumn(wiring.Component):
    """All of one output channel, from weight slices to accumulators; all columns work at once.

    Where groups have biases there are no zero points, and what concerns them is missing.

    :Latency: sums drain from the cycle of ``drain`` on; accumulators hold the sum 2 +
        ``dequant_cycles`` cycles after ``row``.
    :Throughput: one weight slice in and one row out per cycle.
    :Ready path: none.
    :Reference: :func:`dovetail.models.lut.mpgemm.accumulate_lut`, one column.

    Parameters
    ----------
    config : GemmEngineConfig
    parts : BroadcastParts

    Members
    -------
    a_i : ArrayLayout(operand, rows)
        What the rows' heads broadcast.
    w_i : unsigned
        The column's weight slice.
    control_i, sum_control_i : UNIT_CONTROL, SUM_CONTROL
        As of :class:`~dovetail.rtl.dot.unit.BroadcastUnit`.
    drain_i : unsigned(1)
        A segment is complete.
    scale_push, scale_slot, scale_lane : In
        As of :class:`~dovetail.rtl.gemm.group_results.GroupResults`.
    zero_point, zero_offset : In
        A zero point z counts as ``2z + zero_offset`` where ``zero_point`` is high, else as
        ``zero_offset``.
    row_i, group_sum_i : In
        Row that drains, and its sum of activations.
    read, read_address, read_half, read_data
        As in :class:`~dovetail.rtl.gemm.accumulators.AccumulatorBank`.
    """

    def __init__(self, config: GemmEngineConfig, parts: BroadcastParts) -> None:
        self._config = config
        self._parts = parts
        self._unit = Leaf("broadcast_unit", parts.unit)
        row = row_control(config)
        members: dict[str, Any] = {
            "a_i": In(data.ArrayLayout(parts.unit.operand, config.rows)),
            "w_i": In(parts.unit.weight_bits),
            "control_i": In(UNIT_CONTROL),
            "sum_control_i": In(SUM_CONTROL),
            "drain_i": In(1),
            "scale_push": In(1),
            "scale_slot": In(row["slot"].shape),
            "scale_lane": In(config.scale_lane_bits),
        }
        if not config.spec.biased:
            members |= {"zero_point": In(1), "zero_offset": In(zero_shape(config))}
        members["row_i"] = In(row)
        if not config.spec.biased:
            members["group_sum_i"] = In(parts.dequant.signature.members["s"].shape)
        members |= {
            "read": In(1),
            "read_address": In(row["address"].shape),
            "read_half": In(1),
            "read_data": Out(parts.accumulate.shape),
        }
        super().__init__(members)

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (self._unit,)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        parts = self._parts
        total = drain_chain(
            m,
            self._unit,
            rows=self._config.rows,
            drain=self.drain_i,
            ports=lambda row: {
                "a_i": self.a_i[row],
                "w_i": self.w_i,
                "control_i": self.control_i,
                "sum_control_i": self.sum_control_i,
            },
        )
        m.submodules.results = results = GroupResults(
            self._config, dequant=parts.dequant, accumulate=parts.accumulate
        )
        if not self._config.spec.biased:
            zero = Signal.like(results.zero_lane)
            m.d.comb += zero.eq(Mux(self.zero_point, results.zero_lane, 0))
        m.d.comb += [
            results.scale_push.eq(self.scale_push),
            results.scale_slot.eq(self.scale_slot),
            results.scale_lane.eq(self.scale_lane),
            results.row_i.eq(self.row_i),
            results.product_sum.eq(total << 1 if parts.doubled else total),
        ]
        if not self._config.spec.biased:
            m.d.comb += [
                results.group_sum.eq(self.group_sum_i),
                results.zero.eq((zero << 1) + self.zero_offset),
            ]
        m.d.comb += [
            results.read.eq(self.read),
            results.read_address.eq(self.read_address),
            results.read_half.eq(self.read_half),
            self.read_data.eq(results.read_data),
        ]
        return m
