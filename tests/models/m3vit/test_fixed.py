"""models/m3vit/fixed.py against Python's own integers and fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.arch.m3vit.formats import BIAS, FEATURE, PIXEL, SOFTMAX_SUM, WEIGHT
from dovetail.errors import ShapeError
from dovetail.models.m3vit.fixed import product, to_fixed, to_float, wrap


@given(st.integers(-(2**62), 2**62), st.sampled_from([FEATURE, WEIGHT, PIXEL, SOFTMAX_SUM]))
def test_wrapping_keeps_the_low_bits(value: int, form: object) -> None:
    got = int(wrap(np.array([value]), form)[0])  # type: ignore[arg-type]
    assert form.least <= got <= form.most  # type: ignore[attr-defined]
    assert (got - value) % 2**form.bits == 0  # type: ignore[attr-defined]


@given(st.floats(-15.9, 15.9))
def test_conversion_truncates_towards_minus_infinity(value: float) -> None:
    want = math.floor(Fraction(value) * 2**11)
    got = to_fixed([value], BIAS)
    assert got.tolist() == [want]
    assert Fraction(to_float(got, BIAS)[0]) == Fraction(want, 2**11)


@settings(max_examples=40)
@given(st.data(), st.sampled_from([8, 16, 32, 33]), st.sampled_from([8, 16, 32]))
def test_a_product_is_exact_modulo_64_bits(data: st.DataObject, left: int, right: int) -> None:
    m, k, n = (data.draw(st.integers(1, 5)) for _ in range(3))
    a = [
        [data.draw(st.integers(-(2 ** (left - 1)), 2 ** (left - 1) - 1)) for _ in range(k)]
        for _ in range(m)
    ]
    b = [
        [data.draw(st.integers(-(2 ** (right - 1)), 2 ** (right - 1) - 1)) for _ in range(n)]
        for _ in range(k)
    ]
    got = product(np.array(a, np.int64), np.array(b, np.int64))
    for i in range(m):
        for j in range(n):
            exact = sum(a[i][r] * b[r][j] for r in range(k))
            assert (int(got[i, j]) - exact) % 2**64 == 0


def test_a_long_product_of_extremes_is_exact() -> None:
    a = np.full((1, 4096), -(2**31), np.int64)
    b = np.full((4096, 1), -(2**15), np.int64)
    assert product(a, b).item() == 4096 * 2**46


def test_refuses_a_product_that_float64_cannot_hold() -> None:
    length = (1 << 20) + 1
    with pytest.raises(ShapeError, match=r"^k=1048577 must be at most 1048576; split the product$"):
        product(np.zeros((1, length), np.int64), np.zeros((length, 1), np.int64))
