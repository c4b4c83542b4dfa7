"""What a store holds, read once and brought into the units and names of a report."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dovetail.arch.events import STALLS, Event
from dovetail.errors import StoreError
from dovetail.reports.style import (
    AREA,
    ENERGY,
    ERROR,
    LOOKS,
    TIME,
    Look,
    Quantity,
    is_buffers,
    series_name,
    setting_text,
    settings_text,
)
from dovetail.sweeps import table
from dovetail.sweeps.front import front_points
from dovetail.sweeps.pareto import pareto_front
from dovetail.sweeps.schema import POINT_COLUMNS
from dovetail.sweeps.store import Store

CYCLE_PARTS = (Event.STREAM, *STALLS)
SHAPE_FIELDS = ("engine.rows", "engine.cols")
STEP_FIELD = "engine.lut_k"
"""k of a step of a unit, the third side of an array that has several."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """One sweep as a report shows it.

    Attributes
    ----------
    path : Path
        The store.
    sweep, technology, provenance : dict
        The sweep's definition, the prices (None of a sweep without), and on what else its numbers
        depend.
    workloads : DataFrame
        One row a workload: ``title``, ``network``, ``phase``, ``batch``, ``seq``, ``trace_id``,
        ``macs``, ``notes`` and ``others`` (lists).
    points : DataFrame
        One row a simulated point, indexed by its number: the columns of
        :func:`dovetail.sweeps.table.points`, with ``title`` of the workload, ``series``,
        ``time_s``, ``energy_j``, ``area_mm2``, ``front``, ``best`` (on the front of its series
        alone, so that a series which is beaten everywhere can still be compared) and
        ``certificate`` (``passed``, ``failed`` or empty).
    refused : DataFrame
        Points that were rejected or failed: ``status``, ``title``, ``reason``, ``text`` (their
        settings).
    certificates, runs : DataFrame
        The store's tables of those names, JSON taken apart.
    operators : dict of int to DataFrame
        For the fastest point of each series and workload, its operators, one row a layer.
    """

    path: Path
    sweep: dict[str, Any]
    technology: dict[str, Any] | None
    provenance: dict[str, Any]
    workloads: pd.DataFrame
    points: pd.DataFrame
    refused: pd.DataFrame
    certificates: pd.DataFrame
    runs: pd.DataFrame
    operators: dict[int, pd.DataFrame]

    @property
    def fields(self) -> list[str]:
        """The fields of a design that the sweep varies, first axis first."""
        return [field for axis in self.sweep["axes"] for field in axis["fields"]]

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """What the sweep measured of a point, most telling first.

        The system's own measures stand for the engine's time where the sweep minimises them.
        """
        own = tuple(
            Quantity(m["name"], m["title"], m["unit"], prefixed=False, counts=not m["unit"])
            for m in self.sweep["measures"]
            if m["name"] in self.sweep["objectives"]
        )
        priced = (ENERGY, AREA) if self.technology else ()
        error = (ERROR,) if self.points["error"].nunique() > 1 else ()
        return (*(own or (TIME,)), *priced, *error)

    @property
    def tradeoffs(self) -> tuple[tuple[Quantity, Quantity], ...]:
        """Pairs of quantities that a report draws against each other."""
        first, *others = [q for q in self.quantities if q not in (ENERGY, AREA, ERROR)]
        pairs = [(first, other) for other in others]
        if self.technology:
            pairs += [(TIME, ENERGY), (TIME, AREA)]
            pairs += [(ERROR, ENERGY)] if ERROR in self.quantities else []
        return tuple(pairs)

    @property
    def order(self) -> list[str]:
        """Columns by which points are ranked: the first quantity, then energy."""
        return [self.quantities[0].column, "energy_j"]

    @property
    def series(self) -> dict[str, Look]:
        """Every series with its look; that of the sweep's base comes first."""
        names = list(dict.fromkeys(self.points["series"]))
        names.sort(key=lambda name: name != _series_of_base(self.sweep))
        return {name: LOOKS[at % len(LOOKS)] for at, name in enumerate(names)}

    @property
    def titles(self) -> list[str]:
        """Workloads that have a simulated point."""
        return [title for title in self.workloads["title"] if (self.points["title"] == title).any()]

    def of(self, title: str) -> pd.DataFrame:
        """Points of one workload."""
        return self.points[self.points["title"] == title]

    def front_of(self, title: str) -> pd.DataFrame:
        """Front points of one workload, fastest first."""
        points = self.of(title)
        return points[points["front"]].sort_values(self.order, kind="stable")

    def fastest(self, title: str) -> dict[str, int]:
        """The fastest point of each series on one workload; of equals the thriftiest."""
        return _fastest(self.of(title), list(self.series))

    def point(self, number: int) -> dict[str, Any]:
        """One point's row of ``points``."""
        return records(self.points.loc[[number]])[0]

    def labels(self, rows: pd.DataFrame) -> dict[int, str]:
        """A short label for each of ``rows``: its number, and the settings in which they differ."""
        words = series_fields(self.sweep)
        varied = [f for f in self.fields if f not in words and rows[f].nunique(dropna=False) > 1]
        shape = bool(set(SHAPE_FIELDS) & set(varied)) and set(SHAPE_FIELDS) <= set(self.fields)
        groups = []
        for axis in self.sweep["axes"]:
            fields = [
                f for f in axis["fields"] if f in varied and not (shape and f in SHAPE_FIELDS)
            ]
            groups += [fields] if is_buffers(fields) else [[field] for field in fields]
        labels = {}
        for number, values in zip(rows.index, rows[self.fields].to_dict("records"), strict=True):
            parts = [f"{values[SHAPE_FIELDS[0]]}×{values[SHAPE_FIELDS[1]]}"] if shape else []
            parts += [settings_text({field: values[field] for field in g}) for g in groups]
            labels[number] = f"#{number} {', '.join(parts)}".strip()
        return labels


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table by column name."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def component_columns(rows: pd.DataFrame, name: str, unit: str) -> pd.DataFrame:
    """A breakdown of ``rows`` by component, such as ``energy`` in ``pj``; absent ones are 0.

    What the store has as a column of its own, such as the total and its bounds, is no component.
    """
    own = {column for column, _ in POINT_COLUMNS}
    found = {
        column: match[1]
        for column in rows.columns
        if column not in own and (match := re.fullmatch(f"{name}_(.+)_{unit}", column))
    }
    return rows[list(found)].astype(float).fillna(0.0).rename(columns=found)


def read_study(path: Path) -> Study:
    """Read the store at ``path``.

    Raises
    ------
    StoreError
        Where the file is missing, damaged, of another version or not a store, or where the parts
        of a point's energy or area do not add up to its total.
    """
    with Store.open(path) as store:
        sweep = store.meta("sweep")
        workloads = _read(store, "workloads", "workload", ("notes", "others"))
        workloads["title"] = [table.workload_title(row) for row in records(workloads)]
        everything = table.points(store).set_index("point")
        everything["title"] = everything["workload"].map(workloads["title"])
        certificates = table.certificates(store).set_index("point")
        points = _points(everything, certificates, sweep, front_points(store))
        _check_totals(points, path)
        return Study(
            path=path,
            sweep=sweep,
            technology=store.meta("technology"),
            provenance=store.meta("provenance"),
            workloads=workloads,
            points=points,
            refused=_refused(everything, sweep),
            certificates=certificates,
            runs=_read(store, "runs", "run", ("provenance",)),
            operators={
                number: table.operators(store, number)
                for _, rows in points.groupby("title")
                for number in _fastest(rows, list(rows["series"].unique())).values()
            },
        )


def _check_totals(points: pd.DataFrame, path: Path) -> None:
    """Refuse points whose breakdown is not that of their total."""
    for name, unit in (("energy", "pj"), ("area", "um2")):
        parts = component_columns(points, name, unit).sum(axis=1)
        totals = points[f"{name}_{unit}"].astype(float)
        wrong = points.index[totals.notna() & ~np.isclose(parts, totals, rtol=1e-9, atol=0.0)]
        if len(wrong):
            raise StoreError(
                f"{path}: the {name} of point {wrong[0]} is {totals[wrong[0]]:.6g} {unit}, but "
                f"its parts add up to {parts[wrong[0]]:.6g}; run the sweep into another store"
            )


def _read(store: Store, name: str, key: str, parsed: Sequence[str]) -> pd.DataFrame:
    names = [row["name"] for row in store.query("SELECT name FROM pragma_table_info(?)", [name])]
    rows = [tuple(row) for row in store.query(f"SELECT * FROM {name} ORDER BY {key}")]
    frame = pd.DataFrame(rows, columns=names).set_index(key)
    for column in parsed:
        frame[column] = frame[column].map(json.loads)
    return frame


def _points(
    everything: pd.DataFrame,
    certificates: pd.DataFrame,
    sweep: dict[str, Any],
    front: tuple[int, ...],
) -> pd.DataFrame:
    points = everything[everything["status"] == "ok"].copy()
    fields = series_fields(sweep)
    points["series"] = [
        _series(dict(zip(fields, values, strict=True))) or sweep["system"]
        for values in points[fields].itertuples(index=False, name=None)
    ]
    points["time_s"] = points["time_ms"].astype(float) * 1e-3
    for measure in sweep["measures"]:
        points[measure["name"]] = points[measure["name"]].astype(float)
    points["energy_j"] = points["energy_pj"].astype(float) * 1e-12
    points["area_mm2"] = points["area_um2"].astype(float) * 1e-6
    points["error"] = points["error"].astype(float)
    points["utilization"] = points["utilization"].astype(float)
    points["front"] = points.index.isin(front)
    points["best"] = False
    for _, rows in points.groupby(["workload", "series"]):
        costs = rows[list(sweep["objectives"])].to_numpy(dtype=float)
        points.loc[rows.index, "best"] = pareto_front(costs)
    verdicts = certificates["passed"].map({1: "passed", 0: "failed"})
    points["certificate"] = verdicts.reindex(points.index).fillna("").astype(str)
    return points


def _refused(everything: pd.DataFrame, sweep: dict[str, Any]) -> pd.DataFrame:
    refused = everything[everything["status"] != "ok"].copy()
    fields = [field for axis in sweep["axes"] for field in axis["fields"]]
    refused["text"] = [
        ", ".join(setting_text(field, value) for field, value in zip(fields, values, strict=True))
        for values in refused[fields].itertuples(index=False, name=None)
    ]
    return refused[["status", "title", "text", "reason"]]


def _fastest(points: pd.DataFrame, series: list[str]) -> dict[str, int]:
    ordered = points.sort_values(["time_s", "energy_j"], kind="stable")
    first = ordered.drop_duplicates("series")
    numbers = dict(zip(first["series"], map(int, first.index), strict=True))
    return {name: numbers[name] for name in series if name in numbers}


def series_fields(sweep: dict[str, Any]) -> list[str]:
    """Fields that tell the series apart.

    Those that the sweep names; else those with words for values, such as ``engine.core``, and what
    an axis varies together with a word, but for the shape of the array: a core with weights of so
    many bits is a series.
    """
    fields: list[str] = []
    if sweep["series"]:
        return list(sweep["series"])
    for axis in sweep["axes"]:
        names = axis["fields"]
        rows = [value if len(names) > 1 else [value] for value in axis["values"]]
        words = [f for at, f in enumerate(names) if all(isinstance(row[at], str) for row in rows)]
        linked = [f for f in names if f not in (*words, *SHAPE_FIELDS, STEP_FIELD)]
        fields += [*words, *(linked if words else [])]
    return fields


def _series_of_base(sweep: dict[str, Any]) -> str:
    return _series({field: value_at(sweep["base"], field) for field in series_fields(sweep)})


def _series(settings: dict[str, Any]) -> str:
    """``MixPE W4A8``, or with what goes with a word ``LUT INT8, 2-bit weight``."""
    words = [series_name(value) for value in settings.values() if isinstance(value, str)]
    others = [setting_text(f, value) for f, value in settings.items() if not isinstance(value, str)]
    return ", ".join([*([" ".join(words)] if words else []), *others])


def value_at(design: dict[str, Any], field: str) -> Any:
    """Value of a dotted field such as ``engine.rows`` in a design's plain data."""
    value: Any = design
    for part in field.split("."):
        value = value[part]
    return value
