"""Figures for papers: the report's charts as PNG and SVG, at the width of a page or a column."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, PercentFormatter

from dovetail.reports.breakdowns import (
    Bars,
    area_bars,
    bar_names,
    bar_points,
    cycle_bars,
    energy_bars,
    operator_table,
)
from dovetail.reports.legend import legend_below
from dovetail.reports.shapes import has_shapes, shape_figure
from dovetail.reports.study import Study
from dovetail.reports.style import (
    COLUMN_INCHES,
    PAGE_INCHES,
    PART_COLOURS,
    TIME,
    Look,
    Quantity,
    is_wide,
)

PNG_DPI = 300

STYLE: Any = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "legend.fontsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "axes.axisbelow": True,
    "hatch.linewidth": 0.4,
    "svg.hashsalt": "dovetail",  # the same store gives the same file
    "figure.constrained_layout.use": True,
}
WHISKER: dict[str, Any] = {"fmt": "none", "ecolor": "#444444", "elinewidth": 0.8, "capsize": 1.5}


def write_figures(
    study: Study, folder: Path, more: Mapping[str, Figure] | None = None
) -> tuple[Path, ...]:
    """Write every figure of ``study``, and ``more``, into ``folder`` as PNG and SVG.

    A study without a simulated point has no figures.

    Returns
    -------
    tuple of Path
        Of the files.
    """
    paths = []
    with matplotlib.rc_context(STYLE):
        for name, figure in (*_figures(study), *(more or {}).items()):
            for ending, metadata in (("png", {}), ("svg", {"Date": None})):
                path = folder / f"{name}.{ending}"
                figure.savefig(path, dpi=PNG_DPI, metadata=metadata)
                paths.append(path)
    return tuple(paths)


def _figures(study: Study) -> Iterator[tuple[str, Figure]]:
    if study.points.empty:
        return
    for x, y in study.tradeoffs:
        yield f"{x.short}-{y.short}", tradeoff(study, x, y)
    if has_shapes(study):
        yield "shapes", shape_figure(study)
    if study.technology:
        yield "energy", stacked(study, energy_bars)
        yield "area", stacked(study, area_bars)
    yield "cycles", stacked(study, cycle_bars)
    yield "operators", operator_times(study)


def tradeoff(study: Study, x: Quantity, y: Quantity) -> Figure:
    """Scatter of every point, one panel a workload; filled points are on the front."""
    titles = study.titles
    figure, panels = _panels(titles, height=2.9)
    for axes, title in zip(panels, titles, strict=True):
        points = study.of(title)
        x_scale, x_label = x.scale(points[x.column].max())
        y_scale, y_label = y.scale(points[y.column].max())
        for series, look in study.series.items():
            of_series = points[points["series"] == series]
            for front in (False, True):
                rows = of_series[of_series["front"] == front]
                _scatter(axes, rows[x.column] * x_scale, rows[y.column] * y_scale, look, front)
        passed = points[points["certificate"] == "passed"]
        axes.scatter(
            passed[x.column] * x_scale,
            passed[y.column] * y_scale,
            s=90,
            facecolors="none",
            edgecolors="black",
            linewidths=0.8,
            zorder=4,
        )
        axes.set(xlabel=x_label, ylabel=y_label, title=title)
        _log_where_wide(axes, "x", points[x.column])
        _log_where_wide(axes, "y", points[y.column])
    legend_below(figure, _legend(study), columns=3)
    return figure


def operator_times(study: Study) -> Figure:
    """Time and utilisation of each operator, for the fastest front point of each series."""
    titles = study.titles
    tables = {
        title: {s: operator_table(study, n) for s, n in study.fastest(title).items()}
        for title in titles
    }
    longest = max(len(table) for group in tables.values() for table in group.values())
    figure = Figure(figsize=(PAGE_INCHES, len(titles) * (0.26 * longest + 0.75) + 0.3))
    panels = figure.subplots(len(titles), 2, squeeze=False, sharey="row")
    for row, title in zip(panels, titles, strict=True):
        _operator_row(study, row, title, tables[title])
    handles = [
        Line2D([], [], color=look.colour, marker=look.marker, label=f"{series}, its fastest point")
        for series, look in study.series.items()
    ]
    legend_below(figure, handles, columns=3)
    return figure


def _operator_row(
    study: Study, row: np.ndarray, title: str, tables: dict[str, pd.DataFrame]
) -> None:
    times, use = row
    scale, label = TIME.scale(max(table["time_s"].max() for table in tables.values()))
    height = 0.8 / len(tables)
    labels: list[str] = []
    for at, (series, table) in enumerate(tables.items()):
        look = study.series[series]
        where = np.arange(len(table)) + (at - (len(tables) - 1) / 2) * height
        times.barh(where, table["time_s"] * scale, height, color=look.colour)
        use.plot(100 * table["utilization"], where, look.marker, color=look.colour, markersize=4)
        labels = max(labels, list(table["operator"]), key=len)
    times.set_yticks(range(len(labels)), labels)
    times.invert_yaxis()
    times.set(xlabel=f"{label}, all runs", title=title)
    use.set(xlabel="utilisation (%)", xlim=(0, 103))
    for axes in (times, use):
        axes.grid(axis="y", visible=False)


def stacked(study: Study, bars_of: Callable[[Study, pd.DataFrame], Bars]) -> Figure:
    """Stacked bars, one panel a workload, of the points that bars show."""
    titles = study.titles
    chosen = {title: bar_points(study, title) for title in titles}
    count = sum(len(rows) for rows in chosen.values())
    figure = Figure(figsize=(PAGE_INCHES, 0.2 * count + 0.65 * len(titles) + 0.7))
    panels = figure.subplots(
        len(titles), 1, squeeze=False, height_ratios=[len(chosen[t]) + 1 for t in titles]
    )[:, 0]
    colours: dict[str, str] = {}
    bounded = False
    for axes, title in zip(panels, titles, strict=True):
        bars = bars_of(study, chosen[title])
        bounded = bounded or len(bars.bounds) > 0
        for name in bars.parts.columns:
            colours.setdefault(name, PART_COLOURS[len(colours) % len(PART_COLOURS)])
        _bars(axes, bars, colours)
        axes.set_yticks(range(len(bars.parts)), bar_names(study, chosen[title]))
        axes.set(xlabel=bars.label)
        # Long names leave little room for the bars; to the right of them there is none.
        axes.set_title(title, loc="right")
    handles = [Line2D([], [], color=c, linewidth=5, label=name) for name, c in colours.items()]
    if bounded:
        handles.append(Line2D([], [], color="#444444", linewidth=0.8, label="bounds of the prices"))
    if (study.points["certificate"] == "passed").any():
        tick: dict[str, Any] = {"linestyle": "", "marker": "$✓$", "color": "black", "markersize": 5}
        handles.append(Line2D([], [], **tick, label="certified in Verilator"))
    legend_below(figure, handles, columns=4)
    return figure


def _bars(axes: Axes, bars: Bars, colours: dict[str, str]) -> None:
    where = np.arange(len(bars.parts))
    left = np.zeros(len(where))
    for name, values in bars.parts.items():
        colour = colours[str(name)]
        axes.barh(where, values, 0.75, left, color=colour, edgecolor="white", linewidth=0.3)
        left += values.to_numpy()
    if len(bars.bounds):
        below, above = left - bars.bounds["low"], bars.bounds["high"] - left
        axes.errorbar(left, where, xerr=[below, above], **WHISKER)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    if bars.is_share:
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(PercentFormatter(1))


def _panels(titles: list[str], *, height: float) -> tuple[Figure, list[Axes]]:
    columns = min(2, len(titles))
    rows = -(-len(titles) // columns)
    figure = Figure(figsize=(PAGE_INCHES if columns > 1 else COLUMN_INCHES, height * rows))
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for unused in panels[len(titles) :]:
        unused.remove()
    return figure, panels[: len(titles)]


def _scatter(axes: Axes, x: pd.Series, y: pd.Series, look: Look, front: bool) -> None:
    axes.scatter(
        x,
        y,
        s=24 if front else 12,
        marker=look.marker,
        facecolors=look.colour if front else "none",
        edgecolors=look.colour,
        linewidths=0.6,
        alpha=1.0 if front else 0.45,
        zorder=3 if front else 2,
        rasterized=len(x) > 5000,  # an SVG with a shape a point would not open
    )


def _legend(study: Study) -> list[Line2D]:
    handles = []
    for series, look in study.series.items():
        of_series = study.points.loc[study.points["series"] == series, "front"]
        for front, where in ((True, "on the front"), (False, "dominated")):
            if not (of_series == front).any():
                continue
            handles.append(
                Line2D(
                    [],
                    [],
                    linestyle="",
                    marker=look.marker,
                    markersize=5 if front else 3.5,
                    markerfacecolor=look.colour if front else "none",
                    markeredgecolor=look.colour,
                    alpha=1.0 if front else 0.6,
                    label=f"{series}, {where}",
                )
            )
    if (study.points["certificate"] == "passed").any():
        handles.append(
            Line2D(
                [],
                [],
                linestyle="",
                marker="o",
                markersize=8,
                markerfacecolor="none",
                markeredgecolor="black",
                markeredgewidth=0.8,
                label="certified in Verilator",
            )
        )
    return handles


def _log_where_wide(axes: Axes, which: str, values: pd.Series) -> None:
    if not is_wide(values.min(), values.max()):
        return
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    steps = (1, 2, 5) if values.max() < 1000 * values.min() else (1,)
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axis.set_minor_formatter(NullFormatter())
