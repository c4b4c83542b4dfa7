"""The baseline's compute core: a systolic array of INT8 multiplier MACs.

INT4 weights stay INT4 in DRAM and scratchpad, like MixPE's, and are dequantised to INT8 by one
unit per column as they enter the array; the array then sums a whole k tile without a pause.
"""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.hdl import Elaboratable

from dovetail.arch.engine import ACCUMULATOR_BITS, SCALE_LANE_BITS, WEIGHT_BITS, GemmEngineConfig
from dovetail.arch.events import Event
from dovetail.rtl.gemm.core import Core
from dovetail.rtl.gemm.drain import DrainControl, row_control
from dovetail.rtl.gemm.pe import PE_CONTROL
from dovetail.rtl.int8.column import Int8Column
from dovetail.rtl.int8.weight_dequant import WeightDequant
from dovetail.rtl.leaf import Leaf
from dovetail.rtl.skew import Skew

__all__ = ["Int8Core"]

# Of WeightDequant, which activations and control must wait for.
_DEQUANT_CYCLES = 2


class Int8Core(Core):
    """``cols`` weight dequantisers, then ``cols`` INT8 columns, one cycle apart.

    :Latency: ``config.result_latency_cycles - 2`` cycles from the last operands to ``tile_ready``.
    :Throughput: one k per cycle; segments end ``config.drain_cycles`` apart.
    :Ready path: none.
    :Reference: :func:`dovetail.models.mpgemm.mpgemm_before_loop`.
    """

    def __init__(self, config: GemmEngineConfig) -> None:
        super().__init__(config, events=(Event.WEIGHT_DEQUANT,))
        self._dequant = Leaf("int8_weight_dequant", WeightDequant())
        self._column = Leaf("int8_column", Int8Column(config))

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (self._dequant, self._column)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config = self._config
        i: Any = self.i
        rows, cols, plane = config.rows, config.cols, config.cols_padded

        # A word holds two k of INT4 weights, or the low and high nibbles of one k of INT8.
        nibbles = Signal(plane * WEIGHT_BITS)
        held = Signal(cols * SCALE_LANE_BITS)
        lanes = Signal(cols * SCALE_LANE_BITS)
        m.d.comb += [
            nibbles.eq(i.weights.word_select(i.odd & ~i.int8, plane * WEIGHT_BITS)),
            lanes.eq(Mux(i.scale_valid, i.scales, held)),
        ]
        m.d.sync += held.eq(lanes)
        weights = []
        for col in range(cols):
            weight = Signal(8, name=f"weight_{col}")
            high = i.weights.word_select(plane + col, WEIGHT_BITS)
            m.submodules[f"dequant_{col}"] = self._dequant.instance(
                w=Cat(nibbles.word_select(col, WEIGHT_BITS), high),
                signed_weight=i.signed,
                bypass=i.int8,
                lane=lanes.word_select(col, SCALE_LANE_BITS),
                shift=self.weight_shift,
                o=weight,
            )
            weights.append(weight)

        control: Any = Signal(PE_CONTROL, name="control_now")
        activations: Any = i.activations
        m.d.comb += [
            control.valid.eq(i.valid),
            control.first.eq(i.first),
            control.last.eq(i.last),
        ]
        for step in range(_DEQUANT_CYCLES):
            next_control = Signal(PE_CONTROL, name=f"control_wait_{step}")
            next_activations = Signal(8 * rows, name=f"activations_wait_{step}")
            m.d.sync += [next_control.eq(control), next_activations.eq(activations)]
            control, activations = next_control, next_activations

        m.submodules.skew_a = skew_a = Skew(lanes=rows, lane_bits=8)
        m.submodules.skew_w = skew_w = Skew(lanes=cols, lane_bits=8)
        m.submodules.drain = drain = DrainControl(config)
        m.d.comb += [
            skew_a.i.eq(activations),
            skew_w.i.eq(Cat(*weights)),
            drain.push.eq(i.valid & i.first),
            drain.entry.eq(i.segment),
        ]
        a: Any = skew_a.o
        row: Any = drain.row
        read_data = []
        for col in range(cols):
            ports = {
                "a_o": Signal(8 * rows, name=f"a_{col}"),
                "control_o": Signal(PE_CONTROL, name=f"control_{col}"),
                "row_o": Signal(row_control(config), name=f"row_{col}"),
            }
            data = Signal(ACCUMULATOR_BITS, name=f"read_data_{col}")
            m.submodules[f"column_{col}"] = self._column.instance(
                a_i=a,
                w_i=skew_w.o.word_select(col, 8),
                control_i=control,
                row_i=row,
                drain=drain.drain if col == 0 else Signal(name=f"drain_{col}"),
                read=self.read,
                read_address=self.read_address,
                read_half=self.read_half,
                read_data=data,
                **ports,
            )
            a, control, row = ports["a_o"], ports["control_o"], ports["row_o"]
            read_data.append(data)

        m.d.comb += [
            # The last column's row is added in this cycle and can be read in the next.
            self.tile_ready.eq(row.tile_done),
            self.read_data.eq(Cat(*read_data)),
            self.drained_cols.eq(drain.drained_cols),
            self.drained_add.eq(~drain.row.first),
            self.count_weight_dequant.eq(Mux(i.valid & ~i.int8, self.cols_valid, 0)),
        ]
        return m
