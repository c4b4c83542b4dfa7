"""rtl/gemm/accumulate.py against integer addition modulo 2^48."""

import random
from typing import Any

import pytest
from amaranth.sim import Simulator

from dovetail.rtl.gemm.accumulate import Accumulate


@pytest.mark.parametrize("increment_bits", [1, 32, 36, 48])
def test_adds_modulo_two_to_the_48(increment_bits: int) -> None:
    dut = Accumulate(increment_bits=increment_bits)
    rng = random.Random(increment_bits)
    low, high = -(1 << (increment_bits - 1)), (1 << (increment_bits - 1)) - 1
    far = (1 << 47) - 1

    async def check(ctx: Any) -> None:
        for step in range(200):
            first = rng.random() < 0.3
            increment = (low, high)[step % 2] if step < 8 else rng.randint(low, high)
            stored = (far, -far - 1)[step // 2 % 2] if step < 8 else rng.randint(-far - 1, far)
            ctx.set(dut.first, first)
            ctx.set(dut.increment, increment)
            await ctx.tick()
            ctx.set(dut.stored, stored)
            total = increment + (0 if first else stored)
            want = (total + (1 << 47)) % (1 << 48) - (1 << 47)
            assert ctx.get(dut.o) == want

    sim = Simulator(dut)
    sim.add_clock(1e-8)
    sim.add_testbench(check)
    sim.run()
