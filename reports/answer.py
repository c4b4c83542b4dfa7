"""The answer to a sweep's question, in sentences made from the points alone."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dovetail.reports.array_area import EQUAL_AREA, array_um2
from dovetail.reports.breakdowns import energy_bounds
from dovetail.reports.shapes import has_shapes, shape_sentences
from dovetail.reports.study import (
    SHAPE_FIELDS,
    STEP_FIELD,
    Study,
    series_fields,
)
from dovetail.reports.style import AREA, ENERGY, ERROR


def answer(study: Study) -> list[tuple[str, str]]:
    """Heading and text of the paragraphs that answer the sweep's question."""
    if study.points.empty:
        return [("No answer", _nothing(study))]
    paragraphs = []
    for title in study.titles:
        first, *others = study.series
        # Equal area means something only where areas have prices.
        compared = [_compared(study, title, first, o) for o in others if study.technology]
        shapes = shape_sentences(study, title) if has_shapes(study) else []
        paragraphs.append((title, " ".join([*compared, *_front(study, title), *shapes])))
    return [*paragraphs, ("Certificates", _certified(study))]


def equal_area_pairs(study: Study, title: str, first: str, other: str) -> pd.DataFrame:
    """Pairs of one point each of two series that differ in nothing but the array.

    Settings are equal, except those that name the series and the array's shape; the arrays differ
    in area by ``EQUAL_AREA`` at most; and each is the fastest of its series that is so, of equals
    the thriftiest: at one area both series come in their best shape.

    Returns
    -------
    DataFrame
        ``first``, ``other`` (numbers of points), and the ratios ``area`` (of the arrays, first
        over other), ``time`` and ``energy`` (other over first: above 1 the first is better).
    """
    points = study.of(title).assign(array=array_um2)
    points = points.sort_values(["time_s", "energy_j"], kind="stable")
    apart = {*series_fields(study.sweep), *SHAPE_FIELDS, STEP_FIELD}
    shared = [field for field in study.fields if field not in apart]
    pairs = []
    for _, rows in points.groupby(shared) if shared else [((), points)]:
        ours, theirs = rows[rows["series"] == first], rows[rows["series"] == other]
        for number, point in theirs.iterrows():
            rivals = theirs[_near(theirs["array"], point["array"])]
            fitting = ours[_near(ours["array"], point["array"])]
            if rivals.index[0] == number and len(fitting):
                best = fitting.iloc[0]
                pairs.append(
                    {
                        "first": fitting.index[0],
                        "other": number,
                        "area": best["array"] / point["array"],
                        "time": point["time_s"] / best["time_s"],
                        "energy": point["energy_j"] / best["energy_j"],
                    }
                )
    return pd.DataFrame(pairs, columns=["first", "other", "area", "time", "energy"])


def _near(areas: pd.Series, area: float) -> pd.Series:
    return (areas / area - 1).abs() <= EQUAL_AREA


def _nothing(study: Study) -> str:
    if study.refused.empty:
        return "This store holds no point yet: continue the sweep with --resume."
    return (
        f"No point of this sweep could be simulated: {len(study.refused)} were rejected or "
        f"failed, each for the reason given below."
    )


def _compared(study: Study, title: str, first: str, other: str) -> str:
    pairs = equal_area_pairs(study, title, first, other)
    if pairs.empty:
        return (
            f"No {first} and {other} that differ in the array alone have arrays of equal area "
            f"(within {EQUAL_AREA:.0%}), so the two are not compared."
        )
    return (
        f"At equal array area {first} is {_ratio(pairs['time'])} times as fast as {other}, and "
        f"{other} takes {_ratio(pairs['energy'])} times its energy ({len(pairs)} pairs of points "
        f"that differ in the array alone, each in its fastest shape; the {first} array has "
        f"{pairs['area'].min():.2f} to {pairs['area'].max():.2f} of the area, "
        f"where {EQUAL_AREA:.0%} more or less counts as equal)."
    )


def _ratio(values: pd.Series) -> str:
    mean = float(np.exp(np.log(values.astype(float)).mean()))
    if len(values) == 1:
        return f"{mean:.2f}"
    return f"{mean:.2f} (geometric mean; from {values.min():.2f} to {values.max():.2f})"


def _front(study: Study, title: str) -> list[str]:
    front = study.front_of(title)
    counts = ", ".join(f"{(front['series'] == name).sum()} {name}" for name in study.series)
    words: dict[int, list[str]] = {}
    for quantity in study.quantities:
        if quantity in (AREA, ERROR):
            continue
        best = front.sort_values([quantity.column, *study.order], kind="stable").index[0]
        name = "fastest" if quantity == study.quantities[0] else f"least {quantity.name}"
        words.setdefault(int(best), []).append(name)
    sentences = [f"{len(front)} of {len(study.of(title))} points are on the front ({counts})."]
    sentences += [
        f"{_listed(names)}: {_named(study, front, number)}." for number, names in words.items()
    ]
    least = front["error"].min()
    thrifty = study.point(int(front.sort_values(["energy_j", "time_s"], kind="stable").index[0]))
    if front["error"].nunique() > 1 and thrifty["error"] > least:
        exact = front.loc[front["error"] == least, "energy_j"].min()
        sentences.append(
            f"The least {ERROR.name} on the front, {ERROR.text(least)} instead of "
            f"{ERROR.text(thrifty['error'])}, costs "
            f"{exact / thrifty['energy_j'] - 1:.1%} more energy than the least. The error is "
            f"measured on the network with real weights, not on this one; attention's own "
            f"products, and with them the bits of keys and values, are not in it."
        )
    return sentences


def _named(study: Study, front: pd.DataFrame, number: int) -> str:
    point = study.point(number)
    bounds = energy_bounds(study.points.loc[[number]])
    sure = ""
    if len(bounds):
        low, high = (ENERGY.text(float(bounds[name].iloc[0])) for name in ("low", "high"))
        sure = f" (by the bounds of the prices {low} to {high})"
    values = [
        quantity.text(point[quantity.column]) + (sure if quantity == ENERGY else "")
        for quantity in study.quantities
        if quantity != ERROR
    ]
    return (
        f"{point['series']} {study.labels(front)[number]} with {', '.join(values)} and "
        f"{point['utilization']:.1%} utilisation"
    )


def _listed(names: list[str]) -> str:
    """``Fastest, least DSPs and least LUTs``."""
    *more, last = names
    text = f"{', '.join(more)} and {last}" if more else last
    return text[0].upper() + text[1:]


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
