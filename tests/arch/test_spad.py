"""arch/spad.py."""

from __future__ import annotations

import pytest

from dovetail.arch.spad import SpadShape, is_power_of_two, power_of_two


@pytest.mark.parametrize("value", range(1, 70))
def test_powers_of_two(value: int) -> None:
    powers = [1 << exponent for exponent in range(8)]
    assert power_of_two(value) == min(power for power in powers if power >= value)
    assert is_power_of_two(value) == (value in powers)


def test_zero_is_no_power_of_two() -> None:
    assert not is_power_of_two(0)
    assert not is_power_of_two(-4)


@pytest.mark.parametrize("slices_per_row", [1, 2, 8])
def test_rows_that_slices_touch(slices_per_row: int) -> None:
    spad = SpadShape(
        slice_bits=8, word_bits=8, row_bits=8 * slices_per_row, half_rows=4, beat_bits=8
    )
    for first in range(20):
        for count in range(20):
            touched = {index // slices_per_row for index in range(first, first + count)}
            assert spad.rows(first, count) == len(touched)
