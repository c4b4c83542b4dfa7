"""rtl/int8/pe.py against integer arithmetic."""

import random
from typing import Any

import pytest

from dovetail.rtl.int8.pe import Int8Pe
from dovetail.tests.rtl.simulation import edges, simulate


@pytest.mark.parametrize("length", [1, 16, 17])
def test_sums_products_of_signed_bytes(length: int) -> None:
    dut = Int8Pe(sum_bits=32)
    rng = random.Random(length)
    ends = edges(8)

    async def check(ctx: Any) -> None:
        for step in range(30):
            total = 0
            for k in range(length):
                if step < len(ends) ** 2:
                    a, w = ends[step // len(ends)], ends[step % len(ends)]
                else:
                    a, w = rng.randint(-128, 127), rng.randint(-128, 127)
                total += a * w
                ctx.set(dut.a_i, a)
                ctx.set(dut.w_i, w % 256)
                ctx.set(dut.control_i, {"valid": 1, "first": k == 0, "last": k == length - 1})
                await ctx.tick()
            assert ctx.get(dut.sum_o) == total

    simulate(dut, check)
