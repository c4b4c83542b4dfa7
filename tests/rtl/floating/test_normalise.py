"""rtl/floating/normalise.py against the length of Python's integers."""

import random
from typing import Any

import pytest

from dovetail.rtl.floating.normalise import Normalise
from dovetail.tests.rtl.simulation import simulate


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 16, 17, 33])
def test_the_leading_one_comes_to_the_top_or_as_far_as_it_may(bits: int) -> None:
    dut = Normalise(bits)
    rng = random.Random(bits)
    values = [0, *(1 << bit for bit in range(bits))]
    values += [rng.randrange(1 << rng.randint(1, bits)) for _ in range(60)]

    async def check(ctx: Any) -> None:
        for value in values:
            for limit in (0, *(1 << bit for bit in range(bits))):
                if value | limit:
                    ctx.set(dut.i, value)
                    ctx.set(dut.limit, limit)
                    zeros = bits - max(value.bit_length(), limit.bit_length())
                    assert (ctx.get(dut.zeros), ctx.get(dut.o)) == (zeros, value << zeros)

    simulate(dut, check)
