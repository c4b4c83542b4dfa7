"""models/mpgemm.py against the definition in exact fractions, written element by element."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.errors import ShapeError
from dovetail.models.mpgemm import (
    GemmOperands,
    accumulate_after_group,
    accumulate_before_loop,
    dequantize_after_group,
    mpgemm_after_group,
    mpgemm_before_loop,
    round_outputs,
)

LOW, HIGH = -(1 << 15), (1 << 15) - 1


@st.composite
def gemms(draw: st.DrawFn, formats: tuple[str, ...] = ("int4", "uint4_zero")) -> GemmOperands:
    """Small operands, the extremes among them; often with a short last group."""
    weight_format = draw(st.sampled_from(formats))
    m, n = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    group = 1 << draw(st.integers(0, 3))
    k = draw(st.integers(1, 3 * group + 1))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    low, high = {"int4": (-8, 7), "uint4_zero": (0, 15), "int8": (-128, 127)}[weight_format]
    groups = -(-k // group)

    def matrix(least: int, most: int, shape: tuple[int, int]) -> Any:
        if draw(st.booleans()):
            return rng.choice([least, most], size=shape)
        return rng.integers(least, most, size=shape, endpoint=True)

    scale = zero = None
    if weight_format != "int8":
        scale = matrix(0, 4095, (n, groups)).astype(np.int64)
        zero = matrix(0, 15 if weight_format == "uint4_zero" else 0, (n, groups)).astype(np.int64)
    return GemmOperands(
        activations=matrix(-128, 127, (m, k)).astype(np.int8),
        weights=matrix(low, high, (n, k)).astype(np.int8),
        scale=scale,
        zero=zero,
        group=group,
    )


def dequantised(operands: GemmOperands) -> list[list[int]]:
    """Each weight as ``(code - zero) * scale`` of its own group, before anything is summed."""
    codes = operands.weights.tolist()
    if operands.scale is None or operands.zero is None:
        return codes
    scale, zero = operands.scale.tolist(), operands.zero.tolist()
    return [
        [
            (code - zero[n][k // operands.group]) * scale[n][k // operands.group]
            for k, code in enumerate(row)
        ]
        for n, row in enumerate(codes)
    ]


def product(activations: list[list[int]], weights: list[list[int]]) -> list[list[int]]:
    return [
        [sum(a * w for a, w in zip(row, column, strict=True)) for column in weights]
        for row in activations
    ]


def rounded(total: int, shift: int) -> int:
    return max(LOW, min(HIGH, round(Fraction(total, 1 << shift))))  # half to even


@given(gemms())
def test_dequantising_after_the_group_equals_dequantising_first(operands: GemmOperands) -> None:
    want = product(operands.activations.tolist(), dequantised(operands))
    assert accumulate_after_group(operands).tolist() == want


@given(gemms(("int8",)))
def test_int8_weights_are_summed_as_they_are(operands: GemmOperands) -> None:
    want = product(operands.activations.tolist(), operands.weights.tolist())
    assert accumulate_after_group(operands).tolist() == want
    assert accumulate_before_loop(operands, weight_shift=9).tolist() == want


@given(gemms(), st.integers(0, 15))
def test_the_baseline_rounds_each_weight_to_int8(operands: GemmOperands, shift: int) -> None:
    weights = [
        [max(-128, min(127, round(Fraction(w, 1 << shift)))) for w in row]
        for row in dequantised(operands)
    ]
    want = product(operands.activations.tolist(), weights)
    assert accumulate_before_loop(operands, weight_shift=shift).tolist() == want


@given(gemms())
def test_both_orders_agree_where_the_baseline_s_weights_are_exact(operands: GemmOperands) -> None:
    assert operands.scale is not None
    # |code - zero| <= 15, so a scale of at most 8 loses nothing in INT8.
    exact = GemmOperands(
        activations=operands.activations,
        weights=operands.weights,
        scale=operands.scale % 9,
        zero=operands.zero,
        group=operands.group,
    )
    np.testing.assert_array_equal(
        accumulate_before_loop(exact, weight_shift=0), accumulate_after_group(exact)
    )


@given(gemms(), st.integers(0, 47), st.integers(0, 15))
def test_an_output_is_rounded_once(operands: GemmOperands, shift: int, weight_shift: int) -> None:
    after = accumulate_after_group(operands).tolist()
    got = mpgemm_after_group(operands, output_shift=shift)
    assert got.dtype == np.int16
    assert got.tolist() == [[rounded(total, shift) for total in row] for row in after]
    before = accumulate_before_loop(operands, weight_shift=weight_shift).tolist()
    assert mpgemm_before_loop(operands, output_shift=shift, weight_shift=weight_shift).tolist() == [
        [rounded(total, shift) for total in row] for row in before
    ]


@settings(max_examples=30)
@given(gemms(("uint4_zero",)), st.integers(-15, 15))
def test_a_shift_of_codes_and_zero_points_alike_changes_nothing(
    operands: GemmOperands, by: int
) -> None:
    assert operands.zero is not None
    moved = GemmOperands(
        activations=operands.activations,
        weights=(operands.weights + by).astype(np.int8),
        scale=operands.scale,
        zero=operands.zero + by,
        group=operands.group,
    )
    np.testing.assert_array_equal(accumulate_after_group(moved), accumulate_after_group(operands))


def test_a_zero_point_takes_its_share_of_the_activation_sum() -> None:
    got = dequantize_after_group(
        np.array([[100, 200], [300, 400]]),
        np.array([10, -20]),
        np.array([1, 5]),
        np.array([2, 3]),
    )
    assert got.tolist() == [[100 - 2 * 10, (200 - 3 * 10) * 5], [300 + 2 * 20, (400 + 3 * 20) * 5]]


def test_the_same_as_floating_point_where_that_is_exact() -> None:
    rng = np.random.default_rng(1)
    m, n, k, group = 5, 7, 300, 128
    operands = GemmOperands(
        activations=rng.integers(-128, 128, (m, k)).astype(np.int8),
        weights=rng.integers(0, 16, (n, k)).astype(np.int8),
        scale=rng.integers(0, 4096, (n, 3)),
        zero=rng.integers(0, 16, (n, 3)),
        group=group,
    )
    assert operands.scale is not None and operands.zero is not None
    lengths = [128, 128, 44]  # the last group is short
    scale, zero = (np.repeat(x, lengths, axis=1) for x in (operands.scale, operands.zero))
    weights = (operands.weights.astype(np.float64) - zero) * scale
    # Every partial sum stays below 2^53.
    want = operands.activations.astype(np.float64) @ weights.T
    np.testing.assert_array_equal(accumulate_after_group(operands), want)


def test_the_longest_sum_stays_inside_48_bits() -> None:
    k = 1 << 16
    operands = GemmOperands(
        activations=np.full((1, k), -128, dtype=np.int8),
        weights=np.full((1, k), 15, dtype=np.int8),
        scale=np.full((1, 64), 4095),
        zero=np.zeros((1, 64), dtype=np.int64),
        group=1024,
    )
    (total,) = accumulate_after_group(operands)[0]
    assert total == -128 * 15 * 4095 * k
    assert -(1 << 47) <= total


@pytest.mark.parametrize(
    ("total", "shift", "want"),
    [
        (3, 1, 2),  # ties go to the even neighbour
        (5, 1, 2),
        (-3, 1, -2),
        (-5, 1, -2),
        (7, 2, 2),
        (32767, 0, 32767),
        (32768, 0, 32767),
        (-32769, 0, -32768),
        (65535, 1, 32767),  # rounds to 32768, which does not fit
        ((1 << 47) - 1, 47, 1),
        (-(1 << 47), 47, -1),
        (1 << 46, 47, 0),
    ],
)
def test_rounds_to_16_bits(total: int, shift: int, want: int) -> None:
    assert round_outputs(np.array([[total]]), output_shift=shift).tolist() == [[want]]


def operands_of(**changes: Any) -> GemmOperands:
    values: dict[str, Any] = {
        "activations": np.zeros((2, 5), np.int8),
        "weights": np.zeros((3, 5), np.int8),
        "scale": np.zeros((3, 2), np.int64),
        "zero": np.zeros((3, 2), np.int64),
        "group": 4,
    }
    return GemmOperands(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"activations": np.zeros(5, np.int8)},
            r"^activations of shape \(5,\) and weights of shape \(3, 5\) must be \(m, k\) and "
            r"\(n, k\)$",
        ),
        (
            {"weights": np.zeros((3, 4), np.int8)},
            r"^activations have k=5, weights have k=4; the two must be equal$",
        ),
        (
            {"scale": None},
            r"^scale and zero must both be given, or both be None for weights without scales$",
        ),
        (
            {"scale": np.zeros((3, 1), np.int64)},
            r"^scale has shape \(3, 1\); it must be \(3, 2\)$",
        ),
        ({"zero": np.zeros((2, 2), np.int64)}, r"^zero has shape \(2, 2\); it must be \(3, 2\)$"),
    ],
)
def test_refuses_operands_that_do_not_match(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        operands_of(**changes)
