"""reports/shapes.py: the best of each shape, found again from the points, and drawn."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import matplotlib
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from dovetail.reports.answer import answer
from dovetail.reports.figures import STYLE
from dovetail.reports.html import render
from dovetail.reports.shapes import (
    aspect_text,
    best_of_shapes,
    has_shapes,
    shape_chart,
    shape_figure,
    shape_sentences,
)
from dovetail.reports.study import Study, read_study
from dovetail.reports.style import ENERGY, TIME
from dovetail.tests.reports.synthetic import sweep, write_store

ARRAYS = (
    *(("mixpe_w4a8", rows, 256 // rows) for rows in (4, 8, 16, 32)),
    *(("int8", rows, 192 // rows) for rows in (6, 12, 24)),
)


@pytest.fixture(scope="module")
def shaped(tmp_path_factory: pytest.TempPathFactory) -> Study:
    axes = {**sweep().axes, ("engine.core", "engine.rows", "engine.cols"): ARRAYS}
    definition = replace(sweep(), axes=axes)
    folder = tmp_path_factory.mktemp("shapes")
    study = read_study(write_store(folder / "sweep.sqlite", definition, refuse=lambda _: None))
    return replace(study, points=with_arrays(study.points, 1000.0))


def with_arrays(points: pd.DataFrame, area_um2: float) -> pd.DataFrame:
    """Points whose arrays are PEs alone, of that area."""
    parts = [name for name in points.columns if re.fullmatch(r"area_\w+_um2", name)]
    return points.assign(**(dict.fromkeys(parts, 0.0) | {"area_pe_um2": area_um2}))


def least(study: Study, title: str, core: str, rows: int, column: str) -> float:
    """By walking over the points: the base's group is 128."""
    points = study.points
    chosen = points[
        (points["title"] == title)
        & (points["engine.core"] == core)
        & (points["engine.rows"] == rows)
        & (points["group"] == 128)
    ]
    assert len(chosen) == 2  # ports
    return float(chosen[column].min())


@pytest.mark.parametrize("quantity", [TIME, ENERGY])
def test_each_shape_is_at_its_best_in_the_formats_of_the_base(shaped: Study, quantity) -> None:  # type: ignore[no-untyped-def]
    for title in shaped.titles:
        found = best_of_shapes(shaped, title, quantity)
        for core, series in (("mixpe_w4a8", "MixPE W4A8"), ("int8", "INT8")):
            rows = found[found["series"] == series]
            arrays = [(r, c) for name, r, c in ARRAYS if name == core]
            assert sorted(rows["shape"]) == sorted(f"{r}×{c}" for r, c in arrays)
            want = {f"{r}×{c}": least(shaped, title, core, r, quantity.column) for r, c in arrays}
            assert dict(zip(rows["shape"], rows["value"], strict=True)) == want
            assert rows["aspect"].is_monotonic_increasing
            (optimum,) = rows[rows["optimum"]]["value"]
            assert optimum == min(want.values())


def test_the_sentences_name_the_optimum_and_what_a_square_loses(shaped: Study) -> None:
    title = shaped.titles[0]
    text = " ".join(shape_sentences(shaped, title))
    times = {r: least(shaped, title, "mixpe_w4a8", r, "time_s") for r in (4, 8, 16, 32)}
    best = min(times, key=lambda r: times[r])
    others = {r: least(shaped, title, "int8", r, "time_s") for r in (6, 12, 24)}
    other = min(others, key=lambda r: others[r])
    ratio = {6: "5.33", 12: "1.33", 24: "1/3"}[other]
    assert f", INT8 {other}×{192 // other} ({ratio} columns a row)." in text
    assert (
        f"MixPE W4A8 takes {times[16] / times[best] - 1:.1%} more as 16×16, its shape nearest to a "
        f"square." in text
    )
    assert any(text in paragraph for _, paragraph in answer(shaped))


def test_the_chart_and_the_figure_show_every_shape(shaped: Study) -> None:
    text = json.dumps(shape_chart(shaped))
    for _, rows, cols in ARRAYS:
        assert f"{rows}\\\\u00d7{cols}" in text or f"{rows}\\u00d7{cols}" in text
    figure = shape_figure(shaped)
    panels = [axes for axes in figure.axes if axes.lines]
    assert len(panels) == 4
    for axes in panels:
        lines = [line for line in axes.lines if len(line.get_xdata()) > 1]  # type: ignore[arg-type]
        assert sorted(len(line.get_xdata()) for line in lines) == [3, 4]  # type: ignore[arg-type]


def test_the_report_has_it_and_one_without_shapes_has_not(
    shaped: Study, study: Study, page: Path
) -> None:
    assert has_shapes(shaped) and not has_shapes(study)  # all arrays there are square
    html = render(shaped, [], None)
    heading = "The shape of the array"
    assert heading in html and 'id="chart-shapes"' in html
    assert heading not in page.read_text(encoding="utf-8")


def test_a_sweep_of_one_shape_has_none(shaped: Study) -> None:
    axes = [axis for axis in shaped.sweep["axes"] if "engine.rows" not in axis["fields"]]
    assert not has_shapes(replace(shaped, sweep={**shaped.sweep, "axes": axes}))


@pytest.mark.parametrize(("area_um2", "shapes"), [(901.0, 4), (899.0, 3)])
def test_smaller_arrays_are_no_shapes_of_the_larger(
    shaped: Study, area_um2: float, shapes: int
) -> None:
    narrow = shaped.points["engine.rows"] == 32
    smaller = with_arrays(shaped.points[narrow], area_um2)
    study = replace(shaped, points=pd.concat([shaped.points[~narrow], smaller]).sort_index())
    for title in study.titles:
        found = best_of_shapes(study, title, TIME)
        assert sum(found["series"] == "MixPE W4A8") == shapes


def test_equal_aspects_count_once(shaped: Study) -> None:
    points = pd.concat([shaped.points, shaped.points.assign(time_s=9e9)], ignore_index=True)
    doubled = replace(shaped, points=points)
    title = shaped.titles[0]
    assert len(best_of_shapes(doubled, title, TIME)) == len(best_of_shapes(shaped, title, TIME))


def test_aspects_read_as_a_person_writes_them() -> None:
    assert [aspect_text(x) for x in (0.125, 1.0, 32.0)] == ["1/8", "1", "32"]
    assert re.fullmatch(r"1/[\d.]+", aspect_text(0.3))


def test_other_formats_do_not_count_however_fast(shaped: Study) -> None:
    coarse = shaped.points["group"] == 128
    faster = shaped.points.assign(time_s=shaped.points["time_s"].where(coarse, 1e-9))
    title = shaped.titles[0]
    got = best_of_shapes(replace(shaped, points=faster), title, TIME)
    pd.testing.assert_frame_equal(got, best_of_shapes(shaped, title, TIME))


def test_what_goes_with_a_word_is_part_of_the_series(tmp_path: Path) -> None:
    """An axis that varies the group with the core makes two series of one core."""
    fields = ("engine.core", "engine.rows", "engine.cols", "group")
    arrays = tuple((*array, group) for array in ARRAYS for group in (32, 128))
    kept = {k: v for k, v in sweep().axes.items() if k == "engine.port_bits"}
    definition = replace(sweep(), axes={fields: arrays, **kept})
    path = write_store(tmp_path / "sweep.sqlite", definition, refuse=lambda _: None)
    named = read_study(path)
    named = replace(named, points=with_arrays(named.points, 1000.0))
    assert list(named.series)[0] == "MixPE W4A8, group 128"  # that of the base
    assert set(named.series) == {
        f"{core}, group {group}" for core in ("MixPE W4A8", "INT8") for group in (32, 128)
    }
    found = best_of_shapes(named, named.titles[0], TIME)
    assert set(found["series"]) == set(named.series)


def test_no_circle_stands_on_a_label(shaped: Study) -> None:
    # A second series of the same shapes, its optimum a little below the first's.
    first = shaped.points[shaped.points["series"] == "MixPE W4A8"]
    below = first.assign(
        series="INT8", time_s=first["time_s"] * 0.8, energy_j=first["energy_j"] * 0.8
    )
    crowded = replace(shaped, points=pd.concat([first, below], ignore_index=True))
    with matplotlib.rc_context(STYLE):
        figure = shape_figure(crowded)
        FigureCanvasAgg(figure).draw()
    points = figure.dpi / 72
    for axes in figure.axes:
        (label,) = axes.texts
        box = Text.get_window_extent(label)  # without its line
        for line in axes.lines:
            if line.get_markersize() != 8:
                continue
            x, y = axes.transData.transform(line.get_xydata()[0])  # type: ignore[index]
            circle = Bbox.from_extents(
                x - 4 * points, y - 4 * points, x + 4 * points, y + 4 * points
            )
            assert not box.overlaps(circle), label.get_text()
