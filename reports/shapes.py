"""The shape of the array as an axis: the best point of each shape, and which shape is best."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from plotly.subplots import make_subplots

from dovetail.reports.array_area import EQUAL_AREA, array_um2
from dovetail.reports.charts import fragment
from dovetail.reports.legend import legend_below
from dovetail.reports.study import (
    SHAPE_FIELDS,
    STEP_FIELD,
    Study,
    records,
    series_fields,
    value_at,
)
from dovetail.reports.style import ENERGY, PAGE_INCHES, TIME, Look, Quantity, is_wide
from dovetail.systems import system

QUANTITIES = (TIME, ENERGY)
LEAST_SHAPES = 3
"""A series of fewer aspects has no optimum to show."""
_ASPECT = "columns over rows"


def best_of_shapes(study: Study, title: str, quantity: Quantity) -> pd.DataFrame:
    """The least ``quantity`` at each aspect of the array, of each series on one workload.

    Of each series only the largest arrays count, which are equal in area, so that size is not taken
    for shape.  Settings on which the measured error depends are those of the sweep's base, so that
    all shapes do the same work as exactly; whatever else varies is as good as it can be for the
    shape.

    Returns
    -------
    DataFrame
        Indexed by the number of the point: ``series``, ``shape`` (such as ``2×64×4``), ``aspect``
        (columns over rows), ``value`` and ``optimum`` (least of its series).  Series of fewer than
        :data:`LEAST_SHAPES` aspects are left out.
    """
    points = study.of(title)
    apart = (*series_fields(study.sweep), *SHAPE_FIELDS, STEP_FIELD)
    for field in system(study.sweep["system"]).error_fields:
        if field in study.fields and field not in apart:
            points = points[points[field] == value_at(study.sweep["base"], field)]
    area = array_um2(points)
    largest = area.groupby(points["series"]).transform("max")
    points = points[area >= (1 - EQUAL_AREA) * largest]
    steps = [STEP_FIELD] if STEP_FIELD in study.fields else []
    fields = [*SHAPE_FIELDS, *steps]
    rows, cols = (points[field].astype(float) for field in SHAPE_FIELDS)
    ordered = points.assign(aspect=cols / rows).sort_values(
        [quantity.column, "time_s", "energy_j"], kind="stable"
    )
    best = ordered.drop_duplicates(["series", "aspect"])
    found = pd.DataFrame(
        {
            "series": best["series"],
            "shape": ["×".join(map(str, row)) for row in best[fields].itertuples(index=False)],
            "aspect": best["aspect"],
            "value": best[quantity.column],
        },
        best.index,
    )
    found = found[found.groupby("series")["shape"].transform("size") >= LEAST_SHAPES].copy()
    found["optimum"] = ~found.duplicated("series")  # they are in ascending order
    return found.sort_values(["series", "aspect"], kind="stable")


def has_shapes(study: Study) -> bool:
    """Whether some series has enough shapes on some workload."""
    if not set(SHAPE_FIELDS) <= set(study.fields):
        return False
    return any(len(best_of_shapes(study, title, TIME)) for title in study.titles)


def shape_figure(study: Study) -> Figure:
    """Time and energy over the array's aspect, side by side, one row of panels a workload."""
    titles = study.titles
    figure = Figure(figsize=(PAGE_INCHES, 1.9 * len(titles) + 0.7))
    panels = figure.subplots(len(titles), len(QUANTITIES), squeeze=False, sharex=True)
    for row, title in zip(panels, titles, strict=True):
        for axes, quantity in zip(row, QUANTITIES, strict=True):
            _panel(axes, study, best_of_shapes(study, title, quantity), quantity)
            axes.set_title(title)
    for axes in panels[-1]:
        axes.set_xlabel(_ASPECT)
    handles = [
        Line2D([], [], color=look.colour, marker=look.marker, markersize=3, label=series)
        for series, look in study.series.items()
    ]
    best: dict[str, Any] = {"linestyle": "", "markerfacecolor": "none", "markeredgecolor": "black"}
    handles.append(Line2D([], [], **best, marker="o", markersize=8, label="best shape"))
    legend_below(figure, handles, columns=3)
    return figure


def _panel(axes: Axes, study: Study, found: pd.DataFrame, quantity: Quantity) -> None:
    scale, label = quantity.scale(found["value"].max()) if len(found) else (1.0, quantity.name)
    for series, look in study.series.items():
        rows = found[found["series"] == series]
        axes.plot(
            rows["aspect"],
            rows["value"] * scale,
            marker=look.marker,
            markersize=3,
            linewidth=0.9,
            color=look.colour,
        )
        for optimum in records(rows[rows["optimum"]]):
            where = (optimum["aspect"], optimum["value"] * scale)
            axes.plot(*where, "o", markersize=8, markerfacecolor="none", markeredgecolor="black")
            if series == next(iter(study.series)):
                # At the foot of the panel, where no other series can be.
                axes.annotate(
                    optimum["shape"],
                    where,
                    xytext=(optimum["aspect"], 0.02),
                    textcoords=axes.get_xaxis_transform(),
                    ha="center",
                    va="bottom",
                    fontsize=6,
                    color=look.colour,
                    arrowprops={
                        "arrowstyle": "-",
                        "linestyle": ":",
                        "linewidth": 0.7,
                        "color": look.colour,
                        "shrinkA": 0,
                        "shrinkB": 4,
                    },
                )
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: aspect_text(value))
    if len(found) and is_wide(found["value"].min(), found["value"].max()):
        axes.set_yscale("log", base=2)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    axes.margins(y=0.25)
    axes.set_ylabel(label)


def shape_chart(study: Study) -> str:
    """Draw the same with plotly; returns an HTML fragment."""
    titles = study.titles
    figure = make_subplots(len(QUANTITIES), len(titles), subplot_titles=titles, shared_xaxes=True)
    named: set[str] = set()
    for row, quantity in enumerate(QUANTITIES, 1):
        for column, title in enumerate(titles, 1):
            found = best_of_shapes(study, title, quantity)
            for series, look in study.series.items():
                points = found[found["series"] == series]
                if points.empty:
                    continue
                scale, _ = quantity.scale(found["value"].max())
                trace = _trace(series, look, points, quantity, scale, show=series not in named)
                figure.add_trace(trace, row=row, col=column)
                named.add(series)
            least, most = (found["value"].min(), found["value"].max()) if len(found) else (1, 1)
            form = "log" if is_wide(least, most) else "linear"
            figure.update_yaxes(type=form, title=quantity.scale(most)[1], row=row, col=column)
            ticks = sorted(set(2.0 ** np.round(np.log2(found["aspect"]))))
            figure.update_xaxes(
                type="log",
                tickvals=ticks,
                ticktext=[aspect_text(tick) for tick in ticks],
                title=_ASPECT if row == len(QUANTITIES) else None,
                row=row,
                col=column,
            )
    return fragment(figure, 620, "shapes")


def _trace(
    series: str, look: Look, points: pd.DataFrame, quantity: Quantity, scale: float, *, show: bool
) -> go.Scatter:
    return go.Scatter(
        x=points["aspect"].to_list(),
        y=(points["value"] * scale).to_list(),
        mode="lines+markers",
        name=series,
        legendgroup=series,
        showlegend=show,
        marker={
            "symbol": look.symbol,
            "color": look.colour,
            "size": [14 if optimum else 7 for optimum in points["optimum"]],
        },
        text=[
            f"<b>{series} #{number} {point['shape']}</b><br>{quantity.text(point['value'])}"
            for number, point in zip(points.index, records(points), strict=True)
        ],
        hovertemplate="%{text}<extra></extra>",
    )


def aspect_text(aspect: float) -> str:
    """8 as ``8``, an eighth as ``1/8``."""
    return f"{aspect:.3g}" if aspect >= 1 else f"1/{1 / aspect:.3g}"


def shape_sentences(study: Study, title: str) -> list[str]:
    """The best shape of each series, and what the first loses in its shape nearest to a square."""
    sentences = []
    for quantity in QUANTITIES:
        found = best_of_shapes(study, title, quantity)
        words = {"time": "Fastest shapes", "energy": "Shapes of least energy"}[quantity.name]
        best = {
            series: records(rows[rows["optimum"]])[0]
            for series, rows in found.groupby("series", sort=False)
        }
        named = [
            f"{series} {one['shape']} ({aspect_text(one['aspect'])} columns a row)"
            for series in study.series
            if (one := best.get(series))
        ]
        if not named:
            continue
        first = next(series for series in study.series if series in best)
        rows = found[found["series"] == first]
        square = records(rows)[int(np.log2(rows["aspect"]).abs().argmin())]
        lost = square["value"] / best[first]["value"] - 1
        sentences.append(
            f"{words}: {', '.join(named)}. {first} takes {lost:.1%} more as {square['shape']}, its "
            f"shape nearest to a square."
        )
    return sentences
