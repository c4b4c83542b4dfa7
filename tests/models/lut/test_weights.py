"""models/lut/weights.py: the transform against its equations, and every inverse."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.errors import ConfigError, DovetailError, ShapeError
from dovetail.models.lut.formats import LutFormat
from dovetail.models.lut.weights import (
    bit_planes,
    bits_of_indices,
    check_group,
    codes_of_planes,
    codes_of_signed,
    invert_beforehand,
    recentre,
    recentred_zero,
    signed_of_codes,
    step_indices,
)

BITS = range(1, 9)


def all_codes(bits: int) -> Any:
    return np.arange(1 << bits).astype(np.uint8)


def test_four_bits_become_the_odd_numbers_of_the_paper() -> None:
    assert recentre(all_codes(4), 4).tolist() == list(range(-15, 16, 2))
    assert recentre(all_codes(1), 1).tolist() == [-1, 1]


@pytest.mark.parametrize("bits", BITS)
def test_a_re_centred_weight_is_the_weight(bits: int) -> None:
    """Equation 2: s' (q' - z') = s (q - z), here with s = 2 and s' = 1."""
    q = all_codes(bits).astype(int)
    for z in range(1 << bits):
        moved = recentre(all_codes(bits), bits) - recentred_zero(z, "zero_point", bits)
        np.testing.assert_array_equal(moved, 2 * (q - z))


@pytest.mark.parametrize("bits", BITS)
def test_planes_are_signs_that_add_up_to_the_weight(bits: int) -> None:
    planes = bit_planes(all_codes(bits), bits).astype(int)
    total = sum((2 * plane - 1) << i for i, plane in enumerate(planes))
    np.testing.assert_array_equal(total, recentre(all_codes(bits), bits))
    np.testing.assert_array_equal(codes_of_planes(planes.astype(np.uint8)), all_codes(bits))


@pytest.mark.parametrize("bits", BITS)
def test_twos_complement_has_its_zero_point_in_the_middle(bits: int) -> None:
    signed = np.arange(-(1 << bits - 1), 1 << bits - 1)
    codes = codes_of_signed(signed, bits)
    moved = recentre(codes, bits) - recentred_zero(0, "twos_complement", bits)
    np.testing.assert_array_equal(moved, 2 * signed)
    np.testing.assert_array_equal(signed_of_codes(codes, bits), signed)
    # The same bits as two's complement, but for the top one.
    np.testing.assert_array_equal(codes ^ (1 << bits - 1), signed & (1 << bits) - 1)


@given(st.integers(2, 8), st.integers(1, 20), st.integers(0, 1 << 32))
def test_indices_hold_the_bits_of_a_step(lut_k: int, k: int, seed: int) -> None:
    planes = np.random.default_rng(seed).integers(0, 2, (3, k)).astype(np.uint8)
    indices = step_indices(planes, lut_k)
    for row, values in zip(planes, indices, strict=True):
        for step, index in enumerate(values):
            bits = [int(b) for b in row[step * lut_k : (step + 1) * lut_k]]
            assert index == sum(bit << j for j, bit in enumerate(bits))
    np.testing.assert_array_equal(bits_of_indices(indices, lut_k, k), planes)


@pytest.mark.parametrize("lut_k", range(2, 9))
def test_inverting_beforehand_keeps_the_sign_and_undoes_itself(lut_k: int) -> None:
    indices = np.arange(1 << lut_k).astype(np.uint8)
    stored = invert_beforehand(indices, lut_k)
    half = 1 << lut_k - 1
    np.testing.assert_array_equal(stored[:half], indices[:half])
    # Equation 6: with the sign set, the low bits are inverted; the sign itself stays.
    np.testing.assert_array_equal(stored[half:], half + (half - 1 - np.arange(half)))
    np.testing.assert_array_equal(invert_beforehand(stored, lut_k), indices)


@pytest.mark.parametrize("bits", [0, 9, -1, True, 2.0])
def test_weights_have_one_to_eight_bits(bits: Any) -> None:
    for call in (
        lambda: recentre(all_codes(1), bits),
        lambda: recentred_zero(0, "odd", bits),
        lambda: LutFormat(weight_bits=bits),
    ):
        with pytest.raises(ConfigError, match=rf"weight_bits={bits!r} must be a whole number from"):
            call()


@pytest.mark.parametrize("lut_k", [0, 1, 9, 4.0])
def test_a_table_takes_two_to_eight_activations(lut_k: Any) -> None:
    for call in (
        lambda: LutFormat(weight_bits=2, lut_k=lut_k),
        lambda: step_indices(np.zeros((1, 8), np.uint8), lut_k),
        lambda: invert_beforehand(np.zeros(1, np.uint8), lut_k),
        lambda: check_group(128, lut_k),
    ):
        with pytest.raises(ConfigError, match=rf"lut_k={lut_k!r} must be a whole number from 2 to"):
            call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LutFormat(weight_bits=2, levels="even"), "levels='even' must be one of odd,"),  # type: ignore[arg-type]
        (lambda: LutFormat(weight_bits=2, table="int4"), "table='int4' must be one of exact,"),  # type: ignore[arg-type]
        (
            lambda: LutFormat(weight_bits=2, additions="any"),
            "additions='any' must be one of ascending,",
        ),  # type: ignore[arg-type]
        (lambda: recentre(np.array([4], np.uint8), 2), "code=4 must be from 0 to 3 for weight_b"),
        (lambda: recentre(np.array([-1], np.int8), 2), "weights are int8; codes of a LUT core"),  # type: ignore[arg-type]
        (lambda: codes_of_signed(np.array([2]), 2), "weight=2 must be from -2 to 1 for weight_bi"),
        (lambda: recentred_zero([4], "zero_point", 2), "zero=4 must be from 0 to 3 for weight_b"),
        (lambda: recentred_zero([-1], "zero_point", 2), "zero=-1 must be from 0 to 3"),
        (lambda: check_group(32, 3), "group=32 must be a multiple of lut_k=3; set it to 33"),
        (lambda: check_group(0, 4), "group=0 must be a multiple of lut_k=4; set it to 4"),
    ],
)
def test_bad_input(call: Any, message: str) -> None:
    with pytest.raises(DovetailError) as info:
        call()
    assert message in str(info.value) and "\n" not in str(info.value)
    assert isinstance(info.value, ConfigError | ShapeError)
