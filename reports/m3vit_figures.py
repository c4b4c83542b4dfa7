"""Figures of M3ViT's schedules: experts, memory, ports, attention, skew, and ping-pong overlap."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from dovetail.reports.figures import PNG_DPI, STYLE
from dovetail.reports.style import LOOKS, PAGE_INCHES, PART_COLOURS

SCHEDULE_NAMES = {
    "resident": "all experts resident",
    "cached": "token by token, cached",
    "expert_by_expert": "expert by expert",
}
TRACK_NAMES = ("load ping", "load pong", "units", "wait")
MIB = 1 << 20


def write_schedule_figures(
    frame: pd.DataFrame, timeline: dict[str, Any], folder: Path
) -> tuple[Path, ...]:
    """Write every figure as PNG and SVG; return their paths.

    Parameters
    ----------
    frame : DataFrame
        As :func:`dovetail.sweeps.m3vit_schedule.table` returns it.
    timeline : dict
        As :func:`dovetail.sweeps.m3vit_schedule.overlap_timeline` returns it.
    folder : Path
        Must exist.
    """
    paths = []
    with matplotlib.rc_context(STYLE):
        for name, figure in _figures(frame, timeline):
            for ending, metadata in (("png", {}), ("svg", {"Date": None})):
                path = folder / f"{name}.{ending}"
                figure.savefig(path, dpi=PNG_DPI, metadata=metadata)
                paths.append(path)
    return tuple(paths)


def _figures(frame: pd.DataFrame, timeline: dict[str, Any]) -> Iterator[tuple[str, Figure]]:
    ran = frame[frame["refused"] == ""]
    for name, (question, draw) in _PANELS.items():
        rows = ran[ran["question"] == question]
        networks = list(dict.fromkeys(rows["network"]))
        figure = Figure(figsize=(PAGE_INCHES, 2.6))
        for axes, network in zip(
            figure.subplots(1, len(networks), squeeze=False)[0], networks, strict=True
        ):
            draw(axes, rows[rows["network"] == network])
            tokens = rows[rows["network"] == network]["tokens"].iloc[0]
            axes.set_title(f"{network}, {tokens:,} tokens")
            axes.legend()
        yield name, figure
    yield "timeline", overlap(timeline)


def overlap(timeline: dict[str, Any], *, block: int = 1) -> Figure:
    """Loads and computing of one MoE block, half by half of the weight buffer."""
    names = {
        event["tid"]: event["args"]["name"]
        for event in timeline["traceEvents"]
        if event["name"] == "thread_name"
    }
    slices = [
        event
        for event in timeline["traceEvents"]
        if event["ph"] == "X" and event["args"].get("block") == block
    ]
    slices = [e for e in slices if "expert" in e["args"] or e["name"] in ("gate", "clear")]
    start = min(event["ts"] for event in slices)
    figure = Figure(figsize=(PAGE_INCHES, 2.0))
    axes = figure.subplots()
    for event in slices:
        track = names[event["tid"]]
        if track not in TRACK_NAMES:
            continue
        colour = PART_COLOURS[event["args"].get("expert", -1) % len(PART_COLOURS)]
        axes.barh(
            TRACK_NAMES.index(track),
            event["dur"],
            left=event["ts"] - start,
            color="#bbbbbb" if track == "wait" else colour,
            edgecolor="white",
            linewidth=0.3,
        )
    axes.set_yticks(range(len(TRACK_NAMES)), TRACK_NAMES)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(f"time in block {block} (µs); one colour an expert")
    return figure


def _experts(axes: Axes, rows: pd.DataFrame) -> None:
    _by_schedule(axes, rows, "experts", "experts_ms")
    uses = rows["queue_length"] * rows["experts"]
    knee = float((uses / rows["break_even_queue"]).iloc[0])
    axes.axvline(knee, color="#444444", linewidth=0.8, linestyle=":", label="loads just hide")
    axes.set(xscale="log", yscale="log", xlabel="experts", ylabel="time of experts, no gate (ms)")
    _plain(axes, rows["experts"])


def _skew(axes: Axes, rows: pd.DataFrame) -> None:
    finite = rows[rows["skew"] < math.inf]
    _by_schedule(axes, finite, "skew", "moe_ms")
    label = "skew of popularity, 1 / rank^skew"
    axes.set(yscale="log", xlabel=label, ylabel="time of MoE blocks (ms)")


def _memory(axes: Axes, rows: pd.DataFrame) -> None:
    _over_memory(axes, rows, "moe_ms")
    axes.set(yscale="log", ylabel="time of MoE blocks (ms)")


def _energy(axes: Axes, rows: pd.DataFrame) -> None:
    _over_memory(axes, rows, "dram_mj")
    axes.set(yscale="log", ylabel="energy of DRAM, one image (mJ)")


def _over_memory(axes: Axes, rows: pd.DataFrame, y: str) -> None:
    for look, (schedule, name) in zip(LOOKS, SCHEDULE_NAMES.items(), strict=False):
        some = rows[rows["schedule"] == schedule].sort_values("on_chip_bytes")
        axes.plot(
            some["on_chip_bytes"] / MIB,
            some[y],
            marker=look.marker,
            color=look.colour,
            label=name,
            markersize=4,
        )
    axes.set_xlabel("on-chip memory (MiB)")


def _ports(axes: Axes, rows: pd.DataFrame) -> None:
    for look, (side, some) in zip(LOOKS, rows.groupby("linear_inputs"), strict=False):
        some = some.sort_values("port_bits")
        axes.plot(some["port_bits"], some["moe_ms"], color=look.colour, label=f"{side} × {side}")
        bound = some["queue_length"] < some["break_even_queue"]
        for is_bound, face in ((False, look.colour), (True, "none")):
            chosen = some[bound == is_bound]
            axes.plot(
                chosen["port_bits"],
                chosen["moe_ms"],
                look.marker,
                color=look.colour,
                markerfacecolor=face,
                markersize=4,
            )
    label = "port (bits); hollow: bound by loads"
    axes.set(xscale="log", yscale="log", xlabel=label, ylabel="time of MoE blocks (ms)")
    _plain(axes, rows["port_bits"])


def _attention(axes: Axes, rows: pd.DataFrame) -> None:
    for look, (reordered, some) in zip(
        LOOKS, rows.groupby("attention_reordered", sort=False), strict=False
    ):
        name = "reordered" if reordered else "each query reads its keys"
        axes.plot(
            some["attention_parallel"],
            some["attention_ms"],
            marker=look.marker,
            color=look.colour,
            label=name,
            markersize=4,
        )
    axes.set(xscale="log", yscale="log", xlabel="queries held, p", ylabel="time of attention (ms)")
    _plain(axes, rows["attention_parallel"])


def _by_schedule(axes: Axes, rows: pd.DataFrame, x: str, y: str) -> None:
    for look, (schedule, name) in zip(LOOKS, SCHEDULE_NAMES.items(), strict=False):
        some = rows[rows["schedule"] == schedule].sort_values(x)
        axes.plot(some[x], some[y], marker=look.marker, color=look.colour, label=name, markersize=4)


def _plain(axes: Axes, values: pd.Series) -> None:
    """Ticks at the values themselves, written in full."""
    axes.set_xticks(sorted(set(values)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())


_PANELS: dict[str, tuple[str, Callable[[Axes, pd.DataFrame], None]]] = {
    "experts": ("experts", _experts),
    "memory": ("memory", _memory),
    "energy": ("memory", _energy),
    "ports": ("ports", _ports),
    "attention": ("attention", _attention),
    "skew": ("skew", _skew),
}
"""Figures by name: the question that they draw, and how."""
