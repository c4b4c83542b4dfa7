"""rtl/mixpe/scale_queue.py against an array."""

import random
from typing import Any

import pytest

from dovetail.rtl.gemm.scale_queue import ScaleQueue
from dovetail.tests.rtl.simulation import simulate


@pytest.mark.parametrize("depth", [4, 5, 8])
def test_a_slot_keeps_its_lane_until_it_is_pushed_again(depth: int) -> None:
    dut = ScaleQueue(depth=depth)
    rng = random.Random(depth)

    async def check(ctx: Any) -> None:
        slots = [0] * depth
        for _ in range(200):
            push, slot, lane = rng.random() < 0.5, rng.randrange(depth), rng.randrange(1 << 16)
            ctx.set(dut.push, push)
            ctx.set(dut.push_slot, slot)
            ctx.set(dut.push_lane, lane)
            for read, kept in enumerate(slots):  # combinational, and before the push
                ctx.set(dut.slot, read)
                assert ctx.get(dut.lane) == kept
            await ctx.tick()
            if push:
                slots[slot] = lane

    simulate(dut, check)
