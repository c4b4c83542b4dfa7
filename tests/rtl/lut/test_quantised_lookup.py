"""rtl/lut/quantised_lookup.py against integers, and against sums rounded once a table."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from dovetail.arch.number_formats import FP16, FP32, FloatFormat
from dovetail.rtl.lut.quantised_lookup import QuantisedFloatLookupUnit, QuantisedLookupUnit
from dovetail.rtl.lut.table import FLOAT_EXPONENTS, ORIGIN, highest_exponent
from dovetail.tests.rtl.dot.drive import Step, run_segments
from dovetail.tests.rtl.lut import tables
from dovetail.tests.rtl.lut.test_float_lookup import SIZES, WORDS, rounded_add


def planes_of(table: list[int], slices: list[int], lut_k: int) -> int:
    """Sum of a table's signed entries times the powers of two of their planes."""
    half = 1 << (lut_k - 1)
    return sum((-1 if s & half else 1) * table[s % half] << p for p, s in enumerate(slices))


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize(
    ("lut_k", "planes", "activation_bits"), [(2, 1, 8), (4, 2, 8), (4, 8, 16), (8, 3, 8)]
)
def test_integer_sums(lut_k: int, planes: int, activation_bits: int, inverted: bool) -> None:
    highest = highest_exponent(lut_k << (activation_bits - 1))
    unit = QuantisedLookupUnit(
        lut_k=lut_k,
        activation_bits=activation_bits,
        sum_bits=8 + planes + highest + 3,
        max_planes=planes,
        inverted=inverted,
    )
    rng = random.Random(planes)
    segments: list[list[Step]] = []
    want = []
    for length in (1, 5, 2):
        steps: list[Step] = []
        total = 0
        for _ in range(length):
            table = [rng.choice([-127, 127, rng.randint(-127, 127)]) for _ in range(1 << lut_k - 1)]
            exponent = rng.choice([0, highest, rng.randint(0, highest)])
            bits = [rng.randrange(1 << lut_k) for _ in range(planes)]
            stored = [tables.inverted(lut_k, s) for s in bits]
            total += planes_of(table, stored, lut_k) << exponent
            operand = {"entries": table, "exponent": exponent}
            steps.append((operand, stored if inverted else bits))
        segments.append(steps)
        want.append(total)
    assert run_segments(unit, segments) == want


@pytest.mark.parametrize("form", [FP16, FP32])
@pytest.mark.parametrize(("lut_k", "planes"), [(2, 1), (4, 2), (3, 8)])
@pytest.mark.parametrize("near", [False, True])
def test_one_rounding_a_table(form: FloatFormat, lut_k: int, planes: int, near: bool) -> None:
    unit = QuantisedFloatLookupUnit(form, lut_k=lut_k, max_planes=planes)
    rng = random.Random(planes)
    segments: list[list[Step]] = []
    want = []
    for length in (1, 2, 6, 12):
        steps: list[Step] = []
        total: Any = SIZES[form](0)
        for _ in range(length):
            largest = rng.choice([0, 1, 127])
            table = [rng.randint(-largest, largest) for _ in range(1 << (lut_k - 1))]
            exponent = rng.randrange(12, 20) if near else rng.randrange(FLOAT_EXPONENTS)
            bits = [rng.randrange(1 << lut_k) for _ in range(planes)]
            value = planes_of(table, bits, lut_k)
            total = rounded_add(total, value * 2.0 ** (ORIGIN + exponent), form)
            steps.append(({"entries": table, "exponent": exponent, "nan": 0}, bits))
        segments.append(steps)
        want.append(int((total + SIZES[form](0)).view(WORDS[form])))
    assert run_segments(unit, segments) == want


def test_an_entry_that_is_no_number_makes_the_sum_nan() -> None:
    unit = QuantisedFloatLookupUnit(FP32, lut_k=2, max_planes=1)
    good = ({"entries": [1, 2], "exponent": -ORIGIN, "nan": 0}, [1])
    bad = ({"entries": [1, 2], "exponent": 0, "nan": 1}, [1])
    got = run_segments(unit, [[good, bad, good], [good]])
    assert got == [FP32.nan, int(np.float32(2).view(np.uint32))]
