"""sweeps/reproduce_lut.py and its table: every row, and published numbers that agree."""

from collections import Counter
from pathlib import Path

import pytest

from dovetail.arch.gpu_machine import machine_preset
from dovetail.models.networks import network
from dovetail.reports.reproduce import to_markdown
from dovetail.sim.gpu import simulate_on_gpu
from dovetail.sweeps import reproduce_lut
from dovetail.sweeps.reproduce_lut import published, rows
from dovetail.sweeps.reproduction import ReproductionRow


@pytest.fixture(scope="module")
def all_rows() -> list[ReproductionRow]:
    return rows()


def test_the_table_has_every_row_of_the_list() -> None:
    figures = [figure for figure in published().values() if isinstance(figure, dict)]
    numbers = {int(figure["row"]) for figure in figures if "row" in figure}
    assert numbers == set(range(1, 22))
    assert all("source" in figure for figure in figures if "row" in figure)


def test_rows_stand_in_order_and_are_told_apart(all_rows: list[ReproductionRow]) -> None:
    numbers = [int(row.row) for row in all_rows]
    assert numbers == sorted(numbers)
    assert len({(row.row, row.what) for row in all_rows}) == len(all_rows)
    for row in all_rows:
        assert row.paper == "lut-tensor-core"
        assert row.source and row.why


def test_a_part_s_rows_are_put_among_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    figure = published()["peaks"]
    parts = (lambda _: [_as(figure, "21")], lambda _: [_as(figure, "2"), _as(figure, "13")])
    monkeypatch.setattr(reproduce_lut, "PARTS", parts)
    assert [row.row for row in rows()] == ["2", "13", "21"]


def _as(figure: dict[str, object], number: str) -> ReproductionRow:
    from dovetail.sweeps.reproduction import compare

    return compare(
        paper="lut-tensor-core",
        row=number,
        what="x",
        published=1.0,
        ours=None,
        scale="relative",
        tolerance=None,
        accounting="dovetail",
        why="w",
        source=str(figure["source"]),
    )


def test_published_numbers_agree_with_each_other() -> None:
    """Ratios that the paper quotes, from the numbers that it prints elsewhere."""
    figures = published()
    prefill, decode = figures["latency_ms"]["prefill"], figures["latency_ms"]["decode"]
    assert decode["a100-fp16"] / decode["a100-lut-8x"] == pytest.approx(5.51, abs=5e-3)
    assert decode["h100-fp8"] / decode["h100-lut-8x"] == pytest.approx(2.06, abs=5e-3)
    assert prefill["a100-fp16"] / prefill["a100-lut-4x"] == pytest.approx(2.51, abs=5e-3)
    areas = (17271.71, 13116.60, 12780.05, 11991.29)
    for value, area in zip(figures["unpu_area"]["values"], areas[1:], strict=True):
        assert value == pytest.approx(areas[0] / area, abs=1e-3)
    powers = (23.39, 17.98, 17.37, 16.22)
    for value, power in zip(figures["unpu_power"]["values"], powers[1:], strict=True):
        assert value == pytest.approx(powers[0] / power, abs=1e-3)
    assert figures["w2a8_8x_area"]["value"] == pytest.approx(0.373 / 0.975, abs=1e-3)
    assert figures["dp4_density"]["value"] == pytest.approx(61.55 / 3.39, abs=1e-2)
    assert figures["array_area"]["value"] == areas[-1]
    assert figures["array_power"]["value"] == powers[-1]
    for phase, means in figures["precompute"]["means"].items():
        for index, kind in enumerate(("separate", "fused"), start=1):
            shares = [
                case["ms"][index] / case["ms"][0] - 1
                for case in figures["precompute"][phase].values()
            ]
            assert means[kind] == pytest.approx(sum(shares) / 3, abs=1e-3)


def test_rows_of_the_gpu_model(all_rows: list[ReproductionRow]) -> None:
    gpu = [row for row in all_rows if 12 <= int(row.row) <= 19]
    assert Counter(row.row for row in gpu) == {
        "12": 7,
        "13": 2,
        "14": 2,
        "15": 2,
        "16": 4 + 12,
        "17": 2,
        "18": 2,
        "19": 4,
    }
    tolerances = {
        "12": {0.002},
        "13": {0.15},
        "14": {0.15},
        "15": {0.15},
        "16": {0.04, 0.015, None},
        "17": {None},
        "18": {0.05},
        "19": {0.1},
    }
    for number, expected in tolerances.items():
        assert {row.tolerance for row in gpu if row.row == number} == expected


def test_peaks_are_reproduced(all_rows: list[ReproductionRow]) -> None:
    assert {row.verdict for row in all_rows if row.row == "12"} == {"reproduced"}


def test_speedups_are_ratios_of_latencies(all_rows: list[ReproductionRow]) -> None:
    """arXiv 2408.06003 v3: 5.51x is its headline on A100, 2.06x on H100."""
    headlines = {row.row: row for row in all_rows if "decode" in row.what and "8x" in row.what}
    assert headlines["14"].published == pytest.approx(5.51, abs=5e-3)
    assert headlines["15"].published == pytest.approx(2.06, abs=5e-3)
    slow, fast = (
        simulate_on_gpu(
            machine_preset(machine), network(name, phase="decode", batch=1024, seq=1)
        ).time_ms
        for machine, name in (("a100-fp16", "llama-3b"), ("a100-lut-8x", "bitnet-3b"))
    )
    assert headlines["14"].ours == pytest.approx(slow / fast)


def test_the_simulator_s_error_is_not_claimed(all_rows: list[ReproductionRow]) -> None:
    theirs, ours = (row for row in all_rows if row.row == "17")
    assert (theirs.ours, theirs.verdict) == (None, "not measured")
    assert "not released" in theirs.why
    assert ours.verdict == "report only"


def test_means_of_row_16_are_those_of_its_cases(all_rows: list[ReproductionRow]) -> None:
    sixteen = [row for row in all_rows if row.row == "16"]
    means = [row for row in sixteen if "mean of" in row.what]
    assert len(means) == 4
    for mean in means:
        start = mean.what.removesuffix("mean of three models")
        cases = [row for row in sixteen if row.what.startswith(start) and row is not mean]
        assert len(cases) == 3
        assert mean.ours == pytest.approx(sum(row.ours or 0.0 for row in cases) / 3)
        assert mean.published == pytest.approx(sum(row.published for row in cases) / 3, abs=1e-3)


def test_both_settings_of_the_sample_kernel_are_shown(all_rows: list[ReproductionRow]) -> None:
    log, files = (row for row in all_rows if row.row == "18")
    assert "log prints" in log.what and "files" in files.what
    assert files.ours is not None and log.ours is not None
    assert files.ours < log.ours


def test_the_page_in_the_docs_is_up_to_date(all_rows: list[ReproductionRow]) -> None:
    """Where not: `dovetail reproduce lut-tensor-core --markdown` prints its tables."""
    page = Path(__file__).resolve().parents[2] / "docs" / "reproduction.md"
    assert to_markdown(all_rows) in page.read_text(encoding="utf-8")


def test_every_row_of_the_list_is_answered(all_rows: list[ReproductionRow]) -> None:
    assert {int(row.row) for row in all_rows} == set(range(1, 22))
