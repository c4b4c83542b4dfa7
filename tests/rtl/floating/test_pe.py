"""Floating-point PEs against sums in exact fractions, rounded once an addition by NumPy."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from dovetail.arch.number_formats import FP16, FP32, FloatFormat
from dovetail.rtl.floating.dequant_pe import DequantFloatPe
from dovetail.rtl.floating.pe import FloatGroupSumPe, FloatingPe, Fp16Pe
from dovetail.rtl.mixpe.pe_w4a16 import MixpeFloatPe
from dovetail.tests.rtl.simulation import simulate

SIZES = {FP16: np.float16, FP32: np.float32}


def rounded(value: Fraction, form: FloatFormat) -> Any:
    """The nearest number of the format, ties to even; the values here never overflow."""
    dtype = SIZES[form]
    near = dtype(float(value))
    around = [np.nextafter(near, dtype(-np.inf)), near, np.nextafter(near, dtype(np.inf))]
    word = {FP16: np.uint16, FP32: np.uint32}[form]
    return min(around, key=lambda x: (abs(Fraction(float(x)) - value), int(x.view(word)) & 1))


def check(
    pe: FloatingPe, form: FloatFormat, draw: Callable[[np.random.Generator], tuple[int, int, Any]]
) -> None:
    """Segments of random length; ``draw`` gives weight bits, signed, and the weight's value."""
    rng = np.random.default_rng(form.bits)

    async def bench(ctx: Any) -> None:
        if pe.shifts_weight:
            ctx.set(pe.weight_shift, 9)
        for length in (1, 2, 7, 16, 33):
            total = SIZES[form](0)
            for k in range(length):
                a = np.float16(rng.standard_normal() * 2.0 ** int(rng.integers(-12, 4)))
                bits, signed, weight = draw(rng)
                ctx.set(pe.a_i, int(a.view(np.uint16)))
                if pe.weight_bits:
                    ctx.set(pe.w_i, bits)
                control = {"valid": 1, "first": k == 0, "last": k == length - 1, "signed": signed}
                ctx.set(pe.control_i, control)
                await ctx.tick()
                exact = Fraction(float(total)) + Fraction(float(a)) * Fraction(weight)
                total = rounded(exact, form)
            ctx.set(pe.control_i, {"valid": 0, "first": 0, "last": 0, "signed": 0})
            for _ in range(pe.product_cycles):
                await ctx.tick()
            word = np.uint16 if form == FP16 else np.uint32
            # A sum that cancels is +0; NumPy's may be -0 only where every addend was.
            assert ctx.get(pe.sum_o) == int((total + SIZES[form](0)).view(word))

    simulate(pe, bench)


@pytest.mark.parametrize("form", [FP16, FP32])
def test_mixpe_w4a16(form: FloatFormat) -> None:
    def draw(rng: np.random.Generator) -> tuple[int, int, int]:
        bits, signed = int(rng.integers(16)), int(rng.integers(2))
        return bits, signed, bits - 16 if signed and bits > 7 else bits

    check(MixpeFloatPe(form), form, draw)


@pytest.mark.parametrize("form", [FP16, FP32])
def test_fp16(form: FloatFormat) -> None:
    def draw(rng: np.random.Generator) -> tuple[int, int, float]:
        weight = np.float16(rng.standard_normal())
        return int(weight.view(np.uint16)), 0, float(weight)

    check(Fp16Pe(form), form, draw)


@pytest.mark.parametrize("form", [FP16, FP32])
def test_dequantised_in_the_pe(form: FloatFormat) -> None:
    def draw(rng: np.random.Generator) -> tuple[int, int, float]:
        code, scale, zero = int(rng.integers(16)), int(rng.integers(4096)), int(rng.integers(16))
        lane = (scale | zero << 12) << 8
        if rng.random() < 0.2:  # INT8: neither scale nor shift
            byte = int(rng.integers(256))
            return byte | lane | 1 << 24, 0, byte - 256 if byte > 127 else byte
        # A multiple of 2^-9 below 2^7 and NumPy's rounding of it.
        return code | lane, 0, float(np.float16((code - zero) * scale / 2.0**9))

    check(DequantFloatPe(form), form, draw)


@pytest.mark.parametrize("form", [FP16, FP32])
def test_group_sum(form: FloatFormat) -> None:
    check(FloatGroupSumPe(form), form, lambda rng: (0, 0, 1))
