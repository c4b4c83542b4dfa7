"""rtl/floating/compound_add.py against integer addition."""

import random
from typing import Any

import pytest

from dovetail.rtl.floating.compound_add import CompoundAdd
from dovetail.tests.rtl.simulation import simulate


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5, 16, 17, 39])
def test_both_sums(bits: int) -> None:
    dut = CompoundAdd(bits)
    rng = random.Random(bits)
    top = (1 << bits) - 1
    pairs = [(x, y) for x in (0, 1 % (top + 1), top) for y in (0, 1 % (top + 1), top)]
    pairs += [(rng.randint(0, top), rng.randint(0, top)) for _ in range(100)]
    # A carry that runs from one end to the other.
    pairs += [(x, top ^ x) for x, _ in pairs[:20]]

    async def check(ctx: Any) -> None:
        for x, y in pairs:
            for carry in (0, 1):
                ctx.set(dut.x, x)
                ctx.set(dut.y, y)
                ctx.set(dut.carry, carry)
                assert ctx.get(dut.o) == (x + y + carry) & top
                assert ctx.get(dut.without_carry) == (x + y) & top

    simulate(dut, check)
