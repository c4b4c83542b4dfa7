"""models/lut/tables.py against sums with every choice of signs, in integers and exact fractions."""

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.arch.number_formats import FP16
from dovetail.errors import ConfigError, ShapeError
from dovetail.models.floating import to_float
from dovetail.models.lut.tables import (
    fp16_tables,
    integer_tables,
    quantize_fp16_tables,
    quantize_integer_tables,
    table_entry_bits,
)
from dovetail.tests.models.exact_rounding import nearest, value_of

LUT_K = range(2, 9)


def choices(lut_k: int) -> list[tuple[int, ...]]:
    """Signs of a step in the order of a whole index: its first k is the lowest bit."""
    return [signs[::-1] for signs in product((-1, 1), repeat=lut_k)]


@pytest.mark.parametrize("lut_k", LUT_K)
@pytest.mark.parametrize("k", [1, 7, 8, 9, 16, 17])
def test_half_a_table_gives_every_signed_sum(lut_k: int, k: int) -> None:
    """Equations 4 and 5: where the last sign is plus, minus the entry of the inverted index."""
    a = np.random.default_rng(k).integers(-128, 128, (2, k)).astype(np.int8)
    tables = integer_tables(a, lut_k)
    half = 1 << lut_k - 1
    assert tables.shape == (2, -(-k // lut_k), half)
    for m, (row, steps) in enumerate(zip(a.tolist(), tables, strict=True)):
        for step, table in enumerate(steps):
            part = row[step * lut_k : (step + 1) * lut_k]
            part += [0] * (lut_k - len(part))
            for index, signs in enumerate(choices(lut_k)):
                want = sum(s * x for s, x in zip(signs, part, strict=True))
                got = table[index] if index < half else -table[~index & half - 1]
                assert got == want, (m, step, index)


def test_the_worked_example_of_the_paper() -> None:
    """Bits 0, 1, 0, 0 over A, B, C, D give -A + B - C - D."""
    a, b, c, d = 3, 50, -7, 100
    (table,) = integer_tables(np.array([[a, b, c, d]], np.int8), 4)[0]
    index = 0 | 1 << 1 | 0 << 2 | 0 << 3
    assert table[index] == -a + b - c - d


@pytest.mark.parametrize("activation_bits", [8, 16])
@pytest.mark.parametrize("lut_k", LUT_K)
def test_entries_are_as_wide_as_the_largest_sums_need(activation_bits: int, lut_k: int) -> None:
    most = 1 << activation_bits - 1
    a = np.array(list(product((-most, most - 1), repeat=lut_k)))
    tables = integer_tables(a, lut_k)
    bits = table_entry_bits(activation_bits, lut_k)
    assert max(tables.max(), -tables.min()) == lut_k * most
    assert tables.max() <= (1 << bits - 1) - 1 and tables.min() >= -(1 << bits - 1)
    assert tables.max() > (1 << bits - 2) - 1


def test_exact_int8_entries_of_four_take_11_bits() -> None:
    assert table_entry_bits(8, 4) == 11


def numbers(lut_k: int, seed: int) -> Any:
    """FP16 numbers whose sums round, overflow and are subnormal."""
    rng = np.random.default_rng(seed)
    scale = 2.0 ** rng.integers(-24, 17, (3, 1))
    drawn = rng.standard_normal((3, 2 * lut_k - 1)) * scale
    return np.clip(drawn, -65504, 65504).astype(np.float16)


@pytest.mark.parametrize("lut_k", LUT_K)
@pytest.mark.parametrize("seed", range(3))
def test_an_fp16_entry_is_rounded_once_an_addition(lut_k: int, seed: int) -> None:
    a = numbers(lut_k, seed)
    got = fp16_tables(a.astype(np.float64), lut_k)
    for m, row in enumerate(a):
        for step in range(2):
            part = [Fraction(float(x)) for x in row[step * lut_k : (step + 1) * lut_k]]
            part += [Fraction(0)] * (lut_k - len(part))
            for index, signs in enumerate(choices(lut_k)[: 1 << lut_k - 1]):
                bits = nearest(signs[0] * part[0], FP16)
                for sign, x in zip(signs[1:], part[1:], strict=True):
                    number = value_of(bits, FP16)
                    if number is not None:  # an infinity stays
                        bits = nearest(number + sign * x, FP16)
                assert to_float(got[m, step, index], FP16) == to_float(bits, FP16)


def pair_sum(values: list[Fraction]) -> Fraction | None:
    """Neighbours in pairs, again and again, an odd one out waits; None where a sum overflows."""
    while len(values) > 1:
        sums = []
        for j in range(0, len(values) - 1, 2):
            number = value_of(nearest(values[j] + values[j + 1], FP16), FP16)
            if number is None:
                return None
            sums.append(number)
        values = sums + values[2 * len(sums) :]
    return values[0]


@pytest.mark.parametrize("lut_k", LUT_K)
def test_pairs_are_rounded_as_pairs(lut_k: int) -> None:
    differ = 0
    for seed in range(4):
        a = np.clip(numbers(lut_k, seed), -1000, 1000)  # no overflow
        got = fp16_tables(a.astype(np.float64), lut_k, "pairs")
        differ += int((got != fp16_tables(a.astype(np.float64), lut_k)).sum())
        for m, row in enumerate(a):
            part = [Fraction(float(x)) for x in row[:lut_k]]
            for index, signs in enumerate(choices(lut_k)[: 1 << lut_k - 1]):
                want = pair_sum([s * x for s, x in zip(signs, part, strict=True)])
                assert value_of(int(got[m, 0, index]), FP16) == want
    assert (differ > 0) == (lut_k > 3)  # up to three, pairs and one after the other are the same


def test_what_is_no_number_in_fp16() -> None:
    inf, nan = np.inf, np.nan
    bits = fp16_tables(np.array([[inf, 1.0], [inf, inf], [nan, 1.0], [0.0, 0.0]]), 2)[:, 0]
    assert bits.tolist() == [
        [0xFC00, 0x7C00],
        [0xFC00, 0x7E00],  # -inf - inf, and +inf - inf
        [0x7E00, 0x7E00],
        [0x8000, 0x0000],  # -0 - 0 is -0
    ]


def quantised(value: Fraction, exponent: int) -> int:
    return round(value / Fraction(2) ** exponent)  # half to even


@given(st.integers(0, 1 << 32), st.integers(2, 8), st.sampled_from([1, 8, 127, 32767]))
def test_integer_tables_take_the_smallest_power_of_two(seed: int, lut_k: int, most: int) -> None:
    a = np.random.default_rng(seed).integers(-most, most, (2, 2 * lut_k), endpoint=True)
    tables = integer_tables(a, lut_k)
    got = quantize_integer_tables(tables)
    assert got.finite.all()
    for m, step in np.ndindex(got.exponent.shape):
        table = [Fraction(int(x)) for x in tables[m, step]]
        exponent = 0
        while max(abs(quantised(x, exponent)) for x in table) > 127:
            exponent += 1
        assert got.exponent[m, step] == exponent
        assert got.entries[m, step].tolist() == [quantised(x, exponent) for x in table]


@pytest.mark.parametrize("lut_k", [2, 4, 8])
def test_fp16_tables_take_the_smallest_power_of_two(lut_k: int) -> None:
    for seed in range(12):
        tables = fp16_tables(numbers(lut_k, seed).astype(np.float64), lut_k)
        got = quantize_fp16_tables(tables)
        for m, step in np.ndindex(got.exponent.shape):
            table = [value_of(int(bits), FP16) for bits in tables[m, step]]
            exact = [x for x in table if x is not None]
            assert got.finite[m, step] == (len(exact) == len(table))
            if not got.finite[m, step]:
                assert np.isnan(got.scale[m, step]) and not got.entries[m, step].any()
                continue
            exponent = -24
            while max(abs(quantised(x, exponent)) for x in exact) > 127:
                exponent += 1
            assert got.exponent[m, step] == exponent <= 10
            assert got.scale[m, step] == 2.0**exponent
            assert got.entries[m, step].tolist() == [quantised(x, exponent) for x in exact]


def test_the_edges_of_the_scale() -> None:
    """127.5 rounds to the even 128, which does not fit; tables of zeros have the least exponent."""
    got = quantize_integer_tables(np.array([[[127, -127], [254, 1], [255, 2], [0, 0]]]))
    assert got.exponent.tolist() == [[0, 1, 2, 0]]
    assert got.entries.tolist() == [[[127, -127], [127, 0], [64, 0], [0, 0]]]
    top = np.array([[[65504.0, 0.0], [0.0, 0.0], [2.0**-24, 0.0]]]).astype(np.float16)
    assert quantize_fp16_tables(top.view(np.uint16)).exponent.tolist() == [[10, -24, -24]]


def test_bad_input() -> None:
    with pytest.raises(ShapeError, match=r"activations have shape \(4,\); they must be \(m, k\)"):
        integer_tables(np.zeros(4, np.int8), 4)
    for lut_k in (0, 1, 9):
        with pytest.raises(ConfigError, match=f"lut_k={lut_k} must be a whole number from 2 to 8"):
            integer_tables(np.zeros((1, 4), np.int8), lut_k)
        with pytest.raises(ConfigError, match=f"lut_k={lut_k} must be a whole number from 2 to 8"):
            table_entry_bits(8, lut_k)
