"""rtl/lut/float_lookup.py against exact fractions, rounded once an addition."""

from __future__ import annotations

import random
import warnings
from typing import Any

import numpy as np
import pytest

from dovetail.arch.number_formats import FP16, FP32, FloatFormat
from dovetail.rtl.lut.float_lookup import FloatLookupUnit
from dovetail.tests.rtl.dot.drive import Step, run_segments
from dovetail.tests.rtl.lut import tables

SIZES: dict[FloatFormat, Any] = {FP16: np.float16, FP32: np.float32}
WORDS: dict[FloatFormat, Any] = {FP16: np.uint16, FP32: np.uint32}
SPECIAL = [0, 0x8000, 1, 0x8001, 2, 0x03FF, 0x0400, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E01]


def rounded_add(total: Any, addend: float, form: FloatFormat) -> Any:
    """Rounded once: all addends and sums here are multiples of 2^-24 below 2^29, as are float64."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return SIZES[form](np.float64(total) + addend)


def check(unit: FloatLookupUnit, form: FloatFormat, lut_k: int, planes: int, draw: Any) -> None:
    rng = random.Random(planes)
    segments: list[list[Step]] = []
    want = []
    for length in (1, 3, 8):
        total = SIZES[form](0)
        steps: list[Step] = []
        for _ in range(length):
            table = [draw(rng) for _ in range(1 << (lut_k - 1))]
            slices = [rng.randrange(1 << lut_k) for _ in range(planes)]
            for plane, bits in enumerate(slices):
                low, sign = bits % (1 << (lut_k - 1)), bits >> (lut_k - 1)
                entry = float(np.uint16(table[low]).view(np.float16))
                total = rounded_add(total, (-entry if sign else entry) * 2.0**plane, form)
            steps.append((table, slices))
        segments.append(steps)
        want.append(total)
    nan = {FP16: FP16.nan, FP32: FP32.nan}[form]
    patterns = [nan if np.isnan(t) else int((t + SIZES[form](0)).view(WORDS[form])) for t in want]
    assert run_segments(unit, segments) == patterns


@pytest.mark.parametrize("form", [FP16, FP32])
@pytest.mark.parametrize(("lut_k", "planes"), [(2, 1), (4, 2), (3, 8), (5, 4)])
@pytest.mark.parametrize("product_cycles", [0, 1])
def test_sums_of_numbers_of_similar_size(
    form: FloatFormat, lut_k: int, planes: int, product_cycles: int
) -> None:
    unit = FloatLookupUnit(form, lut_k=lut_k, max_planes=planes, product_cycles=product_cycles)

    def draw(rng: random.Random) -> int:
        return int(np.float16(rng.gauss(0, 1) * 2.0 ** rng.randint(-6, 3)).view(np.uint16))

    check(unit, form, lut_k, planes, draw)


@pytest.mark.parametrize("form", [FP16, FP32])
def test_zeros_subnormals_and_overflows_are_doubled_like_all_others(form: FloatFormat) -> None:
    for at in range(0, len(SPECIAL), 3):
        unit = FloatLookupUnit(form, lut_k=2, max_planes=8)
        some = [SPECIAL[at], SPECIAL[at - 1], SPECIAL[at - 2]]
        check(unit, form, 2, 8, lambda rng, some=some: rng.choice(some))


def test_planes_of_a_subnormal_entry_one_at_a_time() -> None:
    """What goes wrong where a plane is added to a packed exponent: 0 and 2^-24 become large."""
    unit = FloatLookupUnit(FP32, lut_k=2, max_planes=8)
    # Of the planes below the highest, T[0] = 0.
    segments = [[([0, 1], [0] * plane + [1])] for plane in range(8)]
    got = np.array(run_segments(unit, segments), dtype=np.uint32).view(np.float32)
    assert got.tolist() == [2.0 ** (plane - 24) for plane in range(8)]


def test_bits_that_are_not_inverted_yet() -> None:
    unit = FloatLookupUnit(FP32, lut_k=3, max_planes=1, inverted=False)
    table = [int(np.float16(value).view(np.uint16)) for value in (1, 2, 4, 8)]
    got = run_segments(unit, [[(table, [bits])] for bits in range(8)])
    want = [(-1.0 if bits >> 2 else 1.0) * (1 << tables.inverted(3, bits) % 4) for bits in range(8)]
    assert np.array(got, dtype=np.uint32).view(np.float32).tolist() == want
