"""The design-space plot of PEs: quality against area and power, on paper and as a page.

``python -m dovetail.reports.design_space TABLE... -o DIR`` draws it from technology tables.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import matplotlib
import pandas as pd
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from plotly.subplots import make_subplots

from dovetail.reports.charts import LAYOUT
from dovetail.reports.figures import PNG_DPI, STYLE, WHISKER
from dovetail.reports.legend import legend_below
from dovetail.reports.style import LOOKS, PAGE_INCHES, Look
from dovetail.sweeps.evaluate import find_technology
from dovetail.sweeps.mixpe_design_space import design_space
from dovetail.sweeps.reproduce_mixpe import published

NAME = "design-space"
_X_LABEL = "(1/area) × (1/power), FP16 × FP16 = 1"
_Y_LABEL = "SNR of linear layers (dB)"
_BLUE, _RED, _GREEN, _PINK, _BLACK, _ORANGE = (look.colour for look in LOOKS)

# Colour: the operands.  Shape: where weights are dequantised, and how the PE multiplies.
PE_LOOKS = {
    "fp16.pe": ("FP16 × FP16", Look(_BLACK, "o", "circle")),
    "dequant.pe_w4a16": ("INT4 × FP16, dequantised in the loop", Look(_BLUE, "s", "square")),
    "mixpe.pe_w4a16": ("MixPE INT4 × FP16", Look(_BLUE, "^", "triangle-up")),
    "int8.pe": ("INT8 × INT8", Look(_RED, "o", "circle")),
    "int8.pe_shift_add": ("INT8 × INT8, shift-and-add", Look(_RED, "v", "triangle-down")),
    "dequant.pe_w4a8": ("INT4 × INT8, dequantised in the loop", Look(_GREEN, "s", "square")),
    "mixpe.pe_w4a8": ("MixPE INT4 × INT8", Look(_GREEN, "^", "triangle-up")),
    "mixpe.pe_w4a8_multiplier": (
        "INT4 × INT8, multiplier, after the group",
        Look(_GREEN, "D", "diamond"),
    ),
    "int4.pe": ("INT4 × INT4", Look(_PINK, "o", "circle")),
}
"""Name and look of each PE."""


def write_design_space(frame: pd.DataFrame, folder: Path) -> tuple[Path, ...]:
    """Write the plot as PNG, SVG and a page that needs nothing else; return their paths.

    Parameters
    ----------
    frame : DataFrame
        As :func:`dovetail.sweeps.mixpe_design_space.design_space` returns it.
    folder : Path
        Must exist.
    """
    paths = []
    with matplotlib.rc_context(STYLE):
        figure = design_space_figure(frame)
        for ending, metadata in (("png", {}), ("svg", {"Date": None})):
            path = folder / f"{NAME}.{ending}"
            figure.savefig(path, dpi=PNG_DPI, metadata=metadata)
            paths.append(path)
    page = folder / f"{NAME}.html"
    page.write_text(design_space_page(frame), encoding="utf-8")
    return (*paths, page)


def design_space_figure(frame: pd.DataFrame) -> Figure:
    """Draw one panel a technology; open markers above a panel are the paper's abscissae."""
    shown = _shown(frame)
    titles = list(dict.fromkeys(shown["technology"]))
    figure = Figure(figsize=(PAGE_INCHES, 3.6))
    panels = figure.subplots(1, len(titles), sharey=True, sharex=True, squeeze=False)[0]
    for axes, title in zip(panels, titles, strict=True):
        _panel(axes, shown[shown["technology"] == title])
        axes.set_title(title, pad=16)
        axes.set_xlabel(_X_LABEL)
    panels[0].set_ylabel(_Y_LABEL)
    handles = [
        Line2D(
            [], [], linestyle="", marker=look.marker, color=look.colour, markersize=5, label=name
        )
        for pe, (name, look) in PE_LOOKS.items()
        if (shown["pe"] == pe).any()
    ]
    handles.append(
        Line2D(
            [],
            [],
            linestyle="",
            marker="o",
            markersize=4,
            markerfacecolor="none",
            markeredgecolor="#444444",
            label="open, above: the paper's abscissa",
        )
    )
    legend_below(figure, handles, columns=3)
    return figure


def _panel(axes: Axes, rows: pd.DataFrame) -> None:
    axes.set_xscale("log", base=2)
    for _, row in rows.iterrows():
        look = PE_LOOKS[row["pe"]][1]
        whisker = [[row["snr_db"] - row["snr_db_least"]], [row["snr_db_most"] - row["snr_db"]]]
        axes.errorbar(
            row["relative"], row["snr_db"], yerr=whisker, **WHISKER | {"ecolor": look.colour}
        )
        axes.plot(row["relative"], row["snr_db"], look.marker, color=look.colour, markersize=5)
    for level, (_, row) in _published(rows):
        look = PE_LOOKS[row["pe"]][1]
        axes.plot(
            row["published"],
            1.03 + 0.045 * level,
            look.marker,
            color=look.colour,
            markersize=4,
            markerfacecolor="none",
            transform=axes.get_xaxis_transform(),
            clip_on=False,
        )
    axes.xaxis.set_major_formatter(lambda value, _: _power_of_two(value))


def design_space_page(frame: pd.DataFrame) -> str:
    """Draw the same with plotly, as a page of its own."""
    chart = design_space_chart(frame)
    page: str = chart.to_html(config={"displaylogo": False, "responsive": True}, div_id=NAME)
    return page


def design_space_chart(frame: pd.DataFrame) -> go.Figure:
    """Draw the same with plotly."""
    shown = _shown(frame)
    titles = list(dict.fromkeys(shown["technology"]))
    figure = make_subplots(1, len(titles), subplot_titles=titles, shared_yaxes=True)
    named: set[str] = set()
    for column, title in enumerate(titles, 1):
        rows = shown[shown["technology"] == title]
        for _, row in rows.iterrows():
            name, look = PE_LOOKS[row["pe"]]
            published = "" if math.isnan(row["published"]) else f"<br>paper: {row['published']:g}"
            figure.add_trace(
                go.Scatter(
                    x=[row["relative"]],
                    y=[row["snr_db"]],
                    error_y={
                        "array": [row["snr_db_most"] - row["snr_db"]],
                        "arrayminus": [row["snr_db"] - row["snr_db_least"]],
                        "thickness": 1,
                    },
                    mode="markers",
                    name=name,
                    legendgroup=name,
                    showlegend=name not in named,
                    marker={"symbol": look.symbol, "size": 10, "color": look.colour},
                    hovertemplate=f"<b>{name}</b><br>{row['area_um2']:.4g} µm², "
                    f"{row['power_uw']:.4g} µW<br>{row['relative']:.3g} × FP16{published}<br>"
                    f"{row['snr_db']:.1f} dB ({row['snr_db_least']:.1f} to "
                    f"{row['snr_db_most']:.1f})<extra></extra>",
                ),
                row=1,
                col=column,
            )
            named.add(name)
        ticks = [2.0**power for power in _powers(shown)]
        figure.update_xaxes(
            title=_X_LABEL,
            type="log",
            tickvals=ticks,
            ticktext=[_power_of_two(tick) for tick in ticks],
            row=1,
            col=column,
        )
    figure.update_yaxes(title=_Y_LABEL, row=1, col=1)
    legend = {"orientation": "h", "yanchor": "top", "y": -0.2, "x": 0}
    figure.update_layout(
        **LAYOUT, legend=legend, height=620, title="Quality against area and power"
    )
    return figure


def _shown(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows that have a place on the axes: those of technologies with an FP16 PE."""
    return frame.dropna(subset=["relative"])


def _published(rows: pd.DataFrame) -> Iterator[tuple[int, tuple[object, pd.Series]]]:
    """Rows with a published abscissa, and how many before it have the same."""
    known = rows.dropna(subset=["published"])
    for _, same in known.groupby("published"):
        yield from zip(count(), same.iterrows())


def _powers(rows: pd.DataFrame) -> range:
    values = rows["relative"]
    return range(math.floor(math.log2(values.min())), math.ceil(math.log2(values.max())) + 1)


def _power_of_two(value: float) -> str:
    return f"{value:g}" if value >= 1 else f"1/{1 / value:g}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m dovetail.reports.design_space")
    parser.add_argument(
        "tables",
        nargs="*",
        help="technologies by name, or TOML files; without any, those that MixPE's figures "
        "are compared in",
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("."), help="folder")
    options = parser.parse_args()
    tables = options.tables or published()["libraries"].values()
    frame = design_space(find_technology(table) for table in tables)
    options.output.mkdir(parents=True, exist_ok=True)
    for path in write_design_space(frame, options.output):
        print(path)


if __name__ == "__main__":
    main()
