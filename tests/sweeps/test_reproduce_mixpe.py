"""sweeps/reproduce_mixpe.py: the verdict on every published figure of MixPE."""

from collections import Counter
from pathlib import Path

import pytest

from dovetail.reports.reproduce import to_markdown
from dovetail.sim.authors import simulate_authors
from dovetail.sweeps import reproduce_mixpe
from dovetail.sweeps.mixpe_design_space import PeComparison
from dovetail.sweeps.reproduce_mixpe import pe_ratio_row, rows
from dovetail.sweeps.reproduction import ReproductionRow
from dovetail.tests.sweeps.pe_tables import table

DESIGNS, NETWORKS, LIBRARIES = 7, 4, 3
DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def all_rows() -> list[ReproductionRow]:
    return rows()


def test_every_figure_of_the_list_is_there(all_rows: list[ReproductionRow]) -> None:
    assert Counter(row.row for row in all_rows) == {
        "1": DESIGNS * NETWORKS,
        "2": DESIGNS * (NETWORKS + 1),  # and the mean
        "3": DESIGNS * NETWORKS * 4,  # parts
        "4": 5,  # baselines
        "5": 5,
        "6": 2,
        "7": NETWORKS + 5 * NETWORKS,  # the ratio, and the cycles of five designs
        "8": 2,
        "9": LIBRARIES,
        "10": LIBRARIES,
        "11": LIBRARIES,
        "12": 2,
        "13": 4,
    }
    assert len({row.what for row in all_rows}) == len(all_rows)


@pytest.mark.parametrize("number", ["1", "2", "3", "4", "5", "6", "7", "8", "13"])
def test_the_figure_is_reproduced(number: str, all_rows: list[ReproductionRow]) -> None:
    missed = [row for row in all_rows if row.row == number and abs(row.deviation) > row.tolerance]
    assert not missed
    assert {row.verdict for row in all_rows if row.row == number} == {"reproduced"}


def test_the_headline_is_only_reported(all_rows: list[ReproductionRow]) -> None:
    time, energy = (row for row in all_rows if row.row == "12")
    assert time.verdict == energy.verdict == "report only"
    assert (time.published, energy.published) == (2.6, 1.4)
    assert "names no baseline" in time.why


def test_cycles_are_equal_to_the_last_one(all_rows: list[ReproductionRow]) -> None:
    """The tolerance is 1 %, but the same search must find the same optimum."""
    for row in all_rows:
        if "cycles: " in row.what:  # of the seven designs, and of the ablation
            assert row.ours == row.published


def test_time_and_energy_ratios_are_geometric_means(all_rows: list[ReproductionRow]) -> None:
    ours = {row.what: row.ours for row in all_rows if row.row in ("4", "5")}
    time = energy = 1.0
    for network in ("vit", "vit-huge", "opt-6.7b", "llama2-13b"):
        mixpe = simulate_authors("mixpe-w4a8", f"{network}-authors")
        ant = simulate_authors("ant", f"{network}-authors")
        time *= ant.cycles / mixpe.cycles
        energy *= ant.energy.total_pj / mixpe.energy.total_pj
    what = "MixPE-W4A8 {}, geometric mean of the networks: over ANT"
    assert ours[what.format("speed-up")] == pytest.approx(time ** (1 / 4))
    assert ours[what.format("energy saving")] == pytest.approx(energy ** (1 / 4))


def test_every_row_says_where_its_figure_stands_and_why(
    all_rows: list[ReproductionRow],
) -> None:
    for row in all_rows:
        assert row.paper == "mixpe"
        assert row.source and row.why
        ours = row.row in ("9", "10", "11", "13")
        assert row.accounting == ("dovetail" if ours else "authors")


PUBLISHED = {"paper": "mixpe"}
RATIO = {
    "row": "9",
    "what": "PE ratio",
    "scale": "relative",
    "tolerance": 0.3,
    "pe": "mixpe.pe_w4a8",
    "baseline": "int8.pe",
    "value": 2.0,
    "source": "s",
    "why": "known unknowns",
}


def test_a_ratio_of_pes_gives_its_reason_in_figures() -> None:
    smaller = PeComparison(area_um2=(50.0, 60.0), power_uw=(20.0, 25.0))  # 1.2 x 1.25 = 1.5
    row = pe_ratio_row(PUBLISHED, RATIO, "L", smaller)
    assert (row.what, row.published, row.ours) == ("PE ratio, L", 2.0, 1.5)
    assert (row.deviation, row.verdict) == (-0.25, "reproduced")
    assert row.why == (
        "L: mixpe.pe_w4a8 has 50 um2 against 60 (1.2x in area) and takes 20 uW against 25 (1.25x "
        "in power), 1.33 times less than published in all; known unknowns"
    )
    summing = RATIO | {"adder": "only.adds"}
    row = pe_ratio_row(PUBLISHED, summing, "L", smaller, (3.0, 1.25))
    assert row.why.endswith(
        "in all; FP32 sums decide it: only.adds, which sums FP16 numbers and multiplies nothing, "
        "comes to 3; with FP16 sums mixpe.pe_w4a8 comes to 1.25; known unknowns"
    )
    larger = PeComparison(area_um2=(60.0, 50.0), power_uw=(25.0, 25.0))
    assert pe_ratio_row(PUBLISHED, RATIO, "L", larger).verdict == "not reproduced"
    far_better = PeComparison(area_um2=(10.0, 50.0), power_uw=(25.0, 25.0))
    row = pe_ratio_row(PUBLISHED, RATIO, "L", far_better)
    assert row.verdict == "not reproduced"
    assert "2.5 times more than published" in row.why


def test_a_ratio_without_a_tolerance_is_only_reported() -> None:
    compared = PeComparison(area_um2=(1.0, 9.0), power_uw=(1.0, 9.0))
    figure = {name: value for name, value in RATIO.items() if name != "tolerance"}
    assert pe_ratio_row(PUBLISHED, figure, "L", compared).verdict == "report only"


def test_a_ratio_of_pes_that_no_table_has_is_not_measured() -> None:
    row = pe_ratio_row(PUBLISHED, RATIO, "L", None)
    assert (row.ours, row.deviation, row.verdict) == (None, None, "not measured")
    assert row.why == "L: not measured yet: no table has both mixpe.pe_w4a8 and int8.pe"


def test_ratios_come_from_the_packaged_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    pes = {"mixpe.pe_w4a8": (50.0, 0.1, 0.1, 1.0), "int8.pe": (100.0, 0.1, 0.1, 1.0)}
    monkeypatch.setattr(reproduce_mixpe, "technologies", lambda: ("mine",))
    monkeypatch.setattr(reproduce_mixpe, "technology", lambda name: table(name, pes))
    libraries = {"libraries": {"Mine": "mine", "Other": "other"}}
    mine, other = reproduce_mixpe._pe_ratios(PUBLISHED | libraries, RATIO)
    assert mine.ours == pytest.approx(2.0)
    assert mine.what == "PE ratio, Mine"
    assert other.verdict == "not measured"


def test_the_page_in_the_docs_is_up_to_date(all_rows: list[ReproductionRow]) -> None:
    assert to_markdown(all_rows) in (DOCS / "reproduction.md").read_text(encoding="utf-8")


def test_the_functional_rows_say_what_they_are_not(all_rows: list[ReproductionRow]) -> None:
    (why,) = {row.why for row in all_rows if row.row == "13"}
    assert "not RTL, which `dovetail verify mixpe` compares" in why
    assert "exact only for scales of 0 to 8" in why  # 15 * 9 = 135 is no INT8
