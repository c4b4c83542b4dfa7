# amaranth: UnusedElaboratable=no
"""rtl/lut/precompute.py against the sum of each entry, one activation at a time."""

import random
from typing import Any

import pytest

from dovetail.errors import ConfigError
from dovetail.rtl.lut.precompute import Precompute
from dovetail.tests.rtl.lut.tables import table
from dovetail.tests.rtl.simulation import edges, simulate


@pytest.mark.parametrize("lut_k", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("activation_bits", [8, 16])
def test_every_entry_of_extreme_and_random_activations(lut_k: int, activation_bits: int) -> None:
    dut = Precompute(lut_k=lut_k, activation_bits=activation_bits, cycles=0)
    rng = random.Random(lut_k)
    extremes = edges(activation_bits)

    async def check(ctx: Any) -> None:
        low, high = min(extremes), max(extremes)
        cases = [[low] * lut_k, [high] * lut_k, [high] * (lut_k - 1) + [low]]
        cases += [[rng.choice(extremes) for _ in range(lut_k)] for _ in range(10)]
        cases += [[rng.randint(low, high) for _ in range(lut_k)] for _ in range(10)]
        for activations in cases:
            ctx.set(dut.i, activations)
            got = ctx.get(dut.o)
            assert [got[i] for i in range(1 << (lut_k - 1))] == table(activations)

    simulate(dut, check)


@pytest.mark.parametrize("cycles", [0, 1, 2])
def test_a_table_comes_that_many_cycles_after_its_activations(cycles: int) -> None:
    dut = Precompute(lut_k=2, activation_bits=8, cycles=cycles)

    async def check(ctx: Any) -> None:
        for step in range(6):
            ctx.set(dut.i, [step, 10 * step])
            if step >= cycles:
                made = step - cycles
                assert [ctx.get(dut.o[0]), ctx.get(dut.o[1])] == [-11 * made, -9 * made]
            await ctx.tick()

    simulate(dut, check)


@pytest.mark.parametrize("lut_k", [0, 1, 9])
def test_a_table_of_too_few_or_too_many_activations_is_refused(lut_k: int) -> None:
    message = f"^lut_k={lut_k} must be from 2 to 8; change how many k a table covers$"
    with pytest.raises(ConfigError, match=message):
        Precompute(lut_k=lut_k, activation_bits=8)
