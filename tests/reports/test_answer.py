"""reports/answer.py: the sentences, against the exported table."""

import math
import re
from pathlib import Path

import pandas as pd
import pytest

from dovetail.arch.mixpe import preset
from dovetail.arch.technology import technology
from dovetail.reports.answer import answer
from dovetail.reports.study import Study
from dovetail.sweeps.store import Store
from dovetail.sweeps.table import export
from dovetail.tests.reports.synthetic import TECHNOLOGY


@pytest.fixture(scope="module")
def table(store: Path, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    path = tmp_path_factory.mktemp("table") / "points.csv"
    with Store.open(store) as opened:
        export(opened, path)
    rows = pd.read_csv(path)
    return rows[rows["status"] == "ok"]


def dominated(row: pd.Series, rows: pd.DataFrame) -> bool:
    """Pareto's definition, word by word."""
    names = ["time_ms", "energy_pj", "area_um2", "error"]
    others = rows[names]
    no_worse = (others <= row[names]).all(axis=1)
    better = (others < row[names]).any(axis=1)
    return bool((no_worse & better).any())


@pytest.mark.parametrize("phase", ["prefill", "decode"])
def test_the_comparison_is_that_of_the_exported_table(
    study: Study, table: pd.DataFrame, phase: str
) -> None:
    rows = table[table["phase"] == phase]
    ratios: dict[str, list[float]] = {"time_ms": [], "energy_pj": []}
    # The arrays of equal area, by construction of the store: 8 x 8 to 7 x 8, 16 x 16 to 14 x 14.
    for mixpe, int8 in ((8, 7), (16, 14)):
        for key in ("engine.port_bits", "group"):
            assert set(rows[key]) == {"engine.port_bits": {256, 1024}, "group": {32, 64, 128}}[key]
        for port in (256, 1024):
            for group in (32, 64, 128):
                same = rows[(rows["engine.port_bits"] == port) & (rows["group"] == group)]
                (first,) = same.index[
                    (same["engine.core"] == "mixpe_w4a8") & (same["engine.rows"] == mixpe)
                ]
                (other,) = same.index[
                    (same["engine.core"] == "int8") & (same["engine.rows"] == int8)
                ]
                for name, found in ratios.items():
                    found.append(rows.loc[other, name] / rows.loc[first, name])
    (text,) = [text for heading, text in answer(study) if phase in heading]
    said = re.match(
        r"At equal array area MixPE W4A8 is ([\d.]+) \(geometric mean; from ([\d.]+) to ([\d.]+)\) "
        r"times as fast as INT8, and INT8 takes ([\d.]+) \(geometric mean; from ([\d.]+) to "
        r"([\d.]+)\) times its energy \(12 pairs of points",
        text,
    )
    assert said
    wanted = []
    for found in ratios.values():
        mean = math.prod(found) ** (1 / len(found))
        wanted += [f"{mean:.2f}", f"{min(found):.2f}", f"{max(found):.2f}"]
    assert list(said.groups()) == wanted


@pytest.mark.parametrize("phase", ["prefill", "decode"])
def test_the_front_is_that_of_the_exported_table(
    study: Study, table: pd.DataFrame, phase: str
) -> None:
    rows = table[table["phase"] == phase]
    front = rows[[not dominated(row, rows) for _, row in rows.iterrows()]]
    (text,) = [text for heading, text in answer(study) if phase in heading]
    counts = front["engine.core"].value_counts()
    assert (
        f"{len(front)} of {len(rows)} points are on the front "
        f"({counts['mixpe_w4a8']} MixPE W4A8, {counts['int8']} INT8)."
    ) in text
    best = front.sort_values(["energy_pj", "time_ms"]).iloc[0]
    named = re.search(r"[Ll]east energy: MixPE W4A8 #(\d+) .* with ([\d.]+) ms, ([\d.]+) mJ", text)
    assert named
    assert int(named[1]) == best["point"]
    assert float(named[2]) == pytest.approx(best["time_ms"], rel=5e-3)
    assert float(named[3]) == pytest.approx(best["energy_pj"] * 1e-9, rel=5e-3)
    exact = front.loc[front["error"] == front["error"].min(), "energy_pj"].min()
    assert f"costs {exact / best['energy_pj'] - 1:.1%} more energy than the least." in text


def test_arrays_count_as_equal_by_the_area_of_the_array_alone() -> None:
    """What the pairs of the first test rest on, from the table of prices itself."""
    prices = technology(TECHNOLOGY)
    fields = preset("w4a8-32x32").to_dict()["engine"]

    def array(core: str, rows: int, cols: int | None = None) -> float:
        shape = {"core": core, "rows": rows, "cols": cols or rows}
        return prices.array_um2(type(preset("w4a8-32x32").engine)(**fields | shape))

    assert abs(array("mixpe_w4a8", 8) / array("int8", 7, 8) - 1) < 0.1
    assert abs(array("mixpe_w4a8", 16) / array("int8", 14) - 1) < 0.1
    assert abs(array("mixpe_w4a8", 8) / array("int8", 14) - 1) > 0.1
    assert abs(array("mixpe_w4a8", 20) / array("int8", 14) - 1) > 0.1


def test_a_failed_certificate_is_said_aloud(study: Study) -> None:
    heading, text = answer(study)[-1]
    assert heading == "Certificates"
    assert text.startswith("2 points were certified: ")
    assert text.endswith(" 1 failed and must not be believed.")
