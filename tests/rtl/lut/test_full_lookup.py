"""Conventional LUT units and their tables against sums of subsets."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from dovetail.arch.number_formats import FP16, FP32, FloatFormat
from dovetail.rtl.lut.float_lookup import FloatFullLookupUnit
from dovetail.rtl.lut.float_precompute import FloatFullPrecompute
from dovetail.rtl.lut.lookup import FullLookupUnit
from dovetail.rtl.lut.precompute import FullPrecompute
from dovetail.tests.rtl.dot.drive import Step, run_segments
from dovetail.tests.rtl.lut import tables
from dovetail.tests.rtl.lut.test_float_lookup import SIZES, WORDS, rounded_add
from dovetail.tests.rtl.lut.test_float_precompute import half, pattern
from dovetail.tests.rtl.simulation import edges, simulate


def subset(activations: list[int], index: int) -> int:
    return sum(a for j, a in enumerate(activations) if index >> j & 1)


@pytest.mark.parametrize(("lut_k", "activation_bits"), [(2, 8), (4, 8), (5, 16)])
def test_every_entry_is_the_sum_of_a_subset(lut_k: int, activation_bits: int) -> None:
    dut = FullPrecompute(lut_k=lut_k, activation_bits=activation_bits, cycles=0)
    rng = random.Random(lut_k)
    extremes = edges(activation_bits)
    cases = [[value] * lut_k for value in extremes]
    cases += [[rng.randint(min(extremes), max(extremes)) for _ in range(lut_k)] for _ in range(9)]

    async def check(ctx: Any) -> None:
        for activations in cases:
            ctx.set(dut.i, activations)
            got = ctx.get(dut.o)
            want = [subset(activations, index) for index in range(1 << lut_k)]
            assert [got[i] for i in range(1 << lut_k)] == want

    simulate(dut, check)


@pytest.mark.parametrize("signed_weights", [False, True])
@pytest.mark.parametrize(("lut_k", "planes"), [(2, 1), (4, 2), (3, 8)])
def test_sums_of_products_with_integers(lut_k: int, planes: int, signed_weights: bool) -> None:
    unit = FullLookupUnit(
        lut_k=lut_k,
        activation_bits=8,
        sum_bits=8 + planes + 6,
        max_planes=planes,
        signed_weights=signed_weights,
    )
    rng = random.Random(planes)
    segments: list[list[Step]] = []
    want = []
    for length in (1, 5, 2):
        steps: list[Step] = []
        total = 0
        for _ in range(length):
            a = [rng.choice([-128, 127, rng.randint(-128, 127)]) for _ in range(lut_k)]
            codes = [rng.randrange(1 << planes) for _ in range(lut_k)]
            for activation, code in zip(a, codes, strict=True):
                negative = signed_weights and code >> (planes - 1)
                total += activation * (code - (1 << planes) if negative else code)
            table = [subset(a, index) for index in range(1 << lut_k)]
            steps.append((table, [tables.plane(codes, bit) for bit in range(planes)]))
        segments.append(steps)
        want.append(total)
    assert run_segments(unit, segments) == want


@pytest.mark.parametrize("lut_k", [2, 4])
def test_every_float_entry_comes_after_one_cycle_an_addition(lut_k: int) -> None:
    dut = FloatFullPrecompute(lut_k=lut_k)
    rng = np.random.default_rng(lut_k)
    steps = [rng.standard_normal(lut_k).astype(np.float16).view(np.uint16) for _ in range(12)]
    steps += [rng.choice([0, 0x8000, 1, 0x7BFF, 0x7C00], lut_k) for _ in range(6)]
    steps = [[int(code) for code in step] for step in steps]

    def entry(step: list[int], index: int) -> int:
        total = np.float16(0)
        with np.errstate(all="ignore"):
            for j, code in enumerate(step):
                if index >> j & 1:
                    total = np.float16(total + half(code))
        return pattern(total)

    async def check(ctx: Any) -> None:
        for now, step in enumerate([*steps, *[[0] * lut_k] * dut.cycles]):
            if now >= dut.cycles:
                was = steps[now - dut.cycles]
                got = [pattern(half(ctx.get(dut.o[i]))) for i in range(1 << lut_k)]
                assert got == [entry(was, index) for index in range(1 << lut_k)], was
            ctx.set(dut.i, step)
            await ctx.tick()

    simulate(dut, check)


@pytest.mark.parametrize("form", [FP16, FP32])
def test_float_sums_of_unsigned_weights(form: FloatFormat) -> None:
    unit = FloatFullLookupUnit(form, lut_k=3, max_planes=3)
    rng = random.Random(1)
    segments: list[list[Step]] = []
    want = []
    for length in (1, 6):
        steps: list[Step] = []
        total: Any = SIZES[form](0)
        for _ in range(length):
            table = [int(np.float16(rng.gauss(0, 1)).view(np.uint16)) for _ in range(8)]
            slices = [rng.randrange(8) for _ in range(3)]
            for plane, index in enumerate(slices):
                total = rounded_add(total, float(half(table[index])) * 2.0**plane, form)
            steps.append((table, slices))
        segments.append(steps)
        want.append(int((total + SIZES[form](0)).view(WORDS[form])))
    assert run_segments(unit, segments) == want
