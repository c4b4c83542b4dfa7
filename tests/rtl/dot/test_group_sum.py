"""rtl/dot/group_sum.py and rtl/dot/chain.py: a row's sum of activations, and how rows drain."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from amaranth import Module, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dovetail.rtl.dot.bit_serial import AddUnit
from dovetail.rtl.dot.group_sum import EntryStepSum, StepSum, TableStepSum, UnitStepSum
from dovetail.rtl.dot.unit import SUM_CONTROL
from dovetail.tests.rtl.lut import tables
from dovetail.tests.rtl.simulation import simulate

LUT_K, ROWS, STEPS = 3, 4, 5
SUM_BITS = 8 + (STEPS * LUT_K - 1).bit_length()


class Chain(wiring.Component):
    """``ROWS`` sums above each other, joined as :func:`dovetail.rtl.dot.chain.drain_chain` does.

    That one places converted modules, which Amaranth's simulator cannot run.
    """

    def __init__(self, make: Callable[[], StepSum | UnitStepSum]) -> None:
        self._sums = [make() for _ in range(ROWS)]
        super().__init__(
            {
                "a": In(data.ArrayLayout(self._sums[0].operand, ROWS)),
                "control": In(SUM_CONTROL),
                "drain": Out(1),
                "sum": Out(self._sums[0].sum_shape),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        control: Any = self.control
        drain = Signal()
        m.d.sync += drain.eq(control.valid & control.last)
        above: Any = None
        for row, unit in enumerate(self._sums):
            m.submodules[f"row_{row}"] = unit
            m.d.comb += [
                unit.a_i.eq(self.a[row]),
                unit.control_i.eq(control),
                unit.drain_i.eq(drain),
            ]
            if above is not None:
                m.d.comb += [unit.shift_i.eq(above.shift_o), unit.sum_i.eq(above.sum_o)]
            above = unit
        m.d.comb += [self.sum.eq(above.sum_o), self.drain.eq(drain)]
        return m


def minus_all(activations: Sequence[int]) -> int:
    return tables.table(activations)[0]


def adders() -> UnitStepSum:
    return UnitStepSum(AddUnit(lut_k=LUT_K, activation_bits=8, sum_bits=SUM_BITS, max_planes=1))


CASES: list[tuple[Callable[[], StepSum | UnitStepSum], Callable[[Sequence[int]], Any]]] = [
    (lambda: TableStepSum(entry_bits=10, sum_bits=SUM_BITS), minus_all),
    (lambda: EntryStepSum(entry_bits=10, sum_bits=SUM_BITS), sum),
    (adders, list),
]


@pytest.mark.parametrize(("make", "operand"), CASES, ids=["table", "entry", "adders"])
def test_every_row_sums_its_activations_and_drains_in_turn(
    make: Callable[[], StepSum | UnitStepSum], operand: Callable[[Sequence[int]], Any]
) -> None:
    dut = Chain(make)
    rng = random.Random(1)
    segments = [
        [
            [
                [-128] * LUT_K if all_low else rng.choices(range(-128, 128), k=LUT_K)
                for _ in range(ROWS)
            ]
            for _ in range(steps)
        ]
        for steps, all_low in ((1, False), (STEPS, True), (4, False), (STEPS, False))
    ]
    want = [[sum(sum(step[row]) for step in steps) for row in range(ROWS)] for steps in segments]
    drained: list[int] = []

    async def bench(ctx: Any) -> None:
        left = 0

        async def cycle() -> None:
            nonlocal left
            await ctx.tick()
            if ctx.get(dut.drain):
                left = ROWS
            if left:
                drained.append(ctx.get(dut.sum))
                left -= 1

        for steps in segments:
            for at, step in enumerate(steps):
                ctx.set(dut.a, [operand(activations) for activations in step])
                last = at == len(steps) - 1
                ctx.set(dut.control, {"valid": 1, "first": at == 0, "last": last})
                await cycle()
            ctx.set(dut.control, {"valid": 0, "last": 1})
            # Segments end as far apart as the rows take to drain.
            for _ in range(max(1, ROWS - len(steps))):
                await cycle()
        for _ in range(ROWS):
            await cycle()

    simulate(dut, bench)
    assert drained == [total for sums in want for total in reversed(sums)]
