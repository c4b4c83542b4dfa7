"""sweeps/reproduce_deform.py, reproduce_deform_study.py and reproduce_deform_values.py."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dovetail.reports.reproduce import to_markdown
from dovetail.sweeps import deform_fpga, reproduce_deform, reproduce_deform_values
from dovetail.sweeps.reproduce_deform_study import engine_result
from dovetail.sweeps.reproduction import ReproductionRow, published_figures

MISSED = {
    "4": {"authors", "dovetail"},
    "5": {"dovetail"},
    "6": {"dovetail"},
    "7": {"authors"},
    "8": {"authors", "dovetail"},
    "9": {"authors", "dovetail"},
    "10": {"dovetail"},
}
"""Numbers with a figure that does not come out, and under which accounting."""
PUBLISHED = published_figures("deformable-conv")


@pytest.fixture(scope="module")
def rows() -> list[ReproductionRow]:
    return reproduce_deform.rows()


def test_every_number_of_the_list_has_a_row_in_order(rows: list[ReproductionRow]) -> None:
    numbers = [int(row.row) for row in rows]
    assert numbers == sorted(numbers) and set(numbers) == set(range(1, 15))
    assert {row.paper for row in rows} == {"deformable-conv"}
    assert all(row.why and row.source for row in rows)
    assert len({(row.row, row.what) for row in rows}) == len(rows)


def test_what_does_not_come_out_is_known(rows: list[ReproductionRow]) -> None:
    missed: dict[str, set[str]] = {}
    for row in rows:
        if row.verdict == "not reproduced":
            missed.setdefault(row.row, set()).add(row.accounting)
    assert missed == MISSED
    assert {row.row for row in rows if row.verdict == "not measured"} == {"7", "11", "14"}


def test_published_ratios_are_those_of_the_published_times() -> None:
    speed_up = PUBLISHED["speed_up"]
    for (over, under), value in zip(speed_up["times_ms"], speed_up["values"], strict=True):
        assert round(over / under, 2) == value
    for name, digits in (("square", 2), ("regular", 3)):
        over, under = PUBLISHED[name]["times_ms"]
        assert round(over / under, digits) == PUBLISHED[name]["value"]
    effect = PUBLISHED["cache_effect"]
    for (before, after), value in zip(effect["times_ms"], effect["values"], strict=True):
        assert round(after / before - 1, 3) == value


def test_the_study_s_table_is_the_one_behind_the_ratios() -> None:
    engines = PUBLISHED["cells"]["engines"]
    for at, engine in enumerate(engines):
        (_, gathered, one_port, square), (_, cached, _, _) = engine["times_ms"]
        assert PUBLISHED["speed_up"]["times_ms"][at] == [gathered, square]
        assert PUBLISHED["cache_effect"]["times_ms"][at] == [gathered, cached]
    regular = engines[1]["times_ms"][0][0]
    assert PUBLISHED["square"]["times_ms"] == [one_port, square]
    assert PUBLISHED["regular"]["times_ms"] == [square, regular]


def test_the_cell_that_calibrates_the_model_has_no_row(rows: list[ReproductionRow]) -> None:
    cells = [row for row in rows if row.what.startswith(PUBLISHED["cells"]["what"])]
    assert len(cells) == 15
    assert 20.5 not in [row.published for row in cells]
    assert all(row.deviation is not None and abs(row.deviation) > 1e-5 for row in cells)


def test_a_rate_is_reproduced_where_it_lies_between_paper_and_artifact(
    rows: list[ReproductionRow],
) -> None:
    bands = PUBLISHED["frames"]
    frames = [row for row in rows if row.row == "9"]
    assert len(frames) == 2 * len(bands["networks"])
    for at, row in enumerate(frames):
        low, high = (bands[name][at % len(bands["networks"])] for name in ("paper", "artifact"))
        assert row.ours is not None
        assert (row.verdict == "reproduced") == (low <= row.ours <= high), row.what


def test_the_study_s_engine_takes_at_least_its_reads_and_products() -> None:
    beats = 64 * 64 * 16  # of 16 channels
    assert beats <= engine_result("depthwise", "stream").cycles <= 1.03 * beats
    assert 3 * beats <= engine_result("depthwise", "3-ports").cycles <= 1.05 * 3 * beats
    assert 9 * beats <= engine_result("depthwise", "1-port").cycles <= 1.05 * 9 * beats
    products = 64 * 64 * 256 * 256 // 64
    for mode in ("stream", "gather", "1-port", "3-ports"):
        assert products <= engine_result("full", mode).cycles <= 1.02 * products


def test_an_offset_of_seven_is_wrong_with_the_public_lead_and_right_without() -> None:
    assert reproduce_deform_values.depthwise_mismatches(largest=7) == 0
    assert reproduce_deform_values.depthwise_mismatches(largest=7, public_lead=True) > 1000


def test_the_public_lead_loses_the_upper_taps_up_to_the_pixel_s_column() -> None:
    # By hand, 64 columns and rows: the row above is in the map for 57 of 64 rows; of its taps the
    # left one is there for 57 columns and the middle one for 64, and both are always lost.  Row
    # r + 8 has to exist, which leaves rows 7 to 55.
    lost = (55 - 7 + 1) * (57 + 64)
    inside = (57 + 64 + 57) ** 2
    assert reproduce_deform_values.public_taps_lost(7) == pytest.approx(lost / inside)
    assert reproduce_deform_values.public_taps_lost(6) == 0


def test_errors_of_rounding_and_of_the_bound_are_far_from_none_and_from_all() -> None:
    errors = reproduce_deform_values.offset_errors()
    assert set(errors) == {"round", "bound"}
    assert all(0.01 < error < 0.5 for error in errors.values())


@pytest.mark.parametrize("packed", [False, True])
def test_counts_on_the_fpga_are_of_the_rtl_that_is_here(packed: bool) -> None:
    """Where not: `python -m dovetail.sweeps.deform_fpga` counts again."""
    engine = replace(reproduce_deform.preset("codenet").engine, packed_products=packed)
    assert deform_fpga.table()[deform_fpga._key(engine), True]["rtl_sha256"] == (
        deform_fpga.rtl_digest(engine)
    )


def test_the_page_in_the_docs_is_up_to_date(rows: list[ReproductionRow]) -> None:
    """Where not: `dovetail reproduce deformable-conv --markdown` prints its tables."""
    page = Path(__file__).resolve().parents[2] / "docs" / "reproduction.md"
    assert to_markdown(rows) in page.read_text(encoding="utf-8")


def test_the_requantiser_of_the_comparison_rounds_halves_upwards() -> None:
    layer = reproduce_deform_values.LayerOperands(
        weights=np.zeros((1, 1), dtype=np.int8),
        scale=np.array([32767], dtype=np.int16),
        bias=np.array([100], dtype=np.int16),
    )
    sums = np.array([[-3.0], [1.0], [65536.0]])
    got = reproduce_deform_values._requantised(sums, layer)
    # -3 * 32767 / 65536 = -1.49995 and 32767 / 65536 = 0.49998, plus a half: -1 and 0.
    assert got[:, 0].tolist() == [-1 + 100 - 128, 0 + 100 - 128, 127]
