"""models/deform/requantise.py."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.errors import ShapeError
from dovetail.models.deform.requantise import requantise

SUMS = st.integers(-(1 << 23), (1 << 23) - 1)
WORDS = st.integers(-(1 << 15), (1 << 15) - 1)


def one(total: int, scale: int, bias: int, *, relu: bool = False) -> int:
    out = requantise(
        np.array([total], dtype=np.int64),
        np.array([scale], dtype=np.int16),
        np.array([bias], dtype=np.int16),
        relu=relu,
    )
    assert out.dtype == np.int8
    return int(out[0])


@given(total=SUMS, scale=WORDS, bias=WORDS, relu=st.booleans())
def test_it_is_exact_arithmetic_rounded_half_up(
    total: int, scale: int, bias: int, relu: bool
) -> None:
    q = floor(Fraction(total * scale, 1 << 16) + Fraction(1, 2)) + bias
    if relu:
        q = max(q, 0)
    assert one(total, scale, bias, relu=relu) == min(127, max(-128, q - 128))


@pytest.mark.parametrize(("total", "stored"), [(1, -127), (-1, -128), (3, -126), (-3, -128)])
def test_halves_go_up(total: int, stored: int) -> None:
    """A scale of half: 0.5 gives 1, 1.5 gives 2, -0.5 gives 0 and -1.5 gives -1, clamped."""
    assert one(total, 1 << 14, 0) == one(2 * total, 1 << 13, 0)
    assert one(2 * total, 1 << 14, 0) == stored


def test_sums_beyond_the_accumulator_are_refused() -> None:
    with pytest.raises(
        ShapeError,
        match="^a sum lies outside the 24 bits of an accumulator; sum fewer channels$",
    ):
        one(1 << 23, 1, 0)


def test_scales_of_another_type_or_shape_are_refused() -> None:
    sums, words = np.zeros((2, 3), dtype=np.int64), np.zeros(3, dtype=np.int16)
    with pytest.raises(
        ShapeError,
        match="^scale is int64 and bias int16; both must be int16, so convert them$",
    ):
        requantise(sums, words.astype(np.int64), words)  # type: ignore[arg-type]
    with pytest.raises(
        ShapeError,
        match=r"^scale has shape \(2,\) and bias \(3,\); both must be \(3,\), one value for each "
        r"channel$",
    ):
        requantise(sums, words[:2], words)
