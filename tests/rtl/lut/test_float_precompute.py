"""rtl/lut/float_precompute.py against NumPy's half precision, one addition after the other."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from dovetail.rtl.floating.fp8 import Fp8ToFp16
from dovetail.rtl.lut.float_precompute import FloatPrecompute
from dovetail.tests.rtl.simulation import simulate


def half(bits: int) -> np.float16:
    return np.uint16(bits).view(np.float16)


def pattern(value: np.float16) -> int:
    """Bits of a number; one pattern for every NaN, one for both zeros."""
    if np.isnan(value):
        return 0x7E00
    return int(value.view(np.uint16)) if value else 0


def table(activations: list[np.float16]) -> list[int]:
    values = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for index in range(1 << (len(activations) - 1)):
            total = np.float16(-0.0)
            for k, a in enumerate(activations):
                added = k < len(activations) - 1 and index >> k & 1
                total = np.float16(total + (a if added else -a))
            values.append(pattern(total))
    return values


def fp8(code: int) -> float:
    """E4M3 by its definition."""
    field, fraction = code >> 3 & 15, code & 7
    if code & 127 == 127:
        return float("nan")
    magnitude = (1 + fraction / 8) * 2.0 ** (field - 7) if field else fraction / 8 * 2.0**-6
    return -magnitude if code & 128 else magnitude


def test_every_fp8_number() -> None:
    dut = Fp8ToFp16()

    async def check(ctx: Any) -> None:
        for code in range(256):
            ctx.set(dut.i, code)
            value = np.float16(fp8(code))
            want = 0x7E00 if np.isnan(value) else int(value.view(np.uint16))
            assert ctx.get(dut.o) == want, code

    simulate(dut, check)


@pytest.mark.parametrize(("lut_k", "activation_bits"), [(2, 16), (4, 16), (3, 8)])
def test_every_entry_comes_after_one_cycle_an_addition(lut_k: int, activation_bits: int) -> None:
    dut = FloatPrecompute(lut_k=lut_k, activation_bits=activation_bits)
    rng = np.random.default_rng(lut_k)
    special = [0, 0x8000, 1, 0x8001, 0x03FF, 0x0400, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E01]
    steps: list[list[int]] = []
    for number in range(36):
        if activation_bits == 8:
            codes = rng.integers(0, 256, lut_k)
        elif number % 3 == 0:
            codes = rng.choice(special, lut_k)
        elif number % 3 == 1:
            codes = rng.integers(0, 1 << 16, lut_k)
        else:  # of similar size, so that sums cancel and round
            values = rng.standard_normal(lut_k).astype(np.float16)
            codes = values.view(np.uint16).astype(int)
        steps.append([int(code) for code in codes])

    async def check(ctx: Any) -> None:
        for now, step in enumerate([*steps, *[[0] * lut_k] * dut.cycles]):
            if now >= dut.cycles:
                was = steps[now - dut.cycles]
                numbers = [np.float16(fp8(c)) if activation_bits == 8 else half(c) for c in was]
                got = [pattern(half(ctx.get(dut.o[i]))) for i in range(1 << (lut_k - 1))]
                assert got == table(numbers), was
            ctx.set(dut.i, step)
            await ctx.tick()

    simulate(dut, check)
    assert dut.cycles == lut_k - 1
