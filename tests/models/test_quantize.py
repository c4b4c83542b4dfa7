"""models/quantize.py."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dovetail.errors import ConfigError, ShapeError
from dovetail.models.quantize import (
    QuantizedWeights,
    dequantize_to_int8,
    natural_weight_shift,
    quantize_activations,
    quantize_weights,
)

FORMATS = pytest.mark.parametrize("zero_point", [False, True], ids=["symmetric", "zero_point"])
SHAPES = pytest.mark.parametrize(
    ("n", "k", "group"),
    [(1, 1, 1), (1, 1, 32), (3, 5, 8), (2, 32, 32), (5, 33, 32), (4, 64, 1), (2, 65, 16)],
)
MATRICES = st.tuples(st.integers(1, 4), st.integers(1, 20)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.floats(-1e6, 1e6, width=32))
)


def check_form(q: QuantizedWeights, n: int, k: int) -> None:
    """Types, shapes and ranges that the dataclass documents."""
    groups = -(-k // q.group)
    assert (q.codes.dtype, q.codes.shape) == (np.int8, (n, k))
    assert (q.scale.dtype, q.scale.shape) == (np.uint16, (n, groups))
    assert (q.zero.dtype, q.zero.shape) == (np.uint8, (n, groups))
    assert (q.base.dtype, q.base.shape) == (np.float64, (n,))
    least, most = (0, 15) if q.zero_point else (-8, 7)
    assert least <= q.codes.min() and q.codes.max() <= most
    assert q.scale.max() <= 4095 and q.zero.max() <= 15
    if not q.zero_point:
        assert not q.zero.any()
    assert np.isfinite(q.base).all()


def dequantized(q: QuantizedWeights) -> np.ndarray:
    """``base * scale * (code - zero)``, one weight at a time."""
    n, k = q.codes.shape
    out = np.empty((n, k))
    for row in range(n):
        for column in range(k):
            g = column // q.group
            integer = int(q.scale[row, g]) * (int(q.codes[row, column]) - int(q.zero[row, g]))
            out[row, column] = q.base[row] * integer
    return out


@FORMATS
@SHAPES
def test_codes_scales_and_shapes_are_as_documented(
    n: int, k: int, group: int, zero_point: bool
) -> None:
    w = np.random.default_rng(k).standard_normal((n, k)).astype(np.float32)
    q = quantize_weights(w, group=group, zero_point=zero_point)
    check_form(q, n, k)
    assert (q.scale.max(axis=1) == 4095).all()
    np.testing.assert_array_equal(q.dequantize(), dequantized(q))


@FORMATS
@settings(max_examples=200)
@given(w=MATRICES, group=st.sampled_from([1, 2, 8, 32]))
def test_no_weight_is_further_than_a_step_from_its_code(
    w: np.ndarray, group: int, zero_point: bool
) -> None:
    q = quantize_weights(w, group=group, zero_point=zero_point)
    check_form(q, *w.shape)
    error = np.abs(q.dequantize() - w)
    for g in range(q.scale.shape[1]):
        part = w[:, g * group : (g + 1) * group]
        high, low = part.max(axis=1).clip(min=0), part.min(axis=1).clip(max=0)
        span = (high - low) / 15 if zero_point else np.maximum(high / 7, -low / 8)
        # Rounding the step to a multiple of base moves it by base / 2 at most, fifteen codes wide.
        step = span + q.base / 2
        slack = 0.5 * step + 15 * q.base / 2
        slack += 0.5 * step if zero_point else 0  # the zero point is rounded too
        group_error = error[:, g * group : (g + 1) * group].max(axis=1)
        assert (group_error <= slack * (1 + 1e-9)).all()


@FORMATS
@settings(max_examples=100)
@given(w=MATRICES)
def test_codes_are_the_nearest_ones_at_the_integer_scale(w: np.ndarray, zero_point: bool) -> None:
    q = quantize_weights(w, group=4, zero_point=zero_point)
    least, most = (0, 15) if zero_point else (-8, 7)
    candidates = np.arange(least, most + 1)
    for (row, column), code in np.ndenumerate(q.codes):
        g = column // 4
        step = q.base[row] * float(q.scale[row, g])
        values = step * (candidates - int(q.zero[row, g]))
        chosen = step * (int(code) - int(q.zero[row, g]))
        best = np.abs(values - w[row, column]).min()
        assert abs(chosen - w[row, column]) <= best + 1e-9 * step


@FORMATS
def test_weights_on_the_grid_come_back_unchanged(zero_point: bool) -> None:
    rng = np.random.default_rng(7)
    least, most = (0, 15) if zero_point else (-8, 7)
    codes = rng.integers(least, most + 1, (6, 4, 16))
    codes[..., 0], codes[..., 1] = least, most  # each group spans its range
    scale = rng.integers(1, 4096, (6, 4))
    scale[:, 2] = 4095
    zero = rng.integers(0, 16, (6, 4)) if zero_point else np.zeros((6, 4), dtype=int)
    w = (2.0**-10 * scale[..., None] * (codes - zero[..., None])).reshape(6, 64)
    q = quantize_weights(w, group=16, zero_point=zero_point)
    np.testing.assert_array_equal(q.codes, codes.reshape(6, 64))
    np.testing.assert_array_equal(q.scale, scale)
    np.testing.assert_array_equal(q.zero, zero)
    np.testing.assert_allclose(q.dequantize(), w, rtol=1e-15)


@FORMATS
def test_all_zero_groups_and_channels_stay_zero(zero_point: bool) -> None:
    w = np.zeros((3, 8))
    w[1, :4] = [1.0, -2.0, 0.5, 3.0]
    with np.errstate(all="raise"):
        q = quantize_weights(w, group=4, zero_point=zero_point)
    check_form(q, 3, 8)
    assert q.base[0] == 0 and q.base[1] > 0
    assert q.scale[0].tolist() == [0, 0] and q.scale[1, 1] == 0
    assert not q.dequantize()[[0, 2]].any() and not q.dequantize()[1, 4:].any()


@FORMATS
def test_a_huge_outlier_leaves_small_groups_a_scale_of_at_least_one(zero_point: bool) -> None:
    w = np.full((1, 8), 1e-6)
    w[0, 6] = -1e6
    q = quantize_weights(w, group=4, zero_point=zero_point)
    check_form(q, 1, 8)
    assert q.scale.tolist() == [[1, 4095]]
    assert q.dequantize()[0, 6] == pytest.approx(-1e6, rel=1e-12)


@FORMATS
@pytest.mark.parametrize("value", [0.3, -0.3])
def test_a_constant_channel_is_exact(value: float, zero_point: bool) -> None:
    q = quantize_weights(np.full((2, 9), value), group=4, zero_point=zero_point)
    np.testing.assert_allclose(q.dequantize(), value, rtol=1e-14)


def test_symmetric_codes_use_both_ends() -> None:
    q = quantize_weights([[7.0, -3.0], [7.0, -8.0], [1.0, -8.0]], group=2, zero_point=False)
    assert q.codes.tolist() == [[7, -3], [7, -8], [1, -8]]


def test_the_zero_point_shifts_a_one_sided_group() -> None:
    q = quantize_weights([[-15.0, -1.0, 0.0], [15.0, 1.0, 0.0]], group=4, zero_point=True)
    assert q.zero.tolist() == [[15], [0]]
    assert q.codes.tolist() == [[0, 14, 15], [15, 1, 0]]


def test_a_group_longer_than_k_is_one_short_group() -> None:
    w = np.random.default_rng(3).standard_normal((2, 5))
    long, short = (quantize_weights(w, group=group, zero_point=True) for group in (1024, 8))
    np.testing.assert_array_equal(long.codes, short.codes)
    np.testing.assert_array_equal(long.scale, short.scale)


@FORMATS
def test_values_too_small_to_scale_become_zero_without_a_warning(zero_point: bool) -> None:
    with np.errstate(divide="raise", invalid="raise", over="raise"):
        q = quantize_weights(np.full((1, 2), 5e-324), group=2, zero_point=zero_point)
    assert not q.dequantize().any()


@settings(max_examples=200)
@given(MATRICES)
def test_activations_are_within_half_a_step(a: np.ndarray) -> None:
    q = quantize_activations(a)
    assert (q.codes.dtype, q.codes.shape) == (np.int8, a.shape)
    assert (q.scale.dtype, q.scale.shape) == (np.float64, (a.shape[0],))
    assert q.codes.min() >= -127
    step = np.abs(a).max(axis=1, keepdims=True) / 127
    assert (np.abs(q.dequantize() - a) <= 0.5 * step * (1 + 1e-9)).all()


def test_activation_rows_have_their_own_scales_and_zero_rows_are_zero() -> None:
    with np.errstate(all="raise"):
        q = quantize_activations([[1.0, -2.0], [0.0, 0.0], [254.0, 127.0]])
    assert q.codes.tolist() == [[64, -127], [0, 0], [127, 64]]  # 63.5 to the even 64, twice
    assert q.scale.tolist() == [2 / 127, 0.0, 2.0]


@settings(max_examples=100)
@given(
    codes=arrays(np.int8, (3, 5), elements=st.integers(-8, 15)),
    scale=arrays(np.uint16, (3, 3), elements=st.integers(0, 4095)),
    zero=arrays(np.uint8, (3, 3), elements=st.integers(0, 15)),
    weight_shift=st.integers(0, 15),
)
def test_int8_weights_are_the_rounded_exact_fractions(
    codes: np.ndarray, scale: np.ndarray, zero: np.ndarray, weight_shift: int
) -> None:
    got = dequantize_to_int8(codes, scale, zero, group=2, weight_shift=weight_shift)
    assert got.dtype == np.int8
    for (row, column), value in np.ndenumerate(got):
        g = column // 2
        product = (int(codes[row, column]) - int(zero[row, g])) * int(scale[row, g])
        want = round(Fraction(product, 2**weight_shift))
        assert value == max(-128, min(127, want))


@FORMATS
def test_the_natural_shift_is_the_least_that_never_clips(zero_point: bool) -> None:
    extremes = range(-15, 16) if zero_point else range(-8, 8)
    fits = [
        all(-128 <= round(Fraction(4095 * e, 2**shift)) <= 127 for e in extremes)
        for shift in range(16)
    ]
    assert natural_weight_shift(zero_point) == fits.index(True)


@FORMATS
def test_int8_weights_keep_the_value_of_the_int4_ones(zero_point: bool) -> None:
    w = np.random.default_rng(11).standard_normal((4, 65))
    q = quantize_weights(w, group=32, zero_point=zero_point)
    shift = natural_weight_shift(zero_point)
    int8 = dequantize_to_int8(q.codes, q.scale, q.zero, group=32, weight_shift=shift)
    step = q.base[:, None] * 2**shift
    assert (np.abs(step * int8 - q.dequantize()) <= 0.5 * step * (1 + 1e-12)).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_names_the_value_that_is_not_finite(bad: float) -> None:
    w = np.zeros((3, 4))
    w[1, 2] = bad
    rule = "every value must be finite, so remove NaN and infinity first"
    with pytest.raises(ShapeError, match=rf"^w\[1, 2\] = {bad}; {rule}$"):
        quantize_weights(w, group=2, zero_point=False)
    with pytest.raises(ShapeError, match=rf"^a\[1, 2\] = {bad}; {rule}$"):
        quantize_activations(w)


@pytest.mark.parametrize("shape", [(4,), (2, 2, 2), (0, 4), (4, 0)])
def test_refuses_what_is_not_a_matrix(shape: tuple[int, ...]) -> None:
    message = rf"^w has shape \({', '.join(map(str, shape))},?\); it must have two dimensions"
    with pytest.raises(ShapeError, match=message):
        quantize_weights(np.ones(shape), group=2, zero_point=False)


@pytest.mark.parametrize("group", [0, -2, 3, 48, 32.0])
def test_refuses_a_group_that_is_not_a_power_of_two(group: int) -> None:
    message = rf"^group={group} must be a power of two; set it to 32, 64 or 128$"
    with pytest.raises(ConfigError, match=message):
        quantize_weights(np.ones((2, 2)), group=group, zero_point=False)
    ones = np.ones((2, 2), dtype=np.int64)
    with pytest.raises(ConfigError, match=message):
        dequantize_to_int8(ones, ones, ones, group=group, weight_shift=0)


def test_refuses_scales_of_another_number_of_groups() -> None:
    ones = np.ones((2, 5), dtype=np.int64)
    with pytest.raises(
        ShapeError,
        match=r"^scale has shape \(2, 5\); codes of shape \(2, 5\) in groups of 2 need "
        r"\(n, groups\) = \(2, 3\)$",
    ):
        dequantize_to_int8(ones, ones, ones, group=2, weight_shift=0)
    with pytest.raises(ShapeError, match=r"^codes has shape \(5,\); it must be \(n, k\)$"):
        dequantize_to_int8(ones[0], ones, ones, group=2, weight_shift=0)
