"""The foot of a column: scales or biases of groups, the unit that takes them, accumulators."""

from __future__ import annotations

from typing import Any

from amaranth import Module
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.engine import SCALE_BITS, GemmEngineConfig
from dovetail.rtl.gemm.accumulators import AccumulatorBank
from dovetail.rtl.gemm.drain import row_control
from dovetail.rtl.gemm.scale_queue import ScaleQueue
from dovetail.rtl.skew import delayed

__all__ = ["GroupResults"]


class GroupResults(wiring.Component):
    """Turn a column's drained sums, a row a cycle, into additions to its accumulators.

    :Latency: accumulators hold the sum 2 + ``dequant_cycles`` cycles after ``row_i``.
    :Throughput: one row per cycle.
    :Ready path: none.
    :Reference: that of the dequantiser.

    Parameters
    ----------
    config : GemmEngineConfig
    dequant, accumulate : wiring.Component
        As of :class:`~dovetail.rtl.mixpe.parts.AfterGroupParts`; or, in the dequantiser's place,
        :class:`~dovetail.rtl.m3vit.bias_add.BiasAdd`, which has no use for what is made of sums of
        activations and zero points.

    Members
    -------
    scale_push, scale_slot, scale_lane : In
        A group's scale and zero point, or bias, stored until the group drains.
    row_i, row_o : row_control(config)
        Of the row that drains, and one cycle later.
    product_sum, group_sum : shapes of ``p`` and ``s`` of the dequantiser
        Of that row; a bias needs no ``group_sum``.
    zero_lane : unsigned(zero_bits)
        Zero point that was stored with the row's scale.
    zero : shape of ``zero`` of the dequantiser
        What is made of it, in the same cycle.  With biases neither of the two exists.
    read, read_address, read_half, read_data
        As in :class:`~dovetail.rtl.gemm.accumulators.AccumulatorBank`.
    """

    def __init__(self, config: GemmEngineConfig, *, dequant: Any, accumulate: Any) -> None:
        self._config = config
        self._dequant = dequant
        self._accumulate = accumulate
        row = row_control(config)
        ports = dequant.signature.members
        members: dict[str, Any] = {
            "scale_push": In(1),
            "scale_slot": In(row["slot"].shape),
            "scale_lane": In(config.scale_lane_bits),
            "row_i": In(row),
            "row_o": Out(row),
            "product_sum": In(ports["p"].shape),
        }
        if not config.spec.biased:
            members |= {
                "group_sum": In(ports["s"].shape),
                "zero_lane": Out(config.zero_bits),
                "zero": In(ports["zero"].shape),
            }
        members |= {
            "read": In(1),
            "read_address": In(row["address"].shape),
            "read_half": In(1),
            "read_data": Out(accumulate.shape),
        }
        super().__init__(members)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config = self._config
        m.submodules.scales = scales = ScaleQueue(
            depth=config.segments_in_flight, lane_bits=config.scale_lane_bits
        )
        dequant = m.submodules.dequant = self._dequant
        m.submodules.accumulators = bank = AccumulatorBank(
            depth=config.accumulator_half_tiles * config.rows, accumulate=self._accumulate
        )
        cycles = config.dequant_cycles
        row: Any = self.row_i
        later: Any = delayed(m, self.row_o, cycles - 1, name="row_later")
        if config.spec.biased:
            lane: list[Any] = []
            taken = [dequant.bias.eq(scales.lane), dequant.shift.eq(row.bias_shift)]
        else:
            lane = [self.zero_lane.eq(scales.lane[SCALE_BITS:])]
            scale = delayed(m, scales.lane[:SCALE_BITS], cycles, name="scale")
            taken = [
                dequant.s.eq(self.group_sum),
                dequant.zero.eq(self.zero),
                dequant.scale.eq(scale),
                dequant.high.eq(later.high),
            ]
        m.d.comb += [
            scales.push.eq(self.scale_push),
            scales.push_slot.eq(self.scale_slot),
            scales.push_lane.eq(self.scale_lane),
            scales.slot.eq(row.slot),
            *lane,
            dequant.p.eq(self.product_sum),
            *taken,
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
        m.d.sync += self.row_o.eq(self.row_i)
        return m
