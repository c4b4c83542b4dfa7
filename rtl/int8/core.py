"""Compute cores that multiply by whole weights: dequantised before the product, or never quantised.

INT4 weights stay INT4 in DRAM and scratchpad, like MixPE's.  One unit per column dequantises them
as they enter the array, or each PE does; FP16 weights need neither.
"""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.hdl import Elaboratable

from dovetail.arch.engine import SCALE_LANE_BITS, WEIGHT_BITS, GemmEngineConfig
from dovetail.arch.events import Event
from dovetail.rtl.gemm.core import Core
from dovetail.rtl.gemm.drain import DrainControl, row_control
from dovetail.rtl.gemm.pe import PE_CONTROL, OutputStationaryPe
from dovetail.rtl.int8.column import BeforeLoopColumn
from dovetail.rtl.int8.weight_dequant import WeightDequant
from dovetail.rtl.leaf import Leaf
from dovetail.rtl.skew import Skew, delayed

__all__ = ["BeforeLoopCore"]


class BeforeLoopCore(Core):
    """Weight dequantisers at the columns' heads where the core has them, then ``cols`` columns.

    :Latency: ``config.result_latency_cycles - 2`` cycles from the last operands to ``tile_ready``.
    :Throughput: one k per cycle; segments end ``config.drain_cycles`` apart.
    :Ready path: none.
    :Reference: :func:`dovetail.models.mpgemm.mpgemm_before_loop`.

    Parameters
    ----------
    config : GemmEngineConfig
    pe : OutputStationaryPe
    accumulate : wiring.Component
        With the ports of :class:`~dovetail.rtl.gemm.accumulate.Accumulate`.
    """

    def __init__(
        self, config: GemmEngineConfig, *, pe: OutputStationaryPe, accumulate: Any
    ) -> None:
        self._head = config.spec.dequantise == "column_head"
        super().__init__(config, events=(Event.WEIGHT_DEQUANT,) if self._head else ())
        self._pe = pe
        self._dequants = (Leaf("weight_dequant", WeightDequant()),) if self._head else ()
        column = BeforeLoopColumn(config, pe=pe, accumulate=accumulate)
        self._column = Leaf("before_loop_column", column)

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (*self._dequants, self._column)

    def _weights(self, m: Module) -> list[Value]:
        """What enters each column: FP16, INT8 two cycles later, or a weight with its scale."""
        config = self._config
        i: Any = self.i
        cols, plane = config.cols, config.cols_padded
        if config.spec.dequantise == "never":
            return [i.weights.word_select(col, config.spec.slice_bits) for col in range(cols)]
        # A word holds two k of INT4 weights, or the low and high nibbles of one k of INT8.
        nibbles = Signal(plane * WEIGHT_BITS)
        held = Signal(cols * SCALE_LANE_BITS)
        lanes = Signal(cols * SCALE_LANE_BITS)
        m.d.comb += [
            nibbles.eq(i.weights.word_select(i.odd & ~i.unscaled, plane * WEIGHT_BITS)),
            lanes.eq(Mux(i.scale_valid, i.scales, held)),
        ]
        m.d.sync += held.eq(lanes)
        weights: list[Value] = []
        for col in range(cols):
            high = i.weights.word_select(plane + col, WEIGHT_BITS)
            w = Cat(nibbles.word_select(col, WEIGHT_BITS), high)
            lane = lanes.word_select(col, SCALE_LANE_BITS)
            for dequant in self._dequants:
                weight = Signal(8, name=f"weight_{col}")
                m.submodules[f"dequant_{col}"] = dequant.instance(
                    w=w,
                    signed_weight=i.signed,
                    bypass=i.unscaled,
                    lane=lane,
                    shift=self.weight_shift,
                    o=weight,
                )
                weights.append(weight)
            if not self._dequants:
                weights.append(Cat(w, lane, i.unscaled))
        return weights

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config = self._config
        i: Any = self.i
        rows, cols = config.rows, config.cols
        bits = config.spec.activation_bits
        wait = config.spec.wait_cycles
        now = Signal(PE_CONTROL, name="control_now")
        view: Any = now
        m.d.comb += [
            view.valid.eq(i.valid),
            view.first.eq(i.first),
            view.last.eq(i.last),
        ]
        if not self._head:
            m.d.comb += view.signed.eq(i.signed)
        control: Any = delayed(m, now, wait, name="control_wait")
        activations = delayed(m, i.activations, wait, name="activations_wait")
        shift = {"weight_shift": self.weight_shift} if self._pe.shifts_weight else {}

        m.submodules.skew_a = skew_a = Skew(lanes=rows, lane_bits=bits)
        m.submodules.skew_w = skew_w = Skew(lanes=cols, lane_bits=self._pe.weight_bits)
        m.submodules.drain = drain = DrainControl(config)
        m.d.comb += [
            skew_a.i.eq(activations),
            skew_w.i.eq(Cat(*self._weights(m))),
            drain.push.eq(i.valid & i.first),
            drain.entry.eq(i.segment),
        ]
        a: Any = skew_a.o
        row: Any = drain.row
        read_data = []
        for col in range(cols):
            ports = {
                "a_o": Signal(bits * rows, name=f"a_{col}"),
                "control_o": Signal(PE_CONTROL, name=f"control_{col}"),
                "row_o": Signal(row_control(config), name=f"row_{col}"),
            }
            data = Signal(config.accumulator_bits, name=f"read_data_{col}")
            m.submodules[f"column_{col}"] = self._column.instance(
                a_i=a,
                w_i=skew_w.o.word_select(col, self._pe.weight_bits),
                control_i=control,
                row_i=row,
                drain=drain.drain if col == 0 else Signal(name=f"drain_{col}"),
                read=self.read,
                read_address=self.read_address,
                read_half=self.read_half,
                read_data=data,
                **shift,
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
        ]
        if self._head:
            m.d.comb += self.count_weight_dequant.eq(Mux(i.valid & ~i.unscaled, self.cols_valid, 0))
        return m
