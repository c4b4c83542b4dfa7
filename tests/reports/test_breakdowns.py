"""reports/breakdowns.py: the tables behind the bars."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.events import Event
from dovetail.arch.technology import technology
from dovetail.errors import StoreError
from dovetail.reports.breakdowns import (
    MAX_PARTS,
    Bars,
    area_bars,
    area_bounds,
    area_parts,
    bar_points,
    cycle_parts,
    energy_bars,
    energy_bounds,
    energy_parts,
    operator_table,
)
from dovetail.reports.study import Study, component_columns, read_study
from dovetail.reports.style import PART_COLOURS
from dovetail.tests.reports.synthetic import LAYERS, SHAPES, TECHNOLOGY


def test_bars_show_each_series_and_all_that_was_certified(study: Study) -> None:
    rows = bar_points(study, study.titles[0])
    assert list(dict.fromkeys(rows["series"])) == ["MixPE W4A8", "INT8"]
    assert {0, 1, 2} <= set(rows.index)


def test_parts_add_up(study: Study) -> None:
    rows = bar_points(study, study.titles[0])
    for parts, total in ((energy_parts, "energy_j"), (area_parts, "area_mm2")):
        assert len(parts(rows).columns) > 5
        totals = parts(rows).sum(axis=1)
        np.testing.assert_allclose(totals, rows[total].astype(float), rtol=1e-12)
    np.testing.assert_allclose(cycle_parts(rows).sum(axis=1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("bars", [energy_bars, area_bars])
def test_panels_show_the_same_parts_in_no_more_colours_than_there_are(
    study: Study, bars: Callable[[Study, pd.DataFrame], Bars]
) -> None:
    panels = [bars(study, bar_points(study, title)).parts for title in study.titles]
    assert len(panels) == 2
    assert list(panels[0].columns) == list(panels[1].columns)
    assert len(panels[0].columns) == MAX_PARTS <= len(PART_COLOURS)


@pytest.mark.parametrize("total", ["energy_pj", "area_um2"])
def test_a_store_whose_parts_do_not_add_up_is_refused(
    store: Path, tmp_path: Path, total: str
) -> None:
    name, unit = total.split("_")
    changed = tmp_path / "changed.sqlite"
    shutil.copy(store, changed)
    with sqlite3.connect(changed) as connection:
        connection.execute("DROP TRIGGER points_update")
        connection.execute(f"UPDATE points SET {total} = 1.001 * {total} WHERE point = 5")
    with pytest.raises(
        StoreError,
        match=rf"^.*changed\.sqlite: the {name} of point 5 is .* {unit}, but its parts add up to",
    ):
        read_study(changed)


def test_bounds_are_those_of_the_technology(study: Study, store: Path) -> None:
    rows = bar_points(study, study.titles[1])
    bounds = energy_bounds(rows)
    assert list(bounds.index) == list(rows.index)
    with sqlite3.connect(store) as connection:
        connection.row_factory = sqlite3.Row
        for number in rows.index:
            (row,) = connection.execute("SELECT * FROM points WHERE point = ?", [int(number)])
            engine = GemmEngineConfig(**json.loads(row["design"])["engine"])
            events = {event: row[event.value] for event in Event}
            low, high = technology(TECHNOLOGY).energy_range_pj(engine, events)
            assert bounds.loc[number, "low"] == pytest.approx(low * 1e-12, rel=1e-12)
            assert bounds.loc[number, "high"] == pytest.approx(high * 1e-12, rel=1e-12)
            assert low < row["energy_pj"] < high
            low, high = technology(TECHNOLOGY).area_range_um2(engine)
            assert area_bounds(rows).loc[number, "low"] == pytest.approx(low * 1e-6, rel=1e-12)
            assert area_bounds(rows).loc[number, "high"] == pytest.approx(high * 1e-6, rel=1e-12)
            assert low < row["area_um2"] < high


def test_a_store_without_bounds_has_none_to_show(study: Study) -> None:
    rows = bar_points(study, study.titles[0]).assign(energy_low_pj=float("nan"))
    assert energy_bounds(rows).empty


def test_no_column_of_the_store_itself_is_a_component(study: Study) -> None:
    own = {"low", "high"}
    assert not own & set(component_columns(study.points, "energy", "pj").columns)
    assert not own & set(component_columns(study.points, "area", "um2").columns)


def test_operators_of_equal_layers_are_one_row(study: Study) -> None:
    for title in study.titles:
        for number in study.fastest(title).values():
            table = operator_table(study, number)
            assert list(table["operator"]) == list(SHAPES)
            assert set(table["layers"]) == {f"0–{LAYERS - 1}"}
            assert set(table["runs"]) == {LAYERS}
            assert table["share"].sum() == pytest.approx(1.0, rel=1e-12)
            point = study.point(number)
            assert table["time_s"].sum() == pytest.approx(point["time_s"], rel=1e-12)
            mean = (table["utilization"] * table["share"]).sum()
            assert mean == pytest.approx(point["utilization"], rel=1e-12)
            assert (table["stalled"] * table["share"]).sum() == pytest.approx(
                point["stall_cycles"] / point["cycles"], rel=1e-12
            )
