"""MixPE's compute core: a systolic array with one dequantiser per column, after the group."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.hdl import Elaboratable

from dovetail.arch.engine import SCALE_LANE_BITS, WEIGHT_BITS, GemmEngineConfig
from dovetail.arch.events import Event
from dovetail.rtl.gemm.core import Core
from dovetail.rtl.gemm.drain import DrainControl, row_control
from dovetail.rtl.gemm.pe import PE_CONTROL
from dovetail.rtl.gemm.pe_column import PeColumn
from dovetail.rtl.leaf import Leaf
from dovetail.rtl.mixpe.column import MixpeColumn
from dovetail.rtl.mixpe.parts import AfterGroupParts
from dovetail.rtl.skew import Skew, delayed

__all__ = ["AfterGroupCore"]

# Scale 1 and zero point 0 of a weight without a group scale.
_UNIT_LANE = Const(1, SCALE_LANE_BITS)


class AfterGroupCore(Core):
    """A column of group sums, then ``cols`` columns of PEs, one cycle apart.

    :Latency: ``config.result_latency_cycles - 2`` cycles from the last operands to ``tile_ready``.
    :Throughput: one k per cycle; segments end ``config.drain_cycles`` apart.
    :Ready path: none.
    :Reference: :func:`dovetail.models.mpgemm.mpgemm_after_group`.

    Parameters
    ----------
    config : GemmEngineConfig
    parts : AfterGroupParts
    """

    def __init__(self, config: GemmEngineConfig, parts: AfterGroupParts) -> None:
        super().__init__(config, events=(Event.GROUP_SUM, Event.GROUP_DEQUANT))
        self._sum_shape = parts.group_sum.sum_shape
        pe = Leaf("mixpe_group_sum_pe", parts.group_sum)
        self._sums = Leaf("mixpe_group_sum_column", PeColumn(pe=pe, rows=config.rows))
        self._column = Leaf("mixpe_column", MixpeColumn(config, parts))

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (self._sums, self._column)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config = self._config
        i: Any = self.i
        rows, cols = config.rows, config.cols
        bits = config.spec.activation_bits

        m.submodules.skew_a = skew_a = Skew(lanes=rows, lane_bits=bits)
        m.submodules.skew_w = skew_w = Skew(lanes=cols, lane_bits=WEIGHT_BITS, extra=1)
        m.submodules.drain = drain = DrainControl(config)
        control = Signal(PE_CONTROL)
        m.d.comb += [
            skew_a.i.eq(i.activations),
            skew_w.i.eq(i.weights),
            control.valid.eq(i.valid),
            control.first.eq(i.first),
            control.last.eq(i.last),
            control.signed.eq(i.signed),
            drain.push.eq(i.valid & i.first),
            drain.entry.eq(i.segment),
        ]

        a: Any = Signal(bits * rows, name="a_sums")
        passed: Any = Signal(PE_CONTROL, name="control_sums")
        row_now = drain.row
        sum_now = Signal(self._sum_shape)
        m.submodules.sums = self._sums.instance(
            a_i=skew_a.o, a_o=a, control_i=control, control_o=passed, drain=drain.drain, sum=sum_now
        )
        row: Any = Signal(row_control(config), name="row_sums")
        group_sum = Signal(self._sum_shape, name="sum_sums")
        m.d.sync += [row.eq(row_now), group_sum.eq(sum_now)]

        lanes = Signal(cols * SCALE_LANE_BITS)
        unit = Cat(*([_UNIT_LANE] * cols))
        m.d.comb += lanes.eq(Mux(i.unscaled, unit, i.scales))
        read_data = []
        for col in range(cols):
            ports = {
                "a_o": Signal(bits * rows, name=f"a_{col}"),
                "control_o": Signal(PE_CONTROL, name=f"control_{col}"),
                "row_o": Signal(row_control(config), name=f"row_{col}"),
                "group_sum_o": Signal(self._sum_shape, name=f"sum_{col}"),
            }
            data = Signal(config.accumulator_bits, name=f"read_data_{col}")
            m.submodules[f"column_{col}"] = self._column.instance(
                a_i=a,
                w_i=skew_w.o.word_select(col, WEIGHT_BITS),
                control_i=passed,
                scale_push=i.valid & i.scale_valid,
                scale_slot=drain.push_slot,
                scale_lane=lanes.word_select(col, SCALE_LANE_BITS),
                row_i=row,
                group_sum_i=group_sum,
                read=self.read,
                read_address=self.read_address,
                read_half=self.read_half,
                read_data=data,
                **ports,
            )
            a, passed = ports["a_o"], ports["control_o"]
            row, group_sum = ports["row_o"], ports["group_sum_o"]
            read_data.append(data)

        # The last column's row enters its accumulators ``dequant_cycles`` - 1 after ``row``, is
        # added in the next cycle and can be read in the one after.
        m.d.comb += [
            self.tile_ready.eq(
                delayed(m, row.tile_done, config.spec.dequant_cycles, name="tile_done")
            ),
            self.read_data.eq(Cat(*read_data)),
            self.drained_cols.eq(drain.drained_cols),
            self.drained_add.eq(~row_now.first),
            self.count_group_sum.eq(Mux(i.valid, self.rows_valid, 0)),
            self.count_group_dequant.eq(drain.drained_cols),
        ]
        return m
