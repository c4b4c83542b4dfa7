"""rtl/lut/conventional.py against sums of products with unsigned codes."""

import random

import pytest

from dovetail.rtl.lut.conventional import ConventionalUnit
from dovetail.tests.rtl.dot.drive import run_segments
from dovetail.tests.rtl.lut import tables


@pytest.mark.parametrize(("lut_k", "planes"), [(2, 1), (3, 8), (4, 2), (5, 3)])
def test_sums_of_segments_of_several_steps(lut_k: int, planes: int) -> None:
    steps = 3
    sum_bits = 8 + planes + (steps * lut_k - 1).bit_length()
    unit = ConventionalUnit(lut_k=lut_k, activation_bits=8, sum_bits=sum_bits, max_planes=planes)
    rng = random.Random(lut_k)
    segments, want = [], []
    for length in (1, steps, 2):
        extreme = length == steps
        slices, total = [], 0
        for _ in range(length):
            top = (1 << planes) - 1
            codes = [top if extreme else rng.randint(0, top) for _ in range(lut_k)]
            activations = [-128 if extreme else rng.randint(-128, 127) for _ in range(lut_k)]
            total += sum(a * code for a, code in zip(activations, codes, strict=True))
            bits = [tables.plane(codes, plane) for plane in range(planes)]
            slices.append((activations, bits))
        segments.append(slices)
        want.append(total)
    assert run_segments(unit, segments) == want
