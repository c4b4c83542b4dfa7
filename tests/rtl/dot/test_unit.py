"""rtl/dot/unit.py: when a unit adds, and how a column of units drains, against plain variables."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth import Module, Value, signed, unsigned
from amaranth.hdl import Elaboratable
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dovetail.rtl.dot.unit import UNIT_CONTROL, BroadcastUnit, sum_control
from dovetail.rtl.skew import delayed
from dovetail.tests.rtl.simulation import simulate


class Difference(BroadcastUnit):
    """``a - w`` in place of a dot product, so that no unit's own arithmetic is in the way."""

    def __init__(self, *, per_table: bool, product_cycles: int, drains: bool = True) -> None:
        self.per_table = per_table
        super().__init__(
            data.ArrayLayout(unsigned(6), 1),
            weight_bits=5,
            sum_shape=signed(20),
            product_cycles=product_cycles,
            drains=drains,
        )

    def product(self, m: Module) -> Value:
        difference = self.a_i[0] - self.w_i
        return delayed(m, Value.cast(difference), self.product_cycles, name="product").as_signed()


class Column(wiring.Component):
    """Units one below the other with the control that all share."""

    def __init__(self, units: list[BroadcastUnit]) -> None:
        self._units = units
        super().__init__(
            {
                "a": In(6 * len(units)),
                "w": In(5),
                "control": In(UNIT_CONTROL),
                "done": Out(1),
                "sum": Out(units[0].sum_shape),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        control = sum_control(m, self.control, self._units[0])
        m.d.sync += self.done.eq(control.valid & control.last)
        above = None
        for row, unit in enumerate(self._units):
            m.submodules[f"row_{row}"] = unit
            m.d.comb += [
                unit.a_i.eq(self.a.word_select(row, 6)),
                unit.w_i.eq(self.w),
                unit.control_i.eq(self.control),
                unit.sum_control_i.eq(control),
            ]
            if unit.drains:
                m.d.comb += unit.drain_i.eq(self.done)
            if above is not None:
                m.d.comb += [unit.shift_i.eq(above.shift_o), unit.sum_i.eq(above.sum_o)]
            above = unit
        m.d.comb += self.sum.eq(self._units[-1].sum_o)
        return m


def controls(rng: random.Random, segments: int, least: int) -> list[dict[str, int]]:
    """Control of segments of ``least`` cycles or more of steps of 1 to 3 planes, with gaps."""
    cycles = []
    for _ in range(segments):
        steps = []
        while sum(steps) < least:
            steps.append(rng.randint(1, 3))
        for step, planes in enumerate(steps):
            for plane in range(planes):
                while rng.random() < 0.2:
                    cycles.append({**dict.fromkeys(UNIT_CONTROL.members, 1), "valid": 0})
                cycles.append(
                    {
                        "valid": 1,
                        "first": step == 0,
                        "last": step == len(steps) - 1,
                        "plane_first": plane == 0,
                        "plane_last": plane == planes - 1,
                        "plane": plane,
                    }
                )
    return cycles


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("per_table", [False, True])
@pytest.mark.parametrize("product_cycles", [0, 2])
def test_a_column_drains_its_rows_the_last_first(
    rows: int, per_table: bool, product_cycles: int
) -> None:
    units: list[BroadcastUnit] = [
        Difference(per_table=per_table, product_cycles=product_cycles) for _ in range(rows)
    ]
    dut = Column(units)
    rng = random.Random(rows)
    drained: list[tuple[int, int]] = []
    want: list[tuple[int, int]] = []

    async def bench(ctx: Any) -> None:
        totals = [0] * rows
        due: dict[int, int] = {}
        idle = [dict.fromkeys(UNIT_CONTROL.members, 0)] * (rows + product_cycles + 2)
        for now, control in enumerate([*controls(rng, 20, rows), *idle]):
            if ctx.get(dut.done):
                due |= {now + row: row for row in range(rows)}
            if now in due:
                drained.append((now, ctx.get(dut.sum)))
            a = [rng.randrange(64) for _ in range(rows)]
            w = rng.randrange(32)
            ctx.set(dut.a, sum(value << (6 * row) for row, value in enumerate(a)))
            ctx.set(dut.w, w)
            ctx.set(dut.control, control)
            if control["valid"]:
                if control["first"] and (per_table or control["plane_first"]):
                    totals = [0] * rows
                if control["plane_last"] or not per_table:
                    totals = [t + value - w for t, value in zip(totals, a, strict=True)]
                if control["last"] and control["plane_last"]:
                    ready = now + 1 + product_cycles
                    want.extend((ready + row, totals[-1 - row]) for row in range(rows))
            await ctx.tick()

    simulate(dut, bench)
    assert len(want) == 20 * rows
    assert drained == want


def test_without_a_drain_chain_the_sum_is_the_accumulator() -> None:
    unit = Difference(per_table=False, product_cycles=0, drains=False)
    dut = Column([unit])

    async def bench(ctx: Any) -> None:
        ctx.set(dut.w, 7)
        step = {"valid": 1, "plane_first": 1, "plane_last": 1, "plane": 0, "last": 0}
        for k in range(3):
            ctx.set(dut.a, k)
            ctx.set(dut.control, {**step, "first": k == 0})
            await ctx.tick()
            assert ctx.get(dut.sum) == sum(range(k + 1)) - 7 * (k + 1)

    simulate(dut, bench)
    assert "drain_i" not in unit.signature.members
