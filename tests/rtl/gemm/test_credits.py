"""rtl/gemm/credits.py against a counter."""

import random
from typing import Any

import pytest

from dovetail.rtl.gemm.credits import Credits
from dovetail.tests.rtl.simulation import simulate


@pytest.mark.parametrize("initial", [0, 1, 2])
def test_counts_from_its_start_to_two(initial: int) -> None:
    dut = Credits(initial=initial)
    rng = random.Random(initial)
    seen = set()

    async def check(ctx: Any) -> None:
        count = initial
        for _ in range(200):
            assert ctx.get(dut.any) == (count > 0)
            take = count > 0 and rng.random() < 0.5
            give = (count < 2 or take) and rng.random() < 0.5
            seen.add((count, give, take))
            ctx.set(dut.give, give)
            ctx.set(dut.take, take)
            await ctx.tick()
            count += give - take

    simulate(dut, check)
    # Every count with everything that may happen at it, both at once included.
    assert {(0, True, False), (1, True, True), (2, False, True), (2, True, True)} <= seen
