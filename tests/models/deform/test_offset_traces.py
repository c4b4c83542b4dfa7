"""models/deform/offset_traces.py."""

import numpy as np
import pytest

from dovetail.errors import TraceError
from dovetail.models.deform.offset_traces import (
    Distribution,
    sampling_positions,
    synthetic_offsets,
    with_published_histogram,
)


@pytest.mark.parametrize(("distribution", "deviation"), [("gamma", 0.02), ("lognormal", 0.06)])
def test_drawn_offsets_match_the_published_histogram(
    distribution: Distribution, deviation: float
) -> None:
    """Mean 3.81, deviation 2.76, a tail to 15 to 17 pixels that few samples reach."""
    s = synthetic_offsets((500, 800), distribution=distribution, rng=np.random.default_rng(1))
    assert s.mean() == pytest.approx(3.81, rel=0.01)
    assert s.std() == pytest.approx(2.76, rel=deviation)
    assert s.min() >= 0
    assert s.max() == 17
    assert 0.002 < (s > 15).mean() < 0.01


def test_values_are_replaced_in_their_order() -> None:
    rng = np.random.default_rng(2)
    values = rng.standard_normal((40, 50)) * 1000
    placed = with_published_histogram(values, rng=rng)
    order = np.argsort(values, axis=None)
    assert (np.diff(placed.reshape(-1)[order]) >= 0).all()
    assert placed.mean() == pytest.approx(3.81, rel=0.05)
    assert placed.std() == pytest.approx(2.76, rel=0.08)


def test_an_unknown_distribution_is_refused() -> None:
    with pytest.raises(
        TraceError,
        match="^distribution='normal' must be one of gamma, lognormal; change it$",
    ):
        synthetic_offsets((1, 1), distribution="normal", rng=np.random.default_rng())  # type: ignore[arg-type]


def test_freely_displaced_taps_lie_at_the_published_distance() -> None:
    """Nine taps around each pixel, in no direction more than in another, to half a pixel."""
    rows, columns = sampling_positions((120, 90), rng=np.random.default_rng(6))
    assert rows.shape == columns.shape == (9, 120, 90)
    down, right = rows - np.arange(120)[:, None], columns - np.arange(90)
    distance = np.hypot(down, right)
    assert distance.mean() == pytest.approx(3.81, rel=0.02)
    # Rounding adds a twelfth to the variance of each coordinate.
    squares = 3.81**2 + 2.76**2 + 2 / 12
    assert (distance**2).mean() == pytest.approx(squares, rel=0.03)
    assert distance.max() <= 17 + 2**-0.5
    assert abs(down.mean()) < 0.05 and abs(right.mean()) < 0.05
    assert (down**2).mean() == pytest.approx((right**2).mean(), rel=0.03)
