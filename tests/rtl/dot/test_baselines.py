"""Units with adders and multipliers against sums of products."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from dovetail.arch.number_formats import FP16, FP32, FloatFormat
from dovetail.rtl.dot.bit_serial import AddUnit, FloatAddUnit
from dovetail.rtl.dot.float_mac import GUARD_BITS, FloatMacUnit
from dovetail.rtl.dot.mac import MacUnit
from dovetail.tests.rtl.dot.drive import Step, run_segments
from dovetail.tests.rtl.floating.test_pe import rounded
from dovetail.tests.rtl.lut import tables
from dovetail.tests.rtl.lut.test_float_lookup import SIZES, WORDS, rounded_add
from dovetail.tests.rtl.lut.test_float_precompute import half

LENGTHS = (1, 4, 2)


@pytest.mark.parametrize(("lut_k", "element_bits"), [(1, 8), (4, 8), (3, 4), (8, 8)])
def test_integer_mac(lut_k: int, element_bits: int) -> None:
    sum_bits = 8 + element_bits + (lut_k * max(LENGTHS) - 1).bit_length()
    unit = MacUnit(lut_k=lut_k, element_bits=element_bits, sum_bits=sum_bits)
    rng = random.Random(lut_k)
    least = -(1 << (element_bits - 1))
    segments: list[list[Step]] = []
    want = []
    for length in LENGTHS:
        a = [
            [rng.choice([-128, rng.randint(-128, 127)]) for _ in range(lut_k)]
            for _ in range(length)
        ]
        w = [
            [rng.choice([least, rng.randint(least, -least - 1)]) for _ in range(lut_k)]
            for _ in range(length)
        ]
        segments.append([(x, [tables.pack(y, element_bits)]) for x, y in zip(a, w, strict=True)])
        want.append(
            sum(p * q for x, y in zip(a, w, strict=True) for p, q in zip(x, y, strict=True))
        )
    assert run_segments(unit, segments) == want


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize(("lut_k", "planes", "bits"), [(2, 1, 8), (4, 2, 8), (3, 8, 16), (8, 4, 8)])
def test_bit_serial_integers(lut_k: int, planes: int, bits: int, binary: bool) -> None:
    unit = AddUnit(
        lut_k=lut_k,
        activation_bits=bits,
        sum_bits=bits + planes + 6,
        max_planes=planes,
        binary=binary,
    )
    rng = random.Random(planes)
    least = -(1 << (bits - 1))
    segments: list[list[Step]] = []
    want = []
    for length in LENGTHS:
        steps: list[Step] = []
        total = 0
        for _ in range(length):
            a = [rng.choice([least, rng.randint(least, -least - 1)]) for _ in range(lut_k)]
            codes = [rng.randrange(1 << planes) for _ in range(lut_k)]
            total += sum(
                x * (code if binary else tables.odd_levels(code, planes))
                for x, code in zip(a, codes, strict=True)
            )
            steps.append((a, [tables.plane(codes, plane) for plane in range(planes)]))
        segments.append(steps)
        want.append(total)
    assert run_segments(unit, segments) == want


def tree(terms: list[np.float16]) -> np.float16:
    with np.errstate(all="ignore"):
        while len(terms) > 1:
            pairs = [np.float16(x + y) for x, y in zip(terms[::2], terms[1::2], strict=False)]
            terms = pairs + terms[2 * len(pairs) :]
    return terms[0]


@pytest.mark.parametrize("form", [FP16, FP32])
@pytest.mark.parametrize(("lut_k", "planes"), [(2, 1), (4, 2), (5, 3)])
def test_bit_serial_floats(form: FloatFormat, lut_k: int, planes: int) -> None:
    unit = FloatAddUnit(form, lut_k=lut_k, max_planes=planes)
    rng = random.Random(lut_k)
    segments: list[list[Step]] = []
    want = []
    for length in LENGTHS:
        steps: list[Step] = []
        total: Any = SIZES[form](0)
        for _ in range(length):
            a = [np.float16(rng.gauss(0, 1) * 2.0 ** rng.randint(-3, 3)) for _ in range(lut_k)]
            slices = [rng.randrange(1 << lut_k) for _ in range(planes)]
            for plane, bits in enumerate(slices):
                dot = tree([x if bits >> j & 1 else -x for j, x in enumerate(a)])
                total = rounded_add(total, float(dot) * 2.0**plane, form)
            steps.append(([int(x.view(np.uint16)) for x in a], slices))
        segments.append(steps)
        want.append(int((total + SIZES[form](0)).view(WORDS[form])))
    assert run_segments(unit, segments) == want


def parts(code: int) -> tuple[int, int, int]:
    """Sign, exponent (of the significand's last bit, from that of subnormals) and significand."""
    field, fraction = code >> 10 & 31, code & 1023
    return -1 if code >> 15 else 1, max(field, 1), fraction + (1024 if field else 0)


def aligned_dot(a: list[int], w: list[int]) -> Fraction:
    """The dot product by the rule of the unit's docstring."""
    products = []
    for x, y in zip(a, w, strict=True):
        sx, ex, mx = parts(x)
        sy, ey, my = parts(y)
        products.append((sx * sy, ex + ey, mx * my))
    largest = max((e for _, e, m in products if m), default=0)
    total = sum(s * ((m << GUARD_BITS) >> (largest - e)) for s, e, m in products if m)
    return Fraction(total) * Fraction(2) ** (largest - 50 - GUARD_BITS)


@pytest.mark.parametrize("form", [FP16, FP32])
@pytest.mark.parametrize("lut_k", [2, 4, 5])
def test_float_mac(form: FloatFormat, lut_k: int) -> None:
    unit = FloatMacUnit(form, lut_k=lut_k)
    rng = np.random.default_rng(lut_k)
    segments: list[list[Step]] = []
    want = []
    for number in range(16):
        steps: list[Step] = []
        total: Any = SIZES[form](0)
        for _ in range(1 + number % 4):
            scale = 2.0 ** rng.integers(-10 if number % 2 else -2, 2, (2, lut_k))
            values = (rng.standard_normal((2, lut_k)) * scale).astype(np.float16)
            if number % 4 == 3:  # zeros beside large numbers, and products that cancel
                values[0, 0], values[1, 0] = 0, 1000
                values[:, 1] = values[:, -1] * np.array([1, -1], dtype=np.float16)
            a, w = ([int(code) for code in row] for row in values.view(np.uint16))
            total = rounded(Fraction(float(total)) + aligned_dot(a, w), form)
            steps.append((a, [tables.pack(w, 16)]))
        segments.append(steps)
        want.append(int((total + SIZES[form](0)).view(WORDS[form])))
    assert run_segments(unit, segments) == want


def test_infinities_in_a_dot_product() -> None:
    one, inf, nan = 0x3C00, 0x7C00, 0x7E00
    cases = [
        ([inf, one], [one, one], FP32.infinity),
        ([inf, one], [0x8000 | one, one], FP32.infinity | FP32.sign),
        ([inf, inf], [one, 0x8000 | one], FP32.nan),
        ([inf, one], [0, one], FP32.nan),
        ([nan, one], [one, one], FP32.nan),
        ([one, one], [one, one], int(np.float32(2).view(np.uint32))),
    ]
    unit = FloatMacUnit(FP32, lut_k=2)
    segments = [[(a, [tables.pack(w, 16)])] for a, w, _ in cases]
    assert run_segments(unit, segments) == [want for _, _, want in cases]
    assert float(half(one)) == 1.0
