"""Where energy, cycles and time of chosen points go: the tables behind the bar charts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dovetail.arch.events import STALLS, Event
from dovetail.reports.study import CYCLE_PARTS, Study, component_columns
from dovetail.reports.style import AREA, ENERGY, Quantity, component_name

MAX_BARS = 12
MAX_PARTS = 8


def bar_points(study: Study, title: str) -> pd.DataFrame:
    """Points of one workload that bars show: of each series, fastest first.

    The points on the series' own front; where they are more than the bars, every certified one
    and others spread evenly from the fastest to the slowest.
    """
    points = study.of(title)
    most = max(3, MAX_BARS // len(study.series))
    chosen = []
    for series in study.series:
        rows = points[points["best"] & (points["series"] == series)]
        chosen.append(_spread(rows.sort_values(["time_s", "energy_j"], kind="stable"), most))
    return pd.concat(chosen)


def _spread(rows: pd.DataFrame, most: int) -> pd.DataFrame:
    if len(rows) <= most:
        return rows
    keep = (rows["certificate"] != "").to_numpy(copy=True)
    free = np.flatnonzero(~keep)
    room = min(len(free), max(2, most - int(keep.sum())))
    keep[free[np.linspace(0, len(free) - 1, room).round().astype(int)]] = True
    return rows[keep]


def energy_parts(rows: pd.DataFrame, among: pd.DataFrame | None = None) -> pd.DataFrame:
    """Energy of each component in joules, one row a point, the largest components first.

    Components beyond ``MAX_PARTS`` are summed under the name ``others``.

    Parameters
    ----------
    rows : DataFrame
        Points.
    among : DataFrame, optional
        Points whose mean shares say which components are large, so that the panels of one figure
        show the same ones; ``rows`` unless given.
    """
    return _largest(rows, rows if among is None else among, "energy", "pj") * 1e-12


def area_parts(rows: pd.DataFrame, among: pd.DataFrame | None = None) -> pd.DataFrame:
    """Area of each component in square millimetres, as :func:`energy_parts`."""
    return _largest(rows, rows if among is None else among, "area", "um2") * 1e-6


def _largest(rows: pd.DataFrame, among: pd.DataFrame, name: str, unit: str) -> pd.DataFrame:
    every = component_columns(among, name, unit)
    shares = every.div(every.sum(axis=1), axis=0).mean()
    order = shares[shares > 0].sort_values(ascending=False, kind="stable").index
    parts = component_columns(rows, name, unit)[order].rename(columns=component_name)
    if len(parts.columns) > MAX_PARTS:
        rest = parts.columns[MAX_PARTS - 1 :]
        parts = parts.drop(columns=rest).assign(others=parts[rest].sum(axis=1))
    return parts


@dataclass(frozen=True, slots=True)
class Bars:
    """What stacked bars show of some points.

    Attributes
    ----------
    parts : DataFrame
        One row a point, one column a part, in the unit of ``label``.
    label : str
    bounds : DataFrame
        ``low`` and ``high`` of each total; empty where they are not known.
    is_share : bool
        Parts are shares of one.
    """

    parts: pd.DataFrame
    label: str
    bounds: pd.DataFrame
    is_share: bool = False


def energy_bars(study: Study, rows: pd.DataFrame) -> Bars:
    """Energy by component, with the bounds that the prices' uncertainty gives the total."""
    return _bounded_bars(energy_parts(rows, study.points), energy_bounds(rows), ENERGY)


def area_bars(study: Study, rows: pd.DataFrame) -> Bars:
    """Area by component, with the bounds of the total as in :func:`energy_bars`."""
    return _bounded_bars(area_parts(rows, study.points), area_bounds(rows), AREA)


def _bounded_bars(parts: pd.DataFrame, bounds: pd.DataFrame, quantity: Quantity) -> Bars:
    largest = max(parts.sum(axis=1).max(), bounds["high"].max() if len(bounds) else 0.0)
    scale, label = quantity.scale(largest)
    return Bars(parts * scale, label, bounds * scale)


def cycle_bars(study: Study, rows: pd.DataFrame) -> Bars:
    """What the cycles went into."""
    return Bars(cycle_parts(rows), "share of cycles", pd.DataFrame(), is_share=True)


def bar_names(study: Study, rows: pd.DataFrame) -> list[str]:
    """What stands beside the bar of each point."""
    marks = {"passed": " ✓", "failed": " ✗", "": ""}
    labels = study.labels(rows)
    return [
        f"{series} {labels[number]}{marks[mark]}"
        for number, series, mark in zip(
            rows.index, rows["series"], rows["certificate"], strict=True
        )
    ]


def energy_bounds(rows: pd.DataFrame) -> pd.DataFrame:
    """Bounds of the total energy in joules, where every price is at its lower or upper bound.

    Returns
    -------
    DataFrame
        ``low`` and ``high``, one row a point; empty where the store has no bounds.
    """
    return _bounds(rows[["energy_low_pj", "energy_high_pj"]].astype(float) * 1e-12)


def area_bounds(rows: pd.DataFrame) -> pd.DataFrame:
    """Bounds of the total area in square millimetres, as :func:`energy_bounds`."""
    return _bounds(rows[["area_low_um2", "area_high_um2"]].astype(float) * 1e-6)


def _bounds(bounds: pd.DataFrame) -> pd.DataFrame:
    bounds.columns = pd.Index(["low", "high"])
    return bounds if bounds.notna().all(axis=None) else bounds.iloc[:0]


def cycle_parts(rows: pd.DataFrame) -> pd.DataFrame:
    """Share of the cycles that stream operands or stall for each cause, one row a point."""
    counts = rows[[event.value for event in CYCLE_PARTS]].astype(float)
    shares = counts.div(rows["cycles"].astype(float), axis=0)
    names = {event.value: f"stall: {event.value.removeprefix('stall_')}" for event in STALLS}
    return shares.rename(columns={Event.STREAM.value: "operands stream", **names})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How a report writes what an operator ran.

    Attributes
    ----------
    shape, kind : str
        Heads of the two columns.
    fields : tuple of str
        Of the stored run, which the text needs.
    text : callable
        Their values to the text of both columns.
    """

    shape: str
    kind: str
    fields: tuple[str, ...]
    text: Callable[..., tuple[str, str]]


def _gemm_text(m: int, n: int, k: int, weights: str) -> tuple[str, str]:
    return f"{m} × {n} × {k}", weights


def _call_text(
    height: int,
    width: int,
    ins: int,
    outs: int,
    pointwise: bool,
    depthwise: bool,
    full: bool,
    stride: int,
    deform: bool,
) -> tuple[str, str]:
    parts = ["1x1"] if pointwise else []
    if depthwise:
        parts.append(("full" if full else "depthwise") + " 3x3")
    words = " + ".join(parts) + (", deformable" if deform else "")
    return f"{height} × {width}, {ins} → {outs}", words + (", stride 2" if stride == 2 else "")


def _half_text(tokens: int, width: int, part: str) -> tuple[str, str]:
    return f"{tokens} × {width}", part


SHAPES = (
    Shape(
        shape="M × N × K",
        kind="weights",
        fields=("m", "n", "k", "weight_format"),
        text=_gemm_text,
    ),
    Shape(
        shape="map, channels",
        kind="convolutions",
        fields=(
            "height",
            "width",
            "in_channels",
            "out_channels",
            "pointwise",
            "depthwise",
            "full",
            "stride",
            "deform",
        ),
        text=_call_text,
    ),
    Shape(
        shape="tokens × width",
        kind="half of a block",
        fields=("tokens", "width", "part"),
        text=_half_text,
    ),
)
"""Of the runs of each kind of engine, told apart by their fields."""


def shape_of(operators: pd.DataFrame) -> Shape:
    """How the runs in ``operators`` are written."""
    return next(shape for shape in SHAPES if set(shape.fields) <= set(operators.columns))


def operator_table(study: Study, number: int) -> pd.DataFrame:
    """Operators of one point in program order, layers of one shape in one row.

    Returns
    -------
    DataFrame
        ``operator``, ``layers`` (text), ``runs``, ``shape`` and ``kind`` (text, by
        :data:`SHAPES`), ``time_s``
        of all runs, ``share`` of the point's time, ``utilization``, ``stalled`` (share of the
        operator's cycles).
    """
    point = study.point(number)
    rows = []
    operators = study.operators[number]
    shape = shape_of(operators)
    for key, group in operators.groupby(["name", *shape.fields], sort=False):
        name, *values = key
        own = group["cycles"].sum()
        rows.append(
            {
                "operator": name,
                "layers": _ranges(sorted(group["layer"].unique())),
                "runs": int(group["count"].sum()),
                **dict(zip(("shape", "kind"), shape.text(*values), strict=True)),
                "time_s": own / point["cycles"] * point["time_s"],
                "share": own / point["cycles"],
                "utilization": float((group["utilization"] * group["cycles"]).sum() / own),
                "stalled": float(group[[e.value for e in STALLS]].to_numpy().sum() / own),
            }
        )
    return pd.DataFrame(rows)


def _ranges(layers: list[int]) -> str:
    """``[0, 1, 2, 5]`` as ``0–2, 5``; -1 is what stands outside the layers."""
    ranges: list[list[int]] = []
    for layer in layers:
        if ranges and ranges[-1][1] == layer - 1 and layer > 0:
            ranges[-1][1] = layer
        else:
            ranges.append([layer, layer])
    return ", ".join(
        "outside" if last < 0 else f"{first}–{last}" if last > first else str(first)
        for first, last in ranges
    )
