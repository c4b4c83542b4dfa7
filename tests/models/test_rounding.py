"""models/rounding.py."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.errors import ConfigError, ShapeError
from dovetail.models.rounding import round_half_even_shift

INT64 = np.iinfo(np.int64)


@given(st.lists(st.integers(int(INT64.min), int(INT64.max)), min_size=1), st.integers(0, 62))
def test_rounds_as_python_rounds_the_exact_fraction(values: list[int], shift: int) -> None:
    got = round_half_even_shift(np.array(values, dtype=np.int64), shift)
    assert got.tolist() == [round(Fraction(value, 2**shift)) for value in values]


@given(st.integers(-(2**20), 2**20), st.integers(1, 40), st.integers(-1, 1))
def test_rounds_ties_to_even_and_their_neighbours_to_nearest(
    quotient: int, shift: int, offset: int
) -> None:
    value = quotient * 2**shift + 2 ** (shift - 1) + offset
    got = round_half_even_shift(np.array([value], dtype=np.int64), shift)
    assert got.tolist() == [round(Fraction(value, 2**shift))]


@pytest.mark.parametrize("shift", [0, 1, 61, 62])
def test_the_ends_of_int64_do_not_wrap(shift: int) -> None:
    values = [int(INT64.min), int(INT64.min) + 1, -1, 0, 1, int(INT64.max) - 1, int(INT64.max)]
    got = round_half_even_shift(np.array(values, dtype=np.int64), shift)
    assert got.tolist() == [round(Fraction(value, 2**shift)) for value in values]


def test_keeps_the_shape_and_does_not_alias_its_input() -> None:
    value = np.arange(6, dtype=np.int64).reshape(2, 3)
    got = round_half_even_shift(value, 0)
    got[0, 0] = 99
    assert got.shape == (2, 3)
    assert value[0, 0] == 0


@pytest.mark.parametrize("shift", [-1, 63])
def test_refuses_a_shift_outside_the_range(shift: int) -> None:
    with pytest.raises(ConfigError, match=rf"^shift={shift} must be from 0 to 62; change shift$"):
        round_half_even_shift(np.zeros(1, dtype=np.int64), shift)


def test_refuses_another_dtype() -> None:
    message = r"^value is int32; it must be int64, so convert it first$"
    with pytest.raises(ShapeError, match=message):
        round_half_even_shift(np.zeros(1, dtype=np.int32), 1)
