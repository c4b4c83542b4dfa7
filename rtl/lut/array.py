"""An array of units as a tensor core has it: tables, weights, accumulators, and no engine."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal, Value, unsigned
from amaranth.hdl import Elaboratable
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dovetail.rtl.dot.unit import UNIT_CONTROL, sum_control
from dovetail.rtl.lut.design import DotDesign
from dovetail.rtl.skew import delayed

__all__ = ["DotArray"]


class DotArray(wiring.Component):
    """``rows`` x ``cols`` units; operands reach all units of their row or column at once.

    :Latency: the slices of a step come with the last of the head's cycles, or with the row's
        operand where there is no head; sums stand 2 + ``product_cycles`` cycles after the last
        slice, 1 less without registers.
    :Throughput: one slice of each column per cycle.
    :Ready path: none.
    :Reference: the sums of the units.

    Parameters
    ----------
    design : DotDesign
        Of the units, without a drain chain.
    rows, cols : int
    makes_tables : bool
        A head for each row makes its table, and holds it; else it comes in.
    registers : bool
        Of operands that come in: each row's, where no head makes it, and each column's.

    Members
    -------
    a : ArrayLayout(activations or operand, rows)
    w : ArrayLayout(unsigned(weight_bits), cols)
    control : UNIT_CONTROL
        With ``w``.
    sums : ArrayLayout(sum_shape, rows * cols)
        Of row 0 first.
    """

    def __init__(
        self,
        design: DotDesign,
        *,
        rows: int,
        cols: int,
        makes_tables: bool,
        registers: bool = True,
    ) -> None:
        self._design = design
        self._rows = rows
        self._cols = cols
        self._registers = int(registers)
        self._units = [design.unit() for _ in range(rows * cols)]
        self._heads = [design.head() for _ in range(rows)] if makes_tables else []
        unit = self._units[0]
        operand = self._heads[0].signature.members["i"].shape if makes_tables else unit.operand
        super().__init__(
            {
                "a": In(data.ArrayLayout(operand, rows)),
                "w": In(data.ArrayLayout(unsigned(unit.weight_bits), cols)),
                "control": In(UNIT_CONTROL),
                "sums": Out(data.ArrayLayout(unit.sum_shape, rows * cols)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        late = self._registers
        control = Signal(UNIT_CONTROL)
        m.d.comb += control.eq(delayed(m, self.control, late, name="control"))
        sums: Any = sum_control(m, control, self._units[0])
        weights = [self._held(m, w, name=f"w_{col}") for col, w in enumerate(self.w)]
        for row in range(self._rows):
            if self._heads:
                m.submodules[f"head_{row}"] = head = self._heads[row]
                m.d.comb += head.i.eq(self.a[row])
                operand = Value.cast(head.o)
            else:
                operand = self._held(m, self.a[row], name=f"a_{row}")
            for col, weight in enumerate(weights):
                at = row * self._cols + col
                m.submodules[f"unit_{row}_{col}"] = unit = self._units[at]
                m.d.comb += [
                    unit.a_i.eq(operand),
                    unit.w_i.eq(weight),
                    unit.control_i.eq(control),
                    unit.sum_control_i.eq(sums),
                    self.sums[at].eq(unit.sum_o),
                ]
        return m

    def _held(self, m: Module, value: Any, *, name: str) -> Value:
        return Value.cast(
            delayed(m, Value.cast(value), self._registers, name=name, reset_less=True)
        )
