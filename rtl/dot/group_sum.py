"""Sums of activations over a segment, a step at a time: ``S`` of the zero-point correction."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Shape, Value, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.number_formats import FP16, FloatFormat
from dovetail.rtl.dot.unit import SUM_CONTROL, BroadcastUnit, sum_control
from dovetail.rtl.floating.fused_add import FusedAdd
from dovetail.rtl.floating.products import FloatPass
from dovetail.rtl.gemm.segment_sum import SegmentSum
from dovetail.rtl.skew import delayed

__all__ = ["EntryStepSum", "FloatTableStepSum", "StepSum", "TableStepSum", "UnitStepSum"]


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


class EntryStepSum(TableStepSum):
    """Add the entry of a step's full table that has every activation added.

    Parameters
    ----------
    entry_bits, sum_bits : int
        Widths of the signed entry and of the accumulator.
    """

    def add(self, m: Module, accumulated: Value, product: Value) -> Value:
        return accumulated + product


class UnitStepSum(wiring.Component):
    """A unit with adders as a :class:`StepSum`: one plane whose bits add all activations.

    :Latency: 1 + ``product_cycles`` cycles from the last step of a segment to ``sum_o``.
    :Throughput: one step per cycle.
    :Ready path: none.
    :Reference: that of the unit.

    Parameters
    ----------
    unit : BroadcastUnit
        Of one plane.

    Members
    -------
    a_i, control_i, drain_i, shift_i, shift_o, sum_i, sum_o
        As of :class:`StepSum`.
    """

    def __init__(self, unit: BroadcastUnit) -> None:
        self._unit = unit
        self.operand = unit.operand
        self.sum_shape = unit.sum_shape
        self.product_cycles = unit.product_cycles
        shape = unit.sum_shape
        super().__init__(
            {
                "a_i": In(unit.operand),
                "control_i": In(SUM_CONTROL),
                "drain_i": In(1),
                "shift_i": In(1),
                "shift_o": Out(1),
                "sum_i": In(shape),
                "sum_o": Out(shape),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        control: Any = self.control_i
        now: Any = unit.control_i
        m.d.comb += [
            unit.a_i.eq(self.a_i),
            unit.w_i.eq(~0),
            now.valid.eq(control.valid),
            now.first.eq(control.first),
            now.last.eq(control.last),
            now.plane_first.eq(1),
            now.plane_last.eq(1),
            unit.sum_control_i.eq(sum_control(m, now, unit)),
            unit.drain_i.eq(self.drain_i),
            unit.shift_i.eq(self.shift_i),
            unit.sum_i.eq(self.sum_i),
            self.shift_o.eq(unit.shift_o),
            self.sum_o.eq(unit.sum_o),
        ]
        return m


class FloatTableStepSum(StepSum):
    """Subtract entry 0 of a step's table of FP16 numbers, with one rounding.

    Parameters
    ----------
    form : FloatFormat
        Of the sum.
    """

    def __init__(self, form: FloatFormat) -> None:
        self._form = form
        super().__init__(unsigned(FP16.bits), sum_shape=unsigned(form.bits))

    def product(self, m: Module) -> Value:
        entry: Value = self.a_i
        return Cat(entry[:-1], ~entry[-1])

    def add(self, m: Module, accumulated: Value, product: Value) -> Value:
        m.submodules.exact = exact = FloatPass(FP16)
        m.submodules.add = add = FusedAdd(
            exact.exact, self._form, accumulator_grid=exact.exact.grid
        )
        m.d.comb += [
            exact.a.eq(product),
            add.accumulator.eq(accumulated),
            add.exact.eq(exact.o),
        ]
        return add.o
