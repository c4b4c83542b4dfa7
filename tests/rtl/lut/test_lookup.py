"""rtl/lut/lookup.py against sums of products with odd-level weights."""

import random

import pytest

from dovetail.rtl.lut.lookup import LookupUnit
from dovetail.tests.rtl.dot.drive import run_segments
from dovetail.tests.rtl.lut import tables


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize(
    ("lut_k", "planes", "activation_bits"),
    [(2, 1, 8), (3, 2, 16), (4, 2, 8), (4, 3, 8), (4, 8, 8), (5, 5, 8), (8, 8, 16)],
)
def test_sums_of_segments_of_several_steps(
    lut_k: int, planes: int, activation_bits: int, inverted: bool
) -> None:
    steps = 4
    sum_bits = activation_bits + planes + (steps * lut_k - 1).bit_length()
    unit = LookupUnit(
        lut_k=lut_k,
        activation_bits=activation_bits,
        sum_bits=sum_bits,
        max_planes=planes,
        inverted=inverted,
    )
    rng = random.Random(planes)
    low, high = -(1 << (activation_bits - 1)), (1 << (activation_bits - 1)) - 1
    top = (1 << planes) - 1
    segments, want = [], []
    for length in (1, steps, 2, 3):
        extreme = length == steps  # every product as far from zero as it can be
        slices, total = [], 0
        for _ in range(length):
            codes = [0 if extreme else rng.randint(0, top) for _ in range(lut_k)]
            activations = [low if extreme else rng.randint(low, high) for _ in range(lut_k)]
            total += sum(
                a * tables.odd_levels(code, planes)
                for a, code in zip(activations, codes, strict=True)
            )
            table = tables.table(activations)
            bits = [tables.plane(codes, plane) for plane in range(planes)]
            slices.append((table, [tables.inverted(lut_k, b) if inverted else b for b in bits]))
        segments.append(slices)
        want.append(total)

    assert run_segments(unit, segments) == want
