"""models/mpgemm_dot.py against loops over exact fractions, truncated and rounded as stated."""

from fractions import Fraction
from math import floor
from typing import Any

import numpy as np
import pytest

from dovetail.arch.number_formats import FP16, FP32, FloatFormat
from dovetail.errors import ShapeError
from dovetail.models.mpgemm import GemmOperands
from dovetail.models.mpgemm_dot import accumulate_dot, aligned_dots, mpgemm_dot
from dovetail.tests.models.exact_rounding import nearest, value_of

INF, NAN = FP16.infinity, FP16.nan


def exponent(bits: int) -> int:
    return max(bits >> 10 & 31, 1) - 15


def aligned(a: list[int], w: list[int]) -> Fraction:
    """One dot product: 22-bit significands, shifted right by the distance to the largest."""
    products = []
    for x, y in zip(a, w, strict=True):
        left, right = value_of(x, FP16), value_of(y, FP16)
        assert left is not None and right is not None
        products.append((left * right, exponent(x) + exponent(y)))
    counted = [e for p, e in products if p]
    if not counted:
        return Fraction(0)
    unit = Fraction(2) ** (max(counted) - 20 - 3)
    return sum(
        ((-1 if p < 0 else 1) * floor(abs(p) / unit) * unit for p, _ in products), Fraction(0)
    )


def fp16_bits(rng: np.random.Generator, shape: tuple[int, int], spread: int) -> Any:
    """Numbers whose exponents are up to ``spread`` apart, some subnormal, some zero."""
    values = rng.standard_normal(shape) * 2.0 ** rng.integers(-spread, 6, shape)
    values[rng.random(shape) < 0.1] = 0
    return values.astype(np.float16).view(np.uint16)


@pytest.mark.parametrize("lut_k", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("spread", [3, 20])
def test_products_are_aligned_truncated_and_summed(lut_k: int, spread: int) -> None:
    rng = np.random.default_rng([lut_k, spread])
    k = 4 * lut_k - 1 if lut_k > 1 else 4
    a, w = fp16_bits(rng, (1, k), spread), fp16_bits(rng, (40, k), spread)
    got = aligned_dots(a, w, lut_k)
    assert got.shape == (4, 40)
    for n in range(40):
        for step in range(4):
            part = slice(step * lut_k, (step + 1) * lut_k)
            want = aligned(a[0, part].tolist(), w[n, part].tolist())
            assert Fraction(float(got[step, n])) == want


def test_one_bit_below_the_guard_bits_is_lost() -> None:
    """The product 1 * 1 keeps 23 bits after the point; 2^-23 counts and 2^-24 does not."""
    one = 15 << 10
    a = np.array([[one, one]], np.uint16)
    w = np.array([[one, 1 << 1], [one, 1]], np.uint16)  # 2^-23 and 2^-24
    assert aligned_dots(a, w, 2)[0].tolist() == [1 + 2.0**-23, 1.0]
    # Truncated toward zero on the other side as well.
    w = np.array([[one | 0x8000, 1]], np.uint16)
    assert aligned_dots(a, w | np.array([0, 0x8000], np.uint16), 2)[0, 0] == -1.0


def test_infinities_and_nan_are_those_of_the_sum() -> None:
    one, minus = 15 << 10, 0xBC00
    w = np.array([[one] * 4, [minus] + [one] * 3, [0] + [one] * 3], np.uint16)
    rows = {
        (INF, one, one, one): [np.inf, -np.inf, np.nan],
        (INF, INF, one, one): [np.inf, np.nan, np.nan],
        (NAN, one, one, one): [np.nan] * 3,
        (one, 0, 0, one): [2.0, 0.0, 1.0],
    }
    for a, want in rows.items():
        got = aligned_dots(np.array([a], np.uint16), w, 4)[0]
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("form", [FP16, FP32])
@pytest.mark.parametrize("lut_k", [2, 4])
def test_a_group_adds_its_dot_products_in_order(form: FloatFormat, lut_k: int) -> None:
    rng = np.random.default_rng(lut_k)
    m, n, k, group = 2, 3, 4 * lut_k + 1, 2 * lut_k
    a, w = fp16_bits(rng, (m, k), 6), fp16_bits(rng, (n, k), 6)
    given = GemmOperands(activations=a, weights=w, scale=None, zero=None, group=group)
    got = accumulate_dot(given, form, lut_k=lut_k, weight_shift=0)
    for i in range(m):
        for j in range(n):
            total = Fraction(0)
            for start in range(0, k, group):
                segment = Fraction(0)
                for step in range(start, min(start + group, k), lut_k):
                    part = slice(step, min(step + lut_k, start + group))
                    dot = aligned(a[i, part].tolist(), w[j, part].tolist())
                    segment = value_of(nearest(segment + dot, form), form) or Fraction(0)
                total = value_of(nearest(total + segment, FP32), FP32) or Fraction(0)
            assert value_of(int(got[i, j]), FP32) == total


def test_quantised_weights_become_fp16_first() -> None:
    """(11 - 3) * 5 / 2^2 = 10, times 1.5."""
    given = GemmOperands(
        activations=np.array([[1.5]], np.float16).view(np.uint16),
        weights=np.array([[11]], np.int8),
        scale=np.array([[5]]),
        zero=np.array([[3]]),
        group=4,
    )
    out = mpgemm_dot(given, FP32, lut_k=4, output_shift=1, weight_shift=2)
    assert out.view(np.float16).tolist() == [[7.5]]


def test_bad_shapes() -> None:
    with pytest.raises(ShapeError, match=r"a has shape \(2, 4\) and w \(3, 4\); they must be"):
        aligned_dots(np.zeros((2, 4), np.uint16), np.zeros((3, 4), np.uint16), 4)
