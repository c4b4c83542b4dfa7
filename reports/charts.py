"""Interactive charts of the report's page, drawn by plotly."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dovetail.reports.breakdowns import Bars, bar_names, bar_points, operator_table
from dovetail.reports.study import Study
from dovetail.reports.style import (
    PART_COLOURS,
    TIME,
    Quantity,
    is_wide,
)

MAX_HOVER = 5000
"""Beyond so many points a hover gives the number alone; the table says the rest."""

LAYOUT = {
    "template": "plotly_white",
    "font": {"family": "system-ui, sans-serif", "size": 13},
    "margin": {"l": 10, "r": 10, "t": 60, "b": 100},
}
_MARGINS = 160  # pixels of a chart's height above and below its plot


def tradeoff(study: Study, x: Quantity, y: Quantity) -> str:
    """Scatter of every point, one panel a workload; returns an HTML fragment."""
    figure = make_subplots(1, len(study.titles), subplot_titles=study.titles)
    named = set()
    for column, title in enumerate(study.titles, 1):
        points = study.of(title)
        x_scale, x_label = x.scale(points[x.column].max())
        y_scale, y_label = y.scale(points[y.column].max())
        scaled = pd.DataFrame(
            {"x": points[x.column] * x_scale, "y": points[y.column] * y_scale}, points.index
        )
        hover = _hover(study, points)
        for series, look in study.series.items():
            for front, where in ((False, "dominated"), (True, "on the front")):
                chosen = points[(points["series"] == series) & (points["front"] == front)]
                if chosen.empty:
                    continue
                name = f"{series}, {where}"
                figure.add_trace(
                    go.Scattergl(
                        x=scaled.loc[chosen.index, "x"].to_list(),
                        y=scaled.loc[chosen.index, "y"].to_list(),
                        mode="markers",
                        name=name,
                        legendgroup=name,
                        showlegend=name not in named,
                        text=[hover[number] for number in chosen.index],
                        hovertemplate="%{text}<extra></extra>",
                        marker={
                            "symbol": look.symbol + ("" if front else "-open"),
                            "size": 10 if front else 6,
                            "color": look.colour,
                            "opacity": 1 if front else 0.5,
                        },
                    ),
                    row=1,
                    col=column,
                )
                named.add(name)
        passed = points.index[points["certificate"] == "passed"]
        if len(passed):
            figure.add_trace(
                go.Scattergl(
                    x=scaled.loc[passed, "x"].to_list(),
                    y=scaled.loc[passed, "y"].to_list(),
                    mode="markers",
                    name="certified in Verilator",
                    legendgroup="certified",
                    showlegend="certified" not in named,
                    hoverinfo="skip",
                    marker={"symbol": "circle-open", "size": 18, "color": "black"},
                ),
                row=1,
                col=column,
            )
            named.add("certified")
        figure.update_xaxes(title=x_label, **_axis(points[x.column], x_scale), row=1, col=column)
        figure.update_yaxes(title=y_label, **_axis(points[y.column], y_scale), row=1, col=column)
    return fragment(figure, 460, f"{x.column}-{y.column}")


def operator_times(study: Study, title: str) -> str:
    """Time and utilisation of each operator of one workload, for the fastest of each series."""
    figure = make_subplots(1, 2, shared_yaxes=True, horizontal_spacing=0.03)
    tables = {s: operator_table(study, n) for s, n in study.fastest(title).items()}
    scale, label = TIME.scale(max(table["time_s"].max() for table in tables.values()))
    for series, table in tables.items():
        look = study.series[series]
        names = [f"{row.operator}  {row.shape}" for row in table.itertuples()]
        figure.add_trace(
            go.Bar(
                x=(table["time_s"] * scale).to_list(),
                y=names,
                orientation="h",
                name=series,
                marker={"color": look.colour},
                hovertemplate="%{y}: %{x:.4s}<extra>" + series + "</extra>",
            ),
            row=1,
            col=1,
        )
        figure.add_trace(
            go.Scatter(
                x=table["utilization"].to_list(),
                y=names,
                mode="markers",
                name=series,
                showlegend=False,
                marker={"color": look.colour, "symbol": look.symbol, "size": 9},
                hovertemplate="%{y}: %{x:.1%}<extra>" + series + "</extra>",
            ),
            row=1,
            col=2,
        )
    figure.update_xaxes(title=f"{label}, all runs", row=1, col=1)
    figure.update_xaxes(title="utilisation", range=[0, 1.03], tickformat=".0%", row=1, col=2)
    figure.update_yaxes(autorange="reversed", automargin=True)
    longest = max(len(table) for table in tables.values())
    return fragment(figure, 40 * longest + _MARGINS, f"operators-{study.titles.index(title)}")


def stacked(study: Study, bars_of: Callable[[Study, pd.DataFrame], Bars], *, name: str) -> str:
    """Stacked bars, one panel a workload, of the points that bars show."""
    chosen = {title: bar_points(study, title) for title in study.titles}
    sizes = [len(rows) + 1 for rows in chosen.values()]
    height = 26 * sum(sizes) + 80 * (len(sizes) - 1) + _MARGINS
    figure = make_subplots(
        len(chosen),
        1,
        subplot_titles=list(chosen),
        row_heights=[size / sum(sizes) for size in sizes],
        vertical_spacing=80 / (height - _MARGINS) if len(sizes) > 1 else 0,
    )
    colours: dict[str, str] = {}
    for at, rows in enumerate(chosen.values(), 1):
        bars, names = bars_of(study, rows), bar_names(study, rows)
        form = ".1%" if bars.is_share else ".4s"
        for part, values in bars.parts.items():
            new = part not in colours
            colours.setdefault(str(part), PART_COLOURS[len(colours) % len(PART_COLOURS)])
            trace = go.Bar(
                x=values.to_list(),
                y=names,
                orientation="h",
                name=str(part),
                legendgroup=str(part),
                showlegend=new,
                marker={"color": colours[str(part)]},
                hovertemplate=f"{part}: %{{x:{form}}}<extra>%{{y}}</extra>",
            )
            figure.add_trace(trace, row=at, col=1)
        if len(bars.bounds):
            figure.add_trace(_whiskers(bars, names, show=at == 1), row=at, col=1)
        percent = ".0%" if bars.is_share else None
        figure.update_xaxes(title=bars.label, tickformat=percent, row=at, col=1)
        figure.update_yaxes(autorange="reversed", automargin=True, row=at, col=1)
    figure.update_layout(barmode="stack")
    return fragment(figure, height, name)


def _whiskers(bars: Bars, names: list[str], *, show: bool) -> go.Scatter:
    # As arrays: pandas would align, and so might reorder, two frames of points.
    totals = bars.parts.sum(axis=1).to_numpy()
    low, high = bars.bounds["low"].to_numpy(), bars.bounds["high"].to_numpy()
    return go.Scatter(
        x=totals.tolist(),
        y=names,
        mode="markers",
        marker={"color": "#444444", "size": 1},
        name="bounds of the prices",
        legendgroup="bounds",
        showlegend=show,
        error_x={
            "type": "data",
            "symmetric": False,
            "array": (high - totals).tolist(),
            "arrayminus": (totals - low).tolist(),
            "color": "#444444",
            "thickness": 1,
            "width": 3,
        },
        hoverinfo="skip",
    )


def _hover(study: Study, points: pd.DataFrame) -> dict[int, str]:
    if len(points) > MAX_HOVER:
        return {number: f"#{number}" for number in points.index}
    labels = study.labels(points)
    return {
        number: "<br>".join(
            [
                f"<b>{row['series']} {labels[number]}</b>",
                *(
                    f"{q.name} {q.text(row[q.column])}"
                    for q in study.quantities
                    if pd.notna(row[q.column])
                ),
                f"utilisation {row['utilization']:.1%}",
                *([f"certificate {row['certificate']}"] if row["certificate"] else []),
            ]
        )
        for number, row in zip(points.index, points.to_dict("records"), strict=True)
    }


def _axis(values: pd.Series, scale: float) -> dict[str, Any]:
    low, high = values.min() * scale, values.max() * scale
    if not is_wide(low, high):
        return {"type": "linear"}
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if high < 1000 * low else (1,)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    return {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:,g}" for tick in ticks]}


def fragment(figure: go.Figure, height: int, name: str) -> str:
    """The figure as part of a page, its legend below; ``name`` ends the name of its element."""
    # Plotly places a legend in parts of the plot's height; the axis title takes pixels.
    legend = {"orientation": "h", "yanchor": "top", "y": -60 / (height - _MARGINS), "x": 0}
    figure.update_layout(**LAYOUT, legend=legend, height=height)
    return page_part(figure, name)


def page_part(figure: go.Figure, name: str) -> str:
    """HTML of a figure whose layout is complete; plotly itself stands in the page once."""
    html: str = figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        config={"displaylogo": False, "responsive": True},
        div_id=f"chart-{name}",
    )
    return html
