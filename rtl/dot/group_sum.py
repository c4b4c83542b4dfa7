"""Sums of activations over a segment, a step at a time: ``S`` of the zero-point correction."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Shape, Value, signed
from amaranth.lib.wiring import In

from dovetail.rtl.dot.unit import SUM_CONTROL
from dovetail.rtl.gemm.segment_sum import SegmentSum
from dovetail.rtl.skew import delayed

__all__ = ["StepSum", "TableStepSum"]


class StepSum(SegmentSum):
    """Base of what adds one value of a row once a step and drains beside the row's units.

    :Latency: 1 + ``product_cycles`` cycles from the last step of a segment to ``sum_o``.
    :Throughput: one step per cycle.
    :Ready path: none.
    :Reference: the sum of a segment's activations.

    Parameters
    ----------
    operand : Shape
        Of what comes with each step.
    sum_shape : Shape
    product_cycles : int
        Registers between operand and accumulator.

    Members
    -------
    a_i : operand
    control_i : SUM_CONTROL
        With the operand.
    drain_i, shift_i, shift_o, sum_i, sum_o
        As of :class:`~dovetail.rtl.gemm.segment_sum.SegmentSum`.
    """

    def __init__(self, operand: Any, *, sum_shape: Shape, product_cycles: int = 0) -> None:
        self.operand = operand
        self.product_cycles = product_cycles
        super().__init__({"a_i": In(operand), "control_i": In(SUM_CONTROL)}, sum_shape=sum_shape)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        control = delayed(m, self.control_i, self.product_cycles, name="control_product")
        m.d.comb += self.accumulation(m, control)
        m.d.sync += self.shift_o.eq(self.shift)
        self.store(m, control)
        return m


class TableStepSum(StepSum):
    """Subtract entry 0 of a step's integer table, which has every activation subtracted.

    Parameters
    ----------
    entry_bits, sum_bits : int
        Widths of the signed entry and of the accumulator.
    """

    def __init__(self, *, entry_bits: int, sum_bits: int) -> None:
        super().__init__(signed(entry_bits), sum_shape=signed(sum_bits))

    def product(self, m: Module) -> Value:
        entry: Value = self.a_i
        return entry

    def add(self, m: Module, accumulated: Value, product: Value) -> Value:
        return accumulated - product
