"""arch/m3vit: formats and tables, against exact arithmetic."""

import math
from decimal import Decimal, getcontext
from fractions import Fraction

import pytest

from dovetail.arch.m3vit import formats, tables


@pytest.mark.parametrize(
    ("form", "least", "most"),
    [
        (formats.FEATURE, -512, 512 - Fraction(1, 2**22)),
        (formats.WEIGHT, -2, 2 - Fraction(1, 2**14)),
        (formats.ATTENTION_BIAS, -64, 64 - Fraction(1, 2**9)),
        (formats.BIAS, -16, 16 - Fraction(1, 2**11)),
        (formats.PATCH_WEIGHT, Fraction(-1, 2), Fraction(1, 2) - Fraction(1, 2**16)),
        (formats.PIXEL, 0, 1 - Fraction(1, 2**8)),
        (formats.SOFTMAX_SUM, 0, 2**16 - Fraction(1, 2**22)),
        (formats.RECIPROCAL, 0, 2 - Fraction(1, 2**31)),
    ],
)
def test_a_format_holds_what_its_name_says(
    form: formats.FixedFormat, least: Fraction, most: Fraction
) -> None:
    unit = Fraction(1, 2**form.fraction_bits)
    assert (form.least * unit, form.most * unit) == (least, most)


def test_the_gelu_table_is_one_of_177_unsigned_22_bit_fractions() -> None:
    rom = tables.gelu_delta_rom()
    assert len(rom) == 177 == 5.5 * 32 + 1
    assert 0 <= min(rom) and max(rom) < 2**22
    # Edge-MoE's own table, sharc-lab/Edge-MoE src/gelu.cpp, entries 1, 24 (the largest), 32, 160,
    # 175 and 176.
    published = {
        1: 0.015235424041748047,
        24: 0.16997051239013672,
        32: 0.15865516662597656,
        160: 1.430511474609375e-06,
        175: 2.384185791015625e-07,
        176: 0.0,
    }
    assert {index: rom[index] / 2**22 for index in published} == published
    # a (1 - Phi(a)) at 1, from tables of the normal distribution.
    assert rom[32] == round(0.158655253931457 * 2**22)


def test_powers_of_two_are_rounded_to_24_bits() -> None:
    getcontext().prec = 40
    rom = tables.exp2_rom()
    assert len(rom) == 257 and (rom[0], rom[256]) == (2**24, 2**23)
    for index, entry in enumerate(rom):
        exact = Decimal(2) ** (Decimal(24) - Decimal(index) / 256)
        assert abs(Decimal(entry) - exact) <= Decimal("0.5")


def test_inverse_roots_are_rounded_to_24_bits() -> None:
    rom = tables.rsqrt_rom()
    assert len(rom) == 385 and (rom[0], rom[384]) == (2**24, 2**23)
    for index, entry in enumerate(rom):
        # entry - 1/2 <= 2^24 / sqrt(m) <= entry + 1/2, squared to stay with fractions.
        m = Fraction(128 + index, 128)
        assert (entry - Fraction(1, 2)) ** 2 * m <= 2**48 <= (entry + Fraction(1, 2)) ** 2 * m


@pytest.mark.parametrize("length", [1, 2, 3, 192, 384, 768, 769, 1024])
def test_a_mean_is_right_to_one_part_in_a_million(length: int) -> None:
    factor, shift = tables.mean_factor(length)
    assert factor.bit_length() == 20
    assert abs(Fraction(factor, 2**shift) * length - 1) <= Fraction(1, 2**20)


def test_attention_scales() -> None:
    assert tables.attention_scale(64) == 2**19  # 0.125
    scale = tables.attention_scale(32)
    assert scale**2 * 32 <= 4**22 < (scale + 1) ** 2 * 32


def test_epsilon_and_log2_e() -> None:
    assert abs(tables.EPSILON / 2**32 - 1e-6) <= 2**-33
    assert abs(Fraction(tables.LOG2_E, 2**22) - Fraction(math.log2(math.e))) <= Fraction(1, 2**23)
