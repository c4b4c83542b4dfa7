"""The compute core that broadcasts: a head a row, columns of units, dequantised after the group."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.hdl import Elaboratable
from amaranth.lib import data

from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.events import Event
from dovetail.rtl.dot.chain import drain_chain
from dovetail.rtl.dot.column import BroadcastColumn, zero_shape
from dovetail.rtl.dot.parts import BroadcastParts
from dovetail.rtl.dot.unit import SUM_CONTROL, UNIT_CONTROL, sum_control
from dovetail.rtl.gemm.core import Core
from dovetail.rtl.gemm.drain import DrainControl
from dovetail.rtl.leaf import Leaf
from dovetail.rtl.skew import delayed

__all__ = ["BroadcastCore"]


class BroadcastCore(Core):
    """What a row's head makes of a step reaches all its units at once, a weight slice all of its
    column, so nothing is skewed: all rows and columns end a segment in the same cycle.

    Weights wait for the heads.  Beside the columns, a unit a row sums the activations of each
    segment and drains with the others.

    :Latency: ``config.result_latency_cycles - 2`` cycles from the last operands to ``tile_ready``.
    :Throughput: one step, or plane of it, per cycle; segments end ``config.drain_cycles`` apart.
    :Ready path: none.
    :Reference: :func:`dovetail.models.lut.mpgemm.mpgemm_lut`.

    Parameters
    ----------
    config : GemmEngineConfig
    parts : BroadcastParts
    """

    def __init__(self, config: GemmEngineConfig, parts: BroadcastParts) -> None:
        assert parts.head.cycles == config.head_cycles
        assert parts.unit.product_cycles == config.product_cycles
        # A port of another width would be filled up without regard to its sign.
        made = parts.head.signature.members["sum_o"].shape
        assert parts.group_sum is None or Shape.cast(parts.group_sum.operand) == Shape.cast(made)
        events = [Event.GROUP_DEQUANT]
        if parts.group_sum:
            events.append(Event.GROUP_SUM)
        if config.makes_tables:
            events.append(Event.TABLE)
        super().__init__(config, events=tuple(events))
        self._parts = parts
        self._head = Leaf("row_head", parts.head, clocked=parts.head.cycles > 0)
        self._sum = Leaf("step_sum", parts.group_sum) if parts.group_sum else None
        self._column = Leaf("broadcast_column", BroadcastColumn(config, parts))

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (self._head, *((self._sum,) if self._sum else ()), self._column)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config, parts = self._config, self._parts
        i: Any = self.i
        rows, cols = config.rows, config.cols

        # Weights and control wait for what the heads make.
        entering: Any = Signal(UNIT_CONTROL)
        m.d.comb += [
            entering.valid.eq(i.valid),
            entering.first.eq(i.first),
            entering.last.eq(i.last),
            entering.plane_first.eq(i.plane == 0),
            entering.plane_last.eq(i.plane_last),
            entering.plane.eq(i.plane),
        ]
        control: Any = delayed(m, entering, parts.head.cycles, name="control")
        weights = delayed(m, i.weights, parts.head.cycles, name="weights", reset_less=True)
        broadcast = Signal(data.ArrayLayout(parts.unit.operand, rows))
        step_sums = Signal(data.ArrayLayout(parts.head.signature.members["sum_o"].shape, rows))
        for row in range(rows):
            m.submodules[f"head_{row}"] = self._head.instance(
                i=i.activations.word_select(row, config.activation_step_bits),
                o=broadcast[row],
                sum_o=step_sums[row],
            )

        # The end of a segment, in the cycle in which it is at the bottom of all drain chains.
        summed: Any = sum_control(m, control, parts.unit)
        complete = Signal()
        m.d.sync += complete.eq(summed.valid & summed.last)
        m.submodules.drain = drain = DrainControl(config)
        m.d.comb += [
            drain.push.eq(i.valid & i.first & (i.plane == 0)),
            drain.entry.eq(i.segment),
            drain.drain.eq(complete),
        ]

        group_sum = self._group_sums(m, control, step_sums, complete)
        lanes = Signal(cols * config.scale_lane_bits)
        unit_scale = 0 if config.spec.biased else 1
        unit_scales = Cat(*([Const(unit_scale, config.scale_lane_bits)] * cols))
        m.d.comb += lanes.eq(Mux(i.unscaled, unit_scales, i.scales))
        zeros: dict[str, Any] = {}
        if not config.spec.biased:
            offset = Signal(zero_shape(config))
            m.d.comb += offset.eq(self._zero_offset(i))
            zeros = {
                "zero_point": i.levels == 2,
                "zero_offset": offset,
                "group_sum_i": group_sum,
            }
        read_data = []
        for col in range(cols):
            data_out = Signal(config.accumulator_bits, name=f"read_data_{col}")
            m.submodules[f"column_{col}"] = self._column.instance(
                a_i=broadcast,
                w_i=weights.word_select(col, config.weight_step_bits)[: parts.unit.weight_bits],
                control_i=control,
                sum_control_i=summed,
                drain_i=complete,
                scale_push=i.valid & i.scale_valid,
                scale_slot=drain.push_slot,
                scale_lane=lanes.word_select(col, config.scale_lane_bits),
                row_i=drain.row,
                **zeros,
                read=self.read,
                read_address=self.read_address,
                read_half=self.read_half,
                read_data=data_out,
            )
            read_data.append(data_out)

        drained: Any = drain.row
        # A row enters its accumulators ``dequant_cycles`` later, is added in the next cycle and can
        # be read in the one after.
        ready = delayed(m, drained.tile_done, config.dequant_cycles + 1, name="tile_done")
        steps = Mux(i.valid & i.plane_last, self.rows_valid, 0)
        m.d.comb += [
            self.tile_ready.eq(ready),
            self.read_data.eq(Cat(*read_data)),
            self.drained_cols.eq(drain.drained_cols),
            self.drained_add.eq(~drained.first),
            self.count_group_dequant.eq(drain.drained_cols),
        ]
        if parts.group_sum:
            m.d.comb += self.count_group_sum.eq(steps)
        if config.makes_tables:
            m.d.comb += self.count_table.eq(steps)
        return m

    def _group_sums(self, m: Module, control: Any, step_sums: Any, complete: Value) -> Value:
        """Sum of activations of the row that drains, at the bottom of a chain of its own."""
        parts = self._parts
        if parts.group_sum is None or self._sum is None:
            return Const(0, 1)
        # A step's activations are the same in all its planes and count with the last.
        step: Any = Signal(SUM_CONTROL)
        m.d.comb += [
            step.valid.eq(control.valid & control.plane_last),
            step.first.eq(control.first),
            step.last.eq(control.last),
        ]
        later = parts.unit.product_cycles - parts.group_sum.product_cycles
        step = delayed(m, step, later, name="step")
        step_sums = delayed(m, step_sums, later, name="step_sums", reset_less=True)
        return drain_chain(
            m,
            self._sum,
            rows=self._config.rows,
            drain=complete,
            ports=lambda row: {"a_i": step_sums[row], "control_i": step},
        )

    def _zero_offset(self, i: Any) -> Value:
        """What counts as zero point besides twice the stored one: of ``q'``, or of twice ``q``."""
        top = 1 << i.planes  # 2^b
        odd, twos_complement = i.levels == 0, i.levels == 1
        if self._parts.group_sum is None:
            return Const(0, 1)
        if self._parts.unsigned_digits:
            return Mux(odd, top - 1, Mux(twos_complement, top, 0))
        if self._parts.signed_digits:
            return Mux(odd, -1, Mux(twos_complement, 0, -top))
        return Mux(odd, 0, Mux(twos_complement, 1, 1 - top))
