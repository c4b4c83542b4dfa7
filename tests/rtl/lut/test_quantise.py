"""rtl/lut/quantise.py against the definition: try powers of two, the least first, in fractions."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from dovetail.rtl.lut.quantise import QuantisingFloatPrecompute, QuantisingPrecompute
from dovetail.rtl.lut.table import ORIGIN, highest_exponent
from dovetail.tests.rtl.lut import tables
from dovetail.tests.rtl.lut.test_float_precompute import half, table
from dovetail.tests.rtl.simulation import edges, simulate


def quantised(values: list[Fraction], least: int) -> tuple[int, list[int]]:
    """Exponent and entries; ``round`` of a fraction is half to even."""
    exponent = least
    while max(abs(round(value / Fraction(2) ** exponent)) for value in values) > 127:
        exponent += 1
    return exponent, [round(value / Fraction(2) ** exponent) for value in values]


@pytest.mark.parametrize("largest", [1, 127, 128, 254, 255, 509, 510, 512, 1 << 17, 65504 << 24])
def test_the_highest_exponent_is_that_of_the_largest_entry(largest: int) -> None:
    assert highest_exponent(largest) == quantised([Fraction(largest)], 0)[0]


@pytest.mark.parametrize(("lut_k", "activation_bits"), [(2, 8), (4, 8), (5, 8), (3, 16)])
def test_integer_tables(lut_k: int, activation_bits: int) -> None:
    dut = QuantisingPrecompute(lut_k=lut_k, activation_bits=activation_bits)
    rng = random.Random(lut_k)
    steps = [[value] * lut_k for value in edges(activation_bits)]
    steps += [
        [127] + [0] * (lut_k - 1),
        [64, 64] + [0] * (lut_k - 2),
        [127, 127] + [1] * (lut_k - 2),
    ]
    for _ in range(60):
        bits = rng.randint(1, activation_bits)
        steps.append([rng.randint(-(1 << (bits - 1)), (1 << (bits - 1)) - 1) for _ in range(lut_k)])

    async def check(ctx: Any) -> None:
        for now, step in enumerate([*steps, steps[0], steps[0]]):
            if now >= dut.cycles:
                values = [Fraction(value) for value in tables.table(steps[now - dut.cycles])]
                got = ctx.get(dut.o)
                entries = [got.entries[i] for i in range(len(values))]
                assert (got.exponent, entries) == quantised(values, 0), steps[now - dut.cycles]
            ctx.set(dut.i, step)
            await ctx.tick()

    simulate(dut, check)
    assert dut.cycles == 2


@pytest.mark.parametrize("lut_k", [2, 4])
def test_float_tables(lut_k: int) -> None:
    dut = QuantisingFloatPrecompute(lut_k=lut_k)
    rng = np.random.default_rng(lut_k)
    steps = [[bits] * lut_k for bits in (0, 0x8000, 1, 0x8001, 0x0400, 0x7BFF)]
    # Largest entries around each tie: significands that end a power of two and those beside them.
    for top in (127, 128, 254, 255, 509, 510, 1019, 1020, 2039, 2040, 2047):
        steps += [
            [top if top < 1024 else top - 1024 + (field << 10)] + [0] * (lut_k - 1)
            for field in (1, 2, 30)
        ]
    for scale in (-24, -20, -14, -6, 0, 8, 14):
        for _ in range(6):
            values = (rng.standard_normal(lut_k) * 2.0**scale).astype(np.float16)
            steps.append([int(code) for code in values.view(np.uint16)])
    # Large activations that cancel, and leave entries far below the largest.
    steps += [[0x7000, 0x7000, *[small] * (lut_k - 2)] for small in range(0x0001, 0x7000, 0x0801)]
    steps += [[0x7C00] + [1] * (lut_k - 1), [1] * (lut_k - 1) + [0x7E01]]

    async def check(ctx: Any) -> None:
        for now, step in enumerate([*steps, *[steps[0]] * dut.cycles]):
            if now >= dut.cycles:
                was = steps[now - dut.cycles]
                exact = [half(bits) for bits in table([half(bits) for bits in was])]
                got = ctx.get(dut.o)
                assert got.nan == (not np.isfinite(exact).all())
                if not got.nan:
                    values = [Fraction(float(value)) for value in exact]
                    exponent, entries = quantised(values, ORIGIN)
                    assert got.exponent == exponent - ORIGIN, was
                    assert [got.entries[i] for i in range(len(values))] == entries, was
            ctx.set(dut.i, step)
            await ctx.tick()

    simulate(dut, check)
    assert dut.cycles == lut_k + 1
