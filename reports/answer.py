"""The answer to a sweep's question, in sentences made from the points alone."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from dovetail.arch.units import CORE_UNITS
from dovetail.reports.study import SHAPE_FIELDS, Study, word_fields
from dovetail.reports.style import AREA, ENERGY, ERROR, TIME, rounded

EQUAL_AREA = 0.10
"""Arrays count as equal in area up to this relative difference."""

_ARRAY_PARTS = {u.component for units in CORE_UNITS.values() for u in units if u.in_array}


def answer(study: Study) -> list[str]:
    """Paragraphs that answer the sweep's question, one or more a workload."""
    if study.points.empty:
        return [
            f"No point of this sweep could be simulated, so there is no answer: "
            f"{len(study.refused)} points were rejected or failed, each with its reason below."
            if len(study.refused)
            else "This store holds no point yet, so there is no answer: continue the sweep with "
            "--resume."
        ]
    paragraphs = []
    for title in study.titles:
        paragraphs.append(" ".join([f"{title}:", *_front(study, title)]))
        first, *others = study.series
        for other in others:
            paragraphs.append(f"{title}: {_compared(study, title, first, other)}")
    paragraphs.append(_certified(study))
    return paragraphs


def equal_area_pairs(study: Study, title: str, first: str, other: str) -> pd.DataFrame:
    """Pairs of one point each of two series that differ in nothing but the array.

    For each point of ``other`` the point of ``first`` with equal settings, except those that name
    the series and the array's shape, whose array is nearest in area; none where the nearest
    differs by more than ``EQUAL_AREA``.

    Returns
    -------
    DataFrame
        ``first``, ``other`` (numbers of points), and the ratios ``area`` (of the arrays, first
        over other), ``time`` and ``energy`` (other over first: above 1 the first is better).
    """
    points = study.of(title).assign(array=lambda rows: _array_um2(rows))
    apart = {*word_fields(study.sweep), *SHAPE_FIELDS}
    shared = [field for field in study.fields if field not in apart]
    candidates = points[points["series"] == first]
    groups = dict(list(candidates.groupby(shared))) if shared else {(): candidates}
    rows = []
    for number, point in points[points["series"] == other].iterrows():
        near = groups.get(tuple(point[field] for field in shared))
        if near is None:
            continue
        ratios = near["array"] / point["array"]
        best = (ratios - 1).abs().idxmin()
        if abs(ratios[best] - 1) <= EQUAL_AREA:
            rows.append(
                {
                    "first": best,
                    "other": number,
                    "area": ratios[best],
                    "time": point["time_s"] / near.loc[best, "time_s"],
                    "energy": point["energy_j"] / near.loc[best, "energy_j"],
                }
            )
    return pd.DataFrame(rows, columns=["first", "other", "area", "time", "energy"])


def _array_um2(rows: pd.DataFrame) -> pd.Series:
    names = [
        name
        for name in rows.columns
        if (part := re.fullmatch("area_(.+)_um2", name)) and part[1] in _ARRAY_PARTS
    ]
    return rows[names].astype(float).fillna(0.0).sum(axis=1)


def _front(study: Study, title: str) -> list[str]:
    front = study.front_of(title)
    counts = ", ".join(f"{(front['series'] == series).sum()} {series}" for series in study.series)
    sentences = [f"{len(front)} of {len(study.of(title))} points are on the front ({counts})."]
    for quantity, word in ((TIME, "fastest"), (ENERGY, "thriftiest")):
        point = front.loc[front[quantity.column].idxmin()]
        sentences.append(f"The {word}, {_named(study, front, point)}.")
    errors = front["error"]
    if errors.nunique() > 1:
        exact, thrifty = front.loc[errors.idxmin()], front.loc[front["energy_j"].idxmin()]
        if thrifty["error"] > exact["error"]:
            sentences.append(
                f"The least {ERROR.name}, {ERROR.text(exact['error'])} instead of "
                f"{ERROR.text(thrifty['error'])}, takes at least "
                f"{_least(front, 'energy_j', exact['error']) / thrifty['energy_j']:.2f} times "
                f"the least energy."
            )
    return sentences


def _least(front: pd.DataFrame, column: str, error: float) -> float:
    return float(front.loc[front["error"] == error, column].min())


def _named(study: Study, front: pd.DataFrame, point: pd.Series) -> str:
    label = study.labels(front)[point.name]
    return (
        f"{point['series']} {label}, takes {TIME.text(point['time_s'])} and "
        f"{ENERGY.text(point['energy_j'])} on {AREA.text(point['area_mm2'])} with "
        f"{100 * point['utilization']:.1f} % of its MACs in use"
    )


def _compared(study: Study, title: str, first: str, other: str) -> str:
    pairs = equal_area_pairs(study, title, first, other)
    if pairs.empty:
        return (
            f"no {first} and {other} that differ in the array alone have arrays of equal area "
            f"(within {EQUAL_AREA:.0%}), so they are not compared."
        )
    return (
        f"at equal array area ({len(pairs)} pairs that differ in the array alone, "
        f"{first} at {rounded(pairs['area'].min())} to {rounded(pairs['area'].max())} of the "
        f"area), {first} is {_ratio(pairs['time'])} times as fast as {other} and {other} takes "
        f"{_ratio(pairs['energy'])} times its energy."
    )


def _ratio(values: pd.Series) -> str:
    mean = float(np.exp(np.log(values.astype(float)).mean()))
    if len(values) == 1:
        return f"{mean:.2f}"
    return f"{mean:.2f} (geometric mean, {values.min():.2f} to {values.max():.2f})"


def _certified(study: Study) -> str:
    marks = study.points["certificate"]
    passed, failed = (marks == "passed").sum(), (marks == "failed").sum()
    if not passed and not failed:
        return (
            "No point was certified: these numbers are the simulator's; run the sweep again with "
            "--resume --certify to run the front in Verilator."
        )
    text = (
        f"{passed} points were certified: built at their own configuration and run in Verilator "
        f"on tiles of their network, with outputs equal to the reference to the bit, and cycles "
        f"and events equal to the simulator's."
    )
    return f"{text} {failed} failed and must not be believed." if failed else text
