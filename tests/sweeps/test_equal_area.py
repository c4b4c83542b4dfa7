"""sweeps/equal_area.py, and the sweeps made with it."""

from dataclasses import replace

import pytest

from dovetail.arch.mixpe import mixpe_design, preset
from dovetail.arch.technology import technology
from dovetail.errors import ConfigError
from dovetail.reports.array_area import EQUAL_AREA
from dovetail.sweeps import demo, mixpe_vs_int8
from dovetail.sweeps.axes import Sweep
from dovetail.sweeps.equal_area import BAND, arrays_by_rows, equal_area_arrays

TABLE = technology("nangate45")
SWEEPS = pytest.mark.parametrize(
    ("sweep", "baselines"),
    [
        pytest.param(sweep, baselines, id=sweep.name)
        for sweep, baselines in (
            (demo.sweep(), demo.BASELINES),
            (mixpe_vs_int8.sweep(), mixpe_vs_int8.BASELINES),
            (mixpe_vs_int8.asap7(), mixpe_vs_int8.BASELINES),
            (mixpe_vs_int8.sky130hd(), mixpe_vs_int8.BASELINES),
        )
    ],
)


@SWEEPS
def test_arrays_of_both_cores_have_the_area_of_a_baseline(
    sweep: Sweep, baselines: tuple[tuple[int, int], ...]
) -> None:
    prices = technology(sweep.technology)
    base = preset("w4a8-32x32").engine
    targets = [
        prices.array_um2(replace(base, core="int8", rows=rows, cols=cols))
        for rows, cols in baselines
    ]
    seen = {(core, at): 0 for core in ("mixpe_w4a8", "int8") for at in range(len(targets))}
    arrays = next(iter(sweep.axes.values()))
    for core, rows, cols in arrays:
        area = prices.array_um2(replace(base, core=core, rows=rows, cols=cols))
        at = min(range(len(targets)), key=lambda at: abs(area / targets[at] - 1))
        assert abs(area / targets[at] - 1) <= 0.05
        seen[core, at] += 1
    assert min(seen.values()) >= 1


@SWEEPS
def test_every_array_can_be_built_with_some_buffers(
    sweep: Sweep, baselines: tuple[tuple[int, int], ...]
) -> None:
    prices = technology(sweep.technology)
    built = set()
    for candidate in sweep.points():
        array = tuple(candidate.settings[f"engine.{name}"] for name in ("core", "rows", "cols"))
        try:
            design = mixpe_design(candidate.design)
        except ConfigError as error:
            assert "_buffer_bytes=" in str(error)  # the only reason for which a point is refused
            continue
        assert design.engine.clock_mhz <= prices.fmax_mhz(design.engine)
        built.add(array)
    assert built == set(next(iter(sweep.axes.values())))


def test_the_demo_can_be_certified_quickly() -> None:
    arrays = next(iter(demo.sweep().axes.values()))
    assert max(rows * cols for _, rows, cols in arrays) <= 16 * 16


def test_the_baseline_itself_is_among_the_arrays() -> None:
    base = preset("w4a8-32x32").engine
    target = TABLE.array_um2(replace(base, core="int8", rows=16, cols=16))
    arrays = equal_area_arrays(
        base, target_um2=target, band=0.01, cores=("int8",), technology=TABLE
    )
    assert ("int8", 16, 16) in arrays


def test_arrays_by_rows_are_of_one_area_and_every_aspect() -> None:
    base = preset("w4a8-32x32").engine
    target = TABLE.array_um2(replace(base, rows=8, cols=64))
    arrays = arrays_by_rows(base, target_um2=target, band=0.05, technology=TABLE)
    assert (8, 64) in arrays and {2, 4, 8, 16, 32} <= {rows for rows, _ in arrays}
    for rows, cols in arrays:
        areas = {
            other: TABLE.array_um2(replace(base, rows=rows, cols=other))
            for other in (cols - 1, cols, 2 ** (cols - 1).bit_length())
            if 0 < other <= 256
        }
        assert abs(areas[cols] / target - 1) <= 0.05
        # A power of two is taken where one fits.
        power = 2 ** (cols - 1).bit_length()
        assert power == cols or abs(areas[power] / target - 1) > 0.05
    with pytest.raises(ConfigError, match=r"^no mixpe_w4a8 array has an area within 5% of 50 um2"):
        arrays_by_rows(base, target_um2=50.0, band=0.05, technology=TABLE)


def test_says_when_no_array_fits() -> None:
    with pytest.raises(ConfigError, match=r"^no int8 array has an area within 1% of 50 um2; widen"):
        equal_area_arrays(
            preset("w4a8-8x8").engine, target_um2=50.0, band=0.01, cores=("int8",), technology=TABLE
        )


def test_the_questions_and_the_answer_mean_the_same_band() -> None:
    assert f"within {BAND * 100:.0f} %" in mixpe_vs_int8.sweep().question
    # One array at the lower end of the band beside one at the upper end.
    assert EQUAL_AREA == pytest.approx((1 + BAND) - (1 - BAND))
