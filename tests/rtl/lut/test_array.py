"""rtl/lut/array.py: sums of a small array of every design against products of matrices."""

from __future__ import annotations

import random
from typing import Any

import pytest

from dovetail.rtl.lut.array import DotArray
from dovetail.rtl.lut.design import DotDesign
from dovetail.tests.rtl.lut import tables
from dovetail.tests.rtl.simulation import simulate

PLANES, STEPS, LUT_K = 2, 3, 4


@pytest.mark.parametrize("registers", [False, True])
@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (2, 3)])
@pytest.mark.parametrize("kind", ["lookup", "plain", "add"])
def test_every_unit_sums_its_row_and_column(
    kind: Any, rows: int, cols: int, registers: bool
) -> None:
    design = DotDesign(kind=kind, activation="int8", lut_k=LUT_K, weight_bits=PLANES)
    makes = kind != "add"
    dut = DotArray(design, rows=rows, cols=cols, makes_tables=makes, registers=registers)
    rng = random.Random(rows)
    a = [[rng.randint(-128, 127) for _ in range(LUT_K * STEPS)] for _ in range(rows)]
    codes = [[rng.randrange(1 << PLANES) for _ in range(LUT_K * STEPS)] for _ in range(cols)]
    # A table that is made takes a cycle, which the slices wait where nothing registers them.
    ahead = int(makes and not registers)

    def activations(step: int) -> list[list[int]]:
        step = min(step, STEPS - 1)
        return [row[LUT_K * step : LUT_K * (step + 1)] for row in a]

    def slices(step: int, plane: int) -> list[int]:
        bits = [tables.plane(w[LUT_K * step : LUT_K * (step + 1)], plane) for w in codes]
        return [tables.inverted(LUT_K, b) if kind == "lookup" else b for b in bits]

    async def check(ctx: Any) -> None:
        ctx.set(dut.a, activations(0))
        for _ in range(ahead):
            await ctx.tick()
        for step in range(STEPS):
            for plane in range(PLANES):
                ctx.set(dut.a, activations(step + int(ahead and plane == PLANES - 1)))
                ctx.set(dut.w, slices(step, plane))
                control = {
                    "valid": 1,
                    "first": step == 0,
                    "last": step == STEPS - 1,
                    "plane_first": plane == 0,
                    "plane_last": plane == PLANES - 1,
                    "plane": plane,
                }
                ctx.set(dut.control, control)
                await ctx.tick()
        ctx.set(dut.control, {"valid": 0})
        for _ in range(int(registers)):
            await ctx.tick()
        for row in range(rows):
            for col in range(cols):
                levels = [tables.odd_levels(code, PLANES) for code in codes[col]]
                want = sum(x * w for x, w in zip(a[row], levels, strict=True))
                assert ctx.get(dut.sums[row * cols + col]) == want

    simulate(dut, check)
