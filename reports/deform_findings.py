"""Accuracy against frames a second: the section that deformable engines' reports end with."""

from __future__ import annotations

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dovetail.reports.figures import STYLE
from dovetail.reports.findings import Findings
from dovetail.reports.study import Study
from dovetail.reports.style import COLUMN_INCHES, LOOKS, PAGE_INCHES
from dovetail.sweeps.deform_accuracy import VariantCost, configurations, variant_costs

NAME = "accuracy-frames"
_CONFIGURATIONS = (
    ("paper", "published"),
    ("public", "model of the public engine"),
    ("ours", "our engine"),
)


def findings(study: Study) -> Findings:
    """Published accuracies beside the fastest point that runs each network."""
    costs = variant_costs(study.points, study.sweep["base"])
    return Findings(
        title="Accuracy against frames a second",
        paragraphs=tuple(_paragraphs(study.points, costs)),
        figures={NAME: accuracy_figure(study.points, costs)},
    )


def _paragraphs(points: pd.DataFrame, costs: tuple[VariantCost, ...]) -> list[tuple[str, str]]:
    paragraphs = []
    for source in dict.fromkeys(cost.source for cost in costs):
        rows = [cost for cost in costs if cost.source == source]
        text = "; ".join(
            f"{_words(cost)}: {cost.metric} {cost.accuracy:g} at "
            f"{points['frames_per_second'].loc[cost.point]:.1f} frames a second "
            f"(#{cost.point})"
            for cost in sorted(rows, key=lambda cost: -cost.accuracy)
        )
        paragraphs.append((f"Variants, {source}.", text + "."))
    table = configurations()
    text = "; ".join(
        f"{row['configuration']}: AP50 {row['ap50']:g} at {row['ours']:.1f} (published "
        f"{row['paper']:g}, model of the public engine {row['public']:.1f})"
        for row in table.to_dict("records")
    )
    paragraphs.append(
        (
            "Configurations a to e, W4A8, frames a second.",
            f"{text}. Accuracies are published ones: training is not part of this project.",
        )
    )
    return paragraphs


def _words(cost: VariantCost) -> str:
    return f"{'full' if cost.full else 'depthwise'} 3x3, {cost.variant}"


def accuracy_figure(points: pd.DataFrame, costs: tuple[VariantCost, ...]) -> Figure:
    """A panel for each set of published accuracies, and one for the five configurations."""
    with matplotlib.rc_context(STYLE):
        return _accuracy_figure(points, costs)


def _accuracy_figure(points: pd.DataFrame, costs: tuple[VariantCost, ...]) -> Figure:
    sources = list(dict.fromkeys(cost.source for cost in costs))
    width = PAGE_INCHES if sources else COLUMN_INCHES
    figure = Figure(figsize=(width, 2.9))
    panels = list(figure.subplots(1, len(sources) + 1, squeeze=False).flat)
    for axes, source in zip(panels, sources, strict=False):
        _variants(axes, points, [cost for cost in costs if cost.source == source])
        axes.set_title(f"c, FP32: {source}")
    _five(panels[-1])
    handles = [
        Line2D([], [], linestyle="", marker=look.marker, color=look.colour, label=label)
        for look, label in zip(LOOKS, ("depthwise 3x3", "full 3x3"), strict=False)
    ] * bool(sources)
    handles += [
        Line2D([], [], marker=look.marker, color=look.colour, markersize=4, label=f"a–e, {label}")
        for look, (_, label) in zip(LOOKS[2:], _CONFIGURATIONS, strict=False)
    ]
    columns = 5 if sources else 1
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)
    return figure


def _variants(axes: Axes, points: pd.DataFrame, costs: list[VariantCost]) -> None:
    for cost in costs:
        look = LOOKS[cost.full]
        rate = points["frames_per_second"].loc[cost.point]
        axes.plot(rate, cost.accuracy, look.marker, color=look.colour, markersize=5)
        axes.annotate(
            cost.variant,
            (rate, cost.accuracy),
            xytext=(0, -10 if "bounded" in cost.variant else 5),
            textcoords="offset points",
            ha="center",
            fontsize=6,
        )
    axes.margins(0.25, 0.15)
    axes.set(xlabel="frames per second", ylabel=costs[0].metric)


def _five(axes: Axes) -> None:
    table = configurations()
    for look, (column, _) in zip(LOOKS[2:], _CONFIGURATIONS, strict=False):
        axes.plot(
            table[column],
            table["ap50"],
            marker=look.marker,
            color=look.colour,
            markersize=4,
            linewidth=0.8,
        )
    for row in table.to_dict("records"):
        axes.annotate(
            row["configuration"],
            (row["ours"], row["ap50"]),
            xytext=(5, 2),
            textcoords="offset points",
            fontsize=7,
        )
    axes.set_xscale("log")
    ticks = [5, 10, 20, 40, 80]
    axes.set_xticks(ticks, [str(tick) for tick in ticks], minor=False)
    axes.set_xticks([], minor=True)
    axes.set(xlabel="frames per second", ylabel="VOC AP50", title="configurations a to e, W4A8")
