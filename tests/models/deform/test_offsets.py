"""models/deform/offsets.py."""

import numpy as np
import pytest

from dovetail.errors import ConfigError, ShapeError, TraceError
from dovetail.models.deform.deform_conv import deform_conv
from dovetail.models.deform.offsets import (
    OffsetRule,
    integer_square,
    nearest_square,
    round_half_up,
    square_offsets,
)

RNG = np.random.default_rng(1)
OFFSETS = RNG.uniform(-12, 12, (2, 18, 3, 4))


def test_switches_do_what_they_say_alone() -> None:
    np.testing.assert_array_equal(OffsetRule().apply(OFFSETS), OFFSETS)
    rounded = OffsetRule(round=True).apply(OFFSETS)
    assert np.abs(rounded - OFFSETS).max() <= 0.5
    assert (rounded == rounded.astype(int)).all()
    bounded = OffsetRule(bound=7).apply(OFFSETS)
    np.testing.assert_array_equal(bounded, np.minimum(np.maximum(OFFSETS, -7), 7))
    squared = OffsetRule(square=True).apply(OFFSETS)
    np.testing.assert_allclose(squared, square_offsets(nearest_square(OFFSETS)))


@pytest.mark.parametrize("s", [0.0, 1.0, 2.5, 7.0])
def test_the_taps_of_a_square_offset_lie_at_dilation_s(s: float) -> None:
    """For whole s: the same as a plain dilated convolution with padding s."""
    x, weights = RNG.standard_normal((1, 2, 9, 9)), RNG.standard_normal((3, 2, 3, 3))
    got = deform_conv(x, weights, square_offsets(np.full((1, 9, 9), s)), padding=(1, 1))
    if s == 0:
        expected = np.einsum("nchw,oc->nohw", x, weights.sum(axis=(2, 3)))
    elif s == int(s):
        zero = np.zeros((1, 18, 9, 9))
        expected = deform_conv(
            x, weights, zero, padding=(int(s), int(s)), dilation=(int(s), int(s))
        )
    else:  # bilinear is linear between whole dilations only along one direction: the cross
        cross = np.zeros((3, 3), dtype=bool)
        cross[1], cross[:, 1] = True, True
        weights = weights * cross
        got = deform_conv(x, weights, square_offsets(np.full((1, 9, 9), s)), padding=(1, 1))
        low, high = (
            deform_conv(x, weights, square_offsets(np.full((1, 9, 9), t)), padding=(1, 1))
            for t in (np.floor(s), np.ceil(s))
        )
        expected = (low + high) / 2
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_the_nearest_square_is_the_least_squares_one() -> None:
    fitted = nearest_square(OFFSETS)
    best = ((square_offsets(fitted) - OFFSETS) ** 2).sum(axis=1)
    for step in (-0.01, 0.01):
        assert (best < ((square_offsets(fitted + step) - OFFSETS) ** 2).sum(axis=1)).all()
    s = RNG.uniform(-7, 8, (2, 3, 4))
    np.testing.assert_allclose(nearest_square(square_offsets(s)), s)


def test_square_bound_and_round_together_give_whole_dilations_up_to_the_bound() -> None:
    rule = OffsetRule(square=True, bound=3, round=True)
    s = nearest_square(rule.apply(OFFSETS))
    assert set(np.unique(np.round(s, 9))) == {0.0, 1.0, 2.0, 3.0}


def test_integer_square_offsets_clip_and_round_halves_up() -> None:
    s = np.array([[-3.0, 0.49, 0.5, 1.5, 6.5, 6.49, 7.2, 99.0]])
    got = integer_square(s, bound=7)
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, [[0, 0, 1, 2, 7, 6, 7, 7]])
    np.testing.assert_array_equal(round_half_up(np.array([-0.5, -1.5])), [0, -1])


def test_nan_is_refused() -> None:
    for make in (
        lambda bad: integer_square(bad[:, 0], bound=7),
        lambda bad: OffsetRule(bound=7).apply(bad),
        lambda bad: OffsetRule(square=True).apply(bad),
    ):
        bad = OFFSETS.copy()
        bad[1, 0, 2, 3] = np.nan
        with pytest.raises(
            TraceError,
            match=r"^offsets\[1, (0, )?2, 3\] = nan; every offset must be a finite number, so "
            r"correct what made it$",
        ):
            make(bad)


def test_other_kernels_and_bounds_are_refused() -> None:
    with pytest.raises(
        ShapeError,
        match=r"^offsets have shape \(2, 8, 3, 4\); they must be \(n, 18, height, width\)$",
    ):
        OffsetRule().apply(OFFSETS[:, :8])
    with pytest.raises(ConfigError, match=r"^bound=0 must be 1 or more; change it$"):
        OffsetRule(bound=0)
