"""One published figure beside ours: the row that every paper's reproduction is made of."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

Scale = Literal["relative", "absolute"]
Verdict = Literal["reproduced", "not reproduced", "report only", "not measured"]
Figure = dict[str, Any]
"""A table of ``sweeps/published``: a figure, or all those of a paper."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReproductionRow:
    """A published figure, ours, and whether they agree.

    Attributes
    ----------
    paper : str
    row : str
        Number of the figure in the paper's list; a figure of many cells has a row for each.
    what : str
    published : float
    ours, deviation : float or None
        ``ours - published``, over ``published`` where the scale is relative; both None where ours
        is not measured.
    scale : str
        ``relative`` or ``absolute``: of deviation and tolerance.
    tolerance : float or None
        None: there is nothing to hold the figure to, so it is only reported.
    accounting : str
        Whose counting ours is: ``authors`` or ``dovetail``.
    verdict : str
        ``reproduced``, ``not reproduced``, ``report only`` or ``not measured``.
    why : str
        What makes the figure come out, or what keeps it from it.
    source : str
        Where the published figure stands.
    """

    paper: str
    row: str
    what: str
    published: float
    ours: float | None
    deviation: float | None
    scale: Scale
    tolerance: float | None
    accounting: str
    verdict: Verdict
    why: str
    source: str


def compare(
    *,
    paper: str,
    row: str,
    what: str,
    published: float,
    ours: float | None,
    scale: Scale,
    tolerance: float | None,
    accounting: str,
    why: str,
    source: str,
) -> ReproductionRow:
    """Make the row of one figure: its deviation and its verdict."""
    deviation: float | None = None
    verdict: Verdict = "not measured" if ours is None else "report only"
    if ours is not None:
        deviation = ours - published
        if scale == "relative":
            deviation /= published
        if tolerance is not None:
            verdict = "reproduced" if abs(deviation) <= tolerance else "not reproduced"
    return ReproductionRow(
        paper=paper,
        row=row,
        what=what,
        published=published,
        ours=ours,
        deviation=deviation,
        scale=scale,
        tolerance=tolerance,
        accounting=accounting,
        verdict=verdict,
        why=why,
        source=source,
    )


def published_figures(name: str) -> Figure:
    """Read ``sweeps/published/<name>.toml``."""
    path = files("dovetail.sweeps") / "published" / f"{name}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def figure_row(
    published: Figure,
    figure: Figure,
    *,
    ours: float | None,
    what: str | None = None,
    value: float | None = None,
    accounting: str = "dovetail",
    tolerance: float | None = None,
    why: str | None = None,
) -> ReproductionRow:
    """Make the row of one figure; what is not given comes from the figure's entry."""
    return compare(
        paper=published["paper"],
        row=figure["row"],
        what=what or figure["what"],
        published=figure["value"] if value is None else value,
        ours=ours,
        scale=figure["scale"],
        tolerance=figure.get("tolerance") if tolerance is None else tolerance,
        accounting=accounting,
        why=why or figure["why"],
        source=figure["source"],
    )
