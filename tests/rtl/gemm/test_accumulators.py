"""rtl/gemm/accumulators.py against two plain lists of integers."""

import random
from typing import Any

import pytest

from dovetail.rtl.gemm.accumulate import Accumulate
from dovetail.rtl.gemm.accumulators import AccumulatorBank
from dovetail.tests.rtl.simulation import simulate

FAR = 1 << 47


def wrap(value: int) -> int:
    return (value + FAR) % (2 * FAR) - FAR


@pytest.mark.parametrize("increment_bits", [13, 48])
@pytest.mark.parametrize("depth", [1, 4, 5])
def test_one_half_accumulates_while_the_other_is_read(depth: int, increment_bits: int) -> None:
    dut = AccumulatorBank(depth=depth, accumulate=Accumulate(increment_bits=increment_bits))
    rng = random.Random(depth)
    most = (1 << (increment_bits - 1)) - 1

    async def check(ctx: Any) -> None:
        stored: list[list[int | None]] = [[None] * depth, [None] * depth]
        half = 0
        last_address = -1
        for tile in range(8):
            # Into one half: every address once from zero, then random ones, with gaps.
            read_back: int | None = None
            for step in range(depth * 6):
                address = step // 2 % depth if step < 2 * depth else rng.randrange(depth)
                # The same address comes back in the second next cycle at the earliest.
                valid = step % 2 == 0 if depth == 1 else rng.random() < 0.8 or step < 2 * depth
                valid = valid and address != last_address
                first = stored[half][address] is None or rng.random() < 0.1
                increment = rng.choice((-most - 1, most, rng.randint(-most - 1, most)))
                ctx.set(dut.valid, valid)
                ctx.set(dut.half, half)
                ctx.set(dut.address, address)
                ctx.set(dut.first, first)
                ctx.set(dut.increment, increment)
                last_address = address if valid else -1
                if valid:
                    base = 0 if first else stored[half][address]
                    assert base is not None
                    stored[half][address] = wrap(base + increment)
                # From the other half, which was complete two cycles ago at least.
                there = rng.randrange(depth)
                read = tile > 0 and step > 1 and rng.random() < 0.6
                ctx.set(dut.read, read)
                ctx.set(dut.read_half, 1 - half)
                ctx.set(dut.read_address, there)
                if read:
                    read_back = stored[1 - half][there]
                await ctx.tick()
                if read_back is not None:  # holds while nothing is read
                    assert ctx.get(dut.read_data) == read_back, (tile, step)
            half = 1 - half
            stored[half] = [None] * depth

    simulate(dut, check)


def test_a_read_returns_the_increment_of_two_cycles_before() -> None:
    dut = AccumulatorBank(depth=4, accumulate=Accumulate(increment_bits=8))

    async def check(ctx: Any) -> None:
        for first, increment in ((1, 100), (0, -7)):
            ctx.set(dut.valid, 1)
            ctx.set(dut.first, first)
            ctx.set(dut.increment, increment)
            ctx.set(dut.address, 2)
            await ctx.tick()
            ctx.set(dut.valid, 0)
            await ctx.tick()
        ctx.set(dut.read, 1)
        ctx.set(dut.read_address, 2)
        await ctx.tick()
        assert ctx.get(dut.read_data) == 93

    simulate(dut, check)
