"""models/mpgemm_floating.py against loops over exact fractions, rounded once an addition."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from dovetail.arch.number_formats import FP16, FP32, FloatFormat
from dovetail.models.mpgemm import GemmOperands
from dovetail.models.mpgemm_floating import (
    accumulate_after_group,
    accumulate_before_loop,
    dequantize_to_fp16,
    mpgemm_after_group,
)

M, N, K, GROUP = 3, 4, 21, 8
DTYPES: dict[FloatFormat, Any] = {FP16: np.float16, FP32: np.float32}


def nearest(value: Fraction, dtype: Any) -> Fraction:
    """Half to even, by looking at the neighbours of a first guess."""
    word = {np.float16: np.uint16, np.float32: np.uint32}[dtype]
    guess = dtype(float(value))
    near = [np.nextafter(guess, dtype(-np.inf)), guess, np.nextafter(guess, dtype(np.inf))]
    best = min(near, key=lambda x: (abs(Fraction(float(x)) - value), int(x.view(word)) & 1))
    return Fraction(float(best))


def operands(weight_format: str, seed: int = 0) -> GemmOperands:
    rng = np.random.default_rng(seed)
    a = (rng.standard_normal((M, K)) * 2.0 ** rng.integers(-8, 4, (M, K))).astype(np.float16)
    groups = -(-K // GROUP)
    scale = zero = None
    weights: Any
    if weight_format == "fp16":
        weights = rng.standard_normal((N, K)).astype(np.float16).view(np.uint16)
    elif weight_format == "int8":
        weights = rng.integers(-128, 128, (N, K)).astype(np.int8)
    else:
        weights = rng.integers(0, 16, (N, K)).astype(np.int8)
        scale, zero = rng.integers(0, 4096, (N, groups)), rng.integers(0, 16, (N, groups))
    return GemmOperands(
        activations=a.view(np.uint16), weights=weights, scale=scale, zero=zero, group=GROUP
    )


def segments() -> list[range]:
    return [range(start, min(K, start + GROUP)) for start in range(0, K, GROUP)]


@pytest.mark.parametrize("form", [FP16, FP32])
@pytest.mark.parametrize("weight_format", ["uint4_zero", "int8"])
def test_after_the_group(weight_format: str, form: FloatFormat) -> None:
    given = operands(weight_format)
    dtype = DTYPES[form]
    a = given.activations.view(np.float16).astype(float)
    got = accumulate_after_group(given, form).view(np.float32)
    for m in range(M):
        for n in range(N):
            total = Fraction(0)
            for g, ks in enumerate(segments()):
                passes: list[tuple[list[int], int]]
                if given.scale is None or given.zero is None:
                    bytes_ = [int(given.weights[n, k]) % 256 for k in ks]
                    high = [(b >> 4) - 16 if b > 127 else b >> 4 for b in bytes_]
                    passes = [(high, 16), ([b & 15 for b in bytes_], 1)]
                else:
                    passes = [([int(given.weights[n, k]) for k in ks], int(given.scale[n, g]))]
                for codes, scale in passes:
                    p = s = Fraction(0)
                    for k, code in zip(ks, codes, strict=True):
                        p = nearest(p + Fraction(a[m, k]) * code, dtype)
                        s = nearest(s + Fraction(a[m, k]), dtype)
                    if given.zero is not None and given.zero[n, g]:
                        p = nearest(p - s * int(given.zero[n, g]), dtype)
                    total = nearest(total + p * scale, np.float32)
            assert Fraction(float(got[m, n])) == total


@pytest.mark.parametrize("form", [FP16, FP32])
@pytest.mark.parametrize("weight_format", ["uint4_zero", "int8", "fp16"])
def test_before_the_loop(weight_format: str, form: FloatFormat) -> None:
    given = operands(weight_format)
    dtype = DTYPES[form]
    a = given.activations.view(np.float16).astype(float)
    got = accumulate_before_loop(given, form, weight_shift=11).view(np.float32)
    for m in range(M):
        for n in range(N):
            total = Fraction(0)
            for g, ks in enumerate(segments()):
                p = Fraction(0)
                for k in ks:
                    if given.weights.dtype == np.uint16:
                        w = Fraction(float(given.weights[n, k].view(np.float16)))
                    elif given.scale is None or given.zero is None:
                        w = Fraction(int(given.weights[n, k]))
                    else:
                        code = int(given.weights[n, k]) - int(given.zero[n, g])
                        w = nearest(Fraction(code * int(given.scale[n, g]), 2**11), np.float16)
                    p = nearest(p + Fraction(a[m, k]) * w, dtype)
                total = nearest(total + p, np.float32)
            assert Fraction(float(got[m, n])) == total


def test_every_scaled_weight_fits_fp16() -> None:
    codes = np.arange(16, dtype=np.int8)
    for zero in (0, 15):
        given = GemmOperands(
            activations=np.zeros((1, 16), np.uint16),
            weights=codes[None, :],
            scale=np.array([[4095]]),
            zero=np.array([[zero]]),
            group=16,
        )
        bits = dequantize_to_fp16(given, weight_shift=0)
        want = ((codes.astype(float) - zero) * 4095).astype(np.float16)
        np.testing.assert_array_equal(bits[0], want.view(np.uint16))


def test_infinity_meets_no_zero_point() -> None:
    """Without one an infinite activation gives infinity; with one, infinity less infinity."""
    given = operands("uint4_zero")
    a = given.activations.copy()
    a[0, 0] = FP16.infinity
    weights = np.maximum(given.weights, 1).astype(np.int8)
    assert given.zero is not None and given.scale is not None
    for zero, want in ((0, FP16.infinity), (3, FP16.nan)):
        changed = GemmOperands(
            activations=a,
            weights=weights,
            scale=np.maximum(given.scale, 1),
            zero=np.full_like(given.zero, zero),
            group=GROUP,
        )
        assert (mpgemm_after_group(changed, FP32, output_shift=0)[0] == want).all()
