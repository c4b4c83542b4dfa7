"""models/fp8.py against the format's definition in exact fractions, over all codes."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from dovetail.errors import ShapeError
from dovetail.models.fp8 import LARGEST, NAN, float_to_fp8, fp8_to_float, fp8_to_fp16

CODES = np.arange(256, dtype=np.uint8)
NUMBERS = [code for code in range(256) if code % 128 != 127]


def value_of(code: int) -> Fraction:
    sign, field, fraction = code >> 7, code >> 3 & 15, code & 7
    significand = Fraction(fraction, 8) + (1 if field else 0)
    return (-1) ** sign * significand * Fraction(2) ** (max(field, 1) - 7)


VALUES = [value_of(code) for code in range(127)]


def nearest(value: Fraction) -> int:
    """The code of the number nearest to a magnitude, ties to the even fraction: looks at all."""
    return min(range(127), key=lambda code: (abs(VALUES[code] - value), code & 1))


def test_every_code_is_the_number_of_its_definition() -> None:
    got = fp8_to_float(CODES)
    assert [Fraction(got[code]) for code in NUMBERS] == [value_of(code) for code in NUMBERS]
    assert np.isnan(got[[127, 255]]).all()
    assert np.signbit(got[128]) and not np.signbit(got[0])


def test_the_limits_of_the_paper_s_table() -> None:
    """Micikevicius et al., table 1: S.1111.110 is 448, S.0001.000 2^-6, S.0000.001 2^-9."""
    assert fp8_to_float(np.array([0x7E, 0x08, 0x01], np.uint8)).tolist() == [448, 2**-6, 2**-9]
    assert LARGEST == 448


def test_fp16_holds_every_number_and_a_canonical_nan() -> None:
    bits = fp8_to_fp16(CODES)
    np.testing.assert_array_equal(bits.view(np.float16)[NUMBERS], fp8_to_float(CODES)[NUMBERS])
    assert bits[[127, 255]].tolist() == [0x7E00, 0x7E00]
    assert bits[128] == 0x8000


def test_numbers_round_to_themselves() -> None:
    np.testing.assert_array_equal(float_to_fp8(fp8_to_float(CODES))[NUMBERS], CODES[NUMBERS])


def test_rounding_is_to_nearest_ties_to_even() -> None:
    rng = np.random.default_rng(0)
    ties = [(low + high) / 2 for low, high in pairwise(VALUES)]
    near = [tie * (1 + side) for tie in ties for side in (Fraction(-1, 1 << 30), 0, 2**-30)]
    values = [float(x) for x in near] + (rng.standard_normal(200) * 40).tolist()
    values += (rng.standard_normal(100) * 2.0**-8).tolist()
    both = np.array(values + [-x for x in values])
    want = [nearest(abs(Fraction(x))) | (0x80 if np.signbit(x) else 0) for x in both]
    assert float_to_fp8(both).tolist() == want


def test_what_is_too_large_saturates_and_nan_stays() -> None:
    got = float_to_fp8(np.array([448.1, 1e9, np.inf, -465.0, -np.inf, np.nan, -np.nan, -0.0]))
    assert got.tolist() == [0x7E, 0x7E, 0x7E, 0xFE, 0xFE, NAN, NAN, 0x80]


def test_codes_must_be_bytes() -> None:
    with pytest.raises(ShapeError, match="codes are int64; FP8 codes must be uint8"):
        fp8_to_float(np.array([1]))  # type: ignore[arg-type]
