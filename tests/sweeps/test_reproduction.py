"""sweeps/reproduction.py."""

import pytest

from dovetail.sweeps.reproduction import ReproductionRow, compare


def row(*, ours: float | None, scale: str, tolerance: float | None) -> ReproductionRow:
    return compare(
        paper="p",
        row="1",
        what="w",
        published=200.0,
        ours=ours,
        scale=scale,
        tolerance=tolerance,
        accounting="authors",
        why="because",
        source="page 1",
    )


@pytest.mark.parametrize(
    ("ours", "scale", "tolerance", "deviation", "verdict"),
    [
        (202.0, "relative", 0.01, 0.01, "reproduced"),
        (198.0, "relative", 0.01, -0.01, "reproduced"),
        (202.1, "relative", 0.01, 0.0105, "not reproduced"),
        (197.9, "relative", 0.01, -0.0105, "not reproduced"),
        (200.5, "absolute", 0.5, 0.5, "reproduced"),
        (199.4, "absolute", 0.5, -0.6, "not reproduced"),
        (200.0, "absolute", 0.0, 0.0, "reproduced"),
        (300.0, "relative", None, 0.5, "report only"),
    ],
)
def test_the_verdict_is_the_deviation_against_the_tolerance(
    ours: float, scale: str, tolerance: float | None, deviation: float, verdict: str
) -> None:
    found = row(ours=ours, scale=scale, tolerance=tolerance)
    assert found.deviation == pytest.approx(deviation)
    assert found.verdict == verdict


@pytest.mark.parametrize("tolerance", [None, 0.3])
def test_what_is_not_measured_has_no_deviation(tolerance: float | None) -> None:
    found = row(ours=None, scale="relative", tolerance=tolerance)
    assert (found.ours, found.deviation, found.verdict) == (None, None, "not measured")
