"""rtl/deform/requantise.py against exact fractions."""

import random
from fractions import Fraction
from math import floor
from typing import Any

from dovetail.arch.deform import REQUANTISE_CYCLES
from dovetail.rtl.deform.requantise import RequantiseLane
from dovetail.tests.rtl.simulation import edges, simulate


def requantised(value: int, scale: int, bias: int, relu: bool) -> int:
    # The nearest integer of value * scale / 2^16, upwards from the middle.
    nearest = floor(Fraction(value * scale, 1 << 16) + Fraction(1, 2)) + bias
    if relu:
        nearest = max(nearest, 0)
    return max(-128, min(127, nearest - 128))


def test_every_edge_and_random_values_one_a_cycle() -> None:
    dut = RequantiseLane()
    rng = random.Random(1)
    cases = [
        (value, scale, bias, relu)
        for value in [*edges(24), 255, 4096]
        for scale in [*edges(16), 256]
        for bias in [*edges(16), 128]
        for relu in (False, True)
    ]
    for _ in range(600):
        # Products around the range of 8 bits, and their middles.
        scale = rng.randrange(1, 1 << 14)
        value = rng.randrange(-(300 << 16), 300 << 16) // scale
        value = max(-(1 << 23), min((1 << 23) - 1, value))
        cases.append((value, scale, rng.randrange(-300, 300), bool(rng.getrandbits(1))))
    # Exactly in the middle: odd multiples of a half.
    cases += [(2 * (2 * k + 1), 1 << 14, 0, False) for k in range(-5, 300)]
    cases.sort(key=lambda case: case[3])  # the flag is constant while anything is inside
    switch = next(i for i, case in enumerate(cases) if case[3])
    cases[switch:switch] = [(0, 0, 0, False)] * REQUANTISE_CYCLES

    async def check(ctx: Any) -> None:
        for now in range(len(cases) + REQUANTISE_CYCLES):
            value, scale, bias, relu = cases[min(now, len(cases) - 1)]
            ctx.set(dut.i, value)
            ctx.set(dut.scale, scale)
            ctx.set(dut.bias, bias)
            ctx.set(dut.relu, relu)
            done = now - REQUANTISE_CYCLES
            if done >= 0 and not (cases[done] == (0, 0, 0, False)):
                assert ctx.get(dut.o) == requantised(*cases[done]), cases[done]
            await ctx.tick()

    simulate(dut, check)
