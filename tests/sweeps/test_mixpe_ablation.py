"""sweeps/mixpe_ablation.py."""

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dovetail.arch.mixpe import mixpe_design
from dovetail.arch.technology import Technology
from dovetail.arch.units import CORE_UNITS
from dovetail.errors import ConfigError
from dovetail.sweeps import mixpe_ablation as module
from dovetail.sweeps.mixpe_ablation import (
    BASES,
    CORES,
    GROUPS,
    METRICS,
    STEPS,
    cells,
    decompositions,
    main,
    markdown,
    steps,
)
from dovetail.tests.sweeps.pe_tables import table

TIME = {"before": 2.0, "after": 1.0, "multiplier": 1.0, "shift-add": 1.0}
ENERGY = {"before": 3.0, "after": 2.0, "multiplier": 1.0, "shift-add": 0.8}


def row(
    core: str, shape: tuple[int, int], group: int, zero_point: bool, phase: str
) -> dict[str, Any]:
    (placement, pe) = next(levels for levels, name in CORES.items() if name == core)
    rows, cols = shape
    # A core of `after` is a tenth larger per PE: 32 x 32 is out of the band, 30 x 31 within.
    array_um2 = rows * cols * (1.1 if placement == "after" else 1.0)
    return {
        "status": "ok",
        "network": "n",
        "phase": phase,
        "engine.core": core,
        "engine.rows": rows,
        "engine.cols": cols,
        "engine.max_group": group,
        "group": group,
        "zero_point": int(zero_point),
        "time_ms": TIME[placement] * TIME[pe] * 1024 / (rows * cols),
        "energy_pj": ENERGY[placement] * ENERGY[pe] * (1 + 32 / group),
        "array_um2": array_um2,
        "area_um2": 5000 + array_um2,
        "error": 0.01 * group**0.5 * (0.75 if zero_point else 1),
    }


@pytest.fixture
def rows() -> pd.DataFrame:
    shapes = ((32, 32), (30, 31), (31, 31))
    return pd.DataFrame(
        [
            row(core, shape, group, zero_point, phase)
            for core, shape, group, zero_point, phase in product(
                CORES.values(), shapes, GROUPS, (False, True), ("prefill", "decode")
            )
        ]
    )


def test_each_cell_has_one_design_on_each_basis(rows: pd.DataFrame) -> None:
    chosen = cells(rows)
    assert len(chosen) == 2 * len(BASES) * 4 * len(GROUPS) * 2
    assert not chosen.duplicated(["network", "phase", "basis", *module.FACTORS]).any()
    equal_pes = chosen[chosen["basis"] == "equal PEs"]
    assert set(equal_pes["array_um2"]) == {1024.0, 1.1 * 1024}


def test_at_equal_area_the_fastest_array_within_the_band_is_taken(rows: pd.DataFrame) -> None:
    chosen = cells(rows)
    equal_area = chosen[chosen["basis"] == "equal area"]
    found = dict(zip(equal_area["placement"], equal_area["array_um2"], strict=False))
    assert found["before"] == 1024
    assert found["after"] == pytest.approx(1.1 * 31 * 31)  # larger and faster than 30 x 31


def test_rejected_points_and_other_orders_change_nothing(rows: pd.DataFrame) -> None:
    more = pd.concat([rows.assign(status="rejected", time_ms=0.0), rows[::-1]])
    pd.testing.assert_frame_equal(cells(more), cells(rows))


def test_a_sweep_without_its_baseline_is_refused(rows: pd.DataFrame) -> None:
    with pytest.raises(
        ConfigError,
        match=r"^the sweep has no int8 array of 32 x 32, which the others are compared with; run "
        r"the sweep of an ablation to its end$",
    ):
        cells(rows[rows["engine.core"] != "int8"])


def test_the_gain_is_split_into_what_made_it(rows: pd.DataFrame) -> None:
    found = decompositions(rows)
    chosen = found[
        (found["basis"] == "equal PEs")
        & (found["phase"] == "decode")
        & (found["group"] == 32)
        & found["zero_point"]
    ]
    ratio = {(r.metric, r.term): r.ratio for r in chosen.itertuples()}
    assert ratio["time_ms", "placement"] == 0.5
    assert ratio["time_ms", "pe"] == ratio["time_ms", "group"] == 1
    assert ratio["energy_pj", "placement"] == pytest.approx(2 / 3)
    assert ratio["energy_pj", "pe"] == pytest.approx(0.8)
    assert ratio["energy_pj", "group"] == pytest.approx(2 / 1.25)
    assert ratio["energy_pj", "total"] == pytest.approx(2 / 3 * 0.8 * 2 / 1.25)
    assert ratio["error", "zero_point"] == pytest.approx(0.75)
    assert ratio["error", "group"] == pytest.approx(0.5)
    assert ratio["energy_pj", "placement x pe"] == pytest.approx(1)


def test_each_step_is_on_top_of_those_before(rows: pd.DataFrame) -> None:
    found = steps(rows)
    assert len(found) == 2 * len(BASES) * (len(STEPS) + 1)
    chosen = found[(found["basis"] == "equal PEs") & (found["phase"] == "decode")]
    assert chosen["step"].tolist() == [*(title for title, *_ in STEPS), "total"]
    assert chosen["time_ms"].tolist() == pytest.approx([0.5, 1, 1, 1, 1, 0.5])
    energy = [2 / 3, 0.8, 1.5 / 1.25, 2 / 1.5, 1, 2 / 3 * 0.8]
    assert chosen["energy_pj"].tolist() == pytest.approx(energy)
    assert chosen["error"].tolist() == pytest.approx([1, 1, 0.5**0.5, 0.5**0.5, 0.75, 1])
    text = markdown(chosen).splitlines()
    assert text[2] == (
        "| n decode | equal PEs | dequantise after the group "
        f"| 0.500 | 0.667 | 1.100 | {(5000 + 1126.4) / 6024:.3f} | 1.000 |"
    )
    assert len(text) == 2 + 6


@pytest.mark.parametrize("options", [[], ["--csv"]])
def test_the_command_says_in_one_line_what_is_wrong(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "none.sqlite"), *options]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_parts_of_every_decomposition_add_up(rows: pd.DataFrame) -> None:
    found = decompositions(rows)
    keys = ["phase", "basis", "metric", "group", "zero_point"]
    total = found[found["term"] == "total"].set_index(keys)["log2_ratio"]
    parts = found[found["term"] != "total"].groupby(keys)["log2_ratio"].sum()
    assert len(total) == 2 * 2 * len(METRICS) * 3 * 2
    pd.testing.assert_series_equal(parts.sort_index(), total.sort_index())


def every_unit(name: str) -> Technology:
    """A table in which MixPE's PE is the largest and any other unit takes 2 um2."""
    areas = {"mixpe.pe_w4a8": 110.0, "mixpe.pe_w4a8_multiplier": 90.0, "int8.pe_shift_add": 105.0}
    areas["int8.pe"] = 100.0
    names = {unit.name for core in CORES.values() for unit in CORE_UNITS[core]}
    return table(name, {unit: (areas.get(unit, 2.0), 0.1, 0.1, 1.0) for unit in names})


def test_the_sweep_has_every_cell_at_equal_pes_and_at_equal_area(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "technology", every_unit)
    sweep = module.sweep("asap7")
    prices = every_unit("asap7")
    target = None
    equal_pes, equal_area = set(), set()
    for candidate in sweep.points():
        design = mixpe_design(candidate.design)
        engine = design.engine
        assert engine.max_group == design.group
        assert engine.clock_mhz <= prices.fmax_mhz(engine)
        cell = (engine.core, design.group, design.zero_point)
        if target is None:
            baseline = replace(engine, core="int8", rows=32, cols=32)
            target = prices.array_um2(baseline)
        if (engine.rows, engine.cols) == (32, 32):
            equal_pes.add(cell)
        if abs(prices.array_um2(engine) / target - 1) <= 0.05:
            equal_area.add(cell)
    want = set(product(CORES.values(), GROUPS, (False, True)))
    assert equal_pes == equal_area == want
