"""rtl/skew.py against copies of each lane, shifted in a list."""

import random
from typing import Any

import pytest

from dovetail.rtl.skew import Skew
from dovetail.tests.rtl.simulation import simulate


@pytest.mark.parametrize("extra", [0, 1])
@pytest.mark.parametrize("lanes", [1, 4, 5])
def test_lane_i_comes_i_cycles_later(lanes: int, extra: int) -> None:
    dut = Skew(lanes=lanes, lane_bits=3, extra=extra)
    rng = random.Random(lanes)
    words = [[rng.randrange(8) for _ in range(lanes)] for _ in range(30)]

    async def check(ctx: Any) -> None:
        for now, word in enumerate(words):
            ctx.set(dut.i, sum(value << (3 * lane) for lane, value in enumerate(word)))
            out = ctx.get(dut.o)
            for lane in range(lanes):
                then = now - lane - extra
                if then >= 0:
                    assert out >> (3 * lane) & 7 == words[then][lane], (now, lane)
            await ctx.tick()

    simulate(dut, check)
