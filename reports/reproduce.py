"""Published figures beside ours, as a terminal table, as Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import groupby

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from dovetail.sweeps.reproduction import ReproductionRow

Line = dict[str, str]
"""Column to its text."""

_RIGHT = {"published", "ours", "deviation", "tolerance", "figures", "worst"}
_WRAPPED = {"what", "why"}
_STYLES = {
    "reproduced": "green",
    "not reproduced": "bold red",
    "report only": "yellow",
    "not measured": "yellow",
}


def render_table(rows: Sequence[ReproductionRow]) -> Group:
    """Draw every figure of each paper, then a line and the reason for each number of its list.

    The tables are readable from 80 columns on.
    """
    tables = []
    for paper, group in groupby(rows, key=lambda row: row.paper):
        figures = list(group)
        numbers = summary(figures)
        tables += [
            _table(
                f"{paper}: published figures beside ours",
                ("row", "what", "published", "ours", "deviation", "verdict"),
                [cells(row) for row in figures],
            ),
            _table(
                f"{paper}: by number",
                ("row", "figures", "worst", "tolerance", "accounting", "verdict"),
                numbers,
            ),
            _table(f"{paper}: reasons", ("row", "why"), numbers),
        ]
    return Group(*tables)


def to_markdown(rows: Sequence[ReproductionRow]) -> str:
    """Write a summary by number and a table of every figure."""
    every = ("paper", "row", "what", "published", "ours", "deviation", "tolerance", "verdict")
    numbers = ("paper", "row", "figures", "worst", "tolerance", "accounting", "verdict", "why")
    return "\n\n".join(
        (
            _markdown(numbers, summary(rows)),
            _markdown(every, [cells(row) for row in rows]),
        )
    )


def to_json(rows: Iterable[ReproductionRow]) -> str:
    """Write ``{"rows": [...]}``; deviation and tolerance are fractions where ``scale`` says so."""
    return json.dumps({"rows": [asdict(row) for row in rows]}, indent=2, allow_nan=False)


def cells(row: ReproductionRow) -> Line:
    """Format one figure."""
    return {
        "paper": row.paper,
        "row": row.row,
        "what": row.what,
        "published": _number(row.published),
        "ours": "-" if row.ours is None else _number(row.ours),
        "deviation": _deviation(row),
        "tolerance": _tolerance(row),
        "accounting": row.accounting,
        "verdict": row.verdict,
        "why": row.why,
    }


def summary(rows: Sequence[ReproductionRow]) -> list[Line]:
    """Format one line for each number of a paper's list.

    ``worst`` is the deviation that is the largest part of its tolerance; ``why`` has every reason.
    """
    lines = []
    for _, group in groupby(rows, key=lambda row: (row.paper, row.row)):
        figures = list(group)
        worst = max(figures, key=_part_of_tolerance)
        line = cells(worst) | {
            "figures": str(len(figures)),
            "worst": _deviation(worst),
            "why": "; ".join(dict.fromkeys(row.why for row in figures)),
        }
        missed = sum(row.verdict == "not reproduced" for row in figures)
        unmeasured = sum(row.verdict == "not measured" for row in figures)
        if missed:
            line["verdict"] = f"not reproduced ({missed} of {len(figures)})"
        elif 0 < unmeasured < len(figures):
            line["verdict"] += f" ({unmeasured} of {len(figures)} not measured)"
        lines.append(line)
    return lines


def _part_of_tolerance(row: ReproductionRow) -> float:
    """Deviation over tolerance; the plain deviation where there is no tolerance or it is 0.

    What is not measured comes behind everything that is.
    """
    return -1.0 if row.deviation is None else abs(row.deviation) / (row.tolerance or 1.0)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _deviation(row: ReproductionRow) -> str:
    if row.deviation is None:
        return "-"
    if row.deviation == 0:
        return "0"
    return f"{100 * row.deviation:+.2f} %" if row.scale == "relative" else f"{row.deviation:+.2g}"


def _tolerance(row: ReproductionRow) -> str:
    if row.tolerance is None:
        return "-"
    return f"{100 * row.tolerance:g} %" if row.scale == "relative" else f"{row.tolerance:g}"


def _table(title: str, columns: Sequence[str], lines: Iterable[Line]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(
            column,
            justify="right" if column in _RIGHT else "left",
            no_wrap=column not in _WRAPPED,
            overflow="fold" if column in _WRAPPED else "ellipsis",  # a long word loses no letter
        )
    for line in lines:
        # Text, for a bracket in a plain string would be read as markup.
        texts = {column: Text(line[column]) for column in columns}
        if "verdict" in texts:
            kind = next(name for name in _STYLES if line["verdict"].startswith(name))
            texts["verdict"].stylize(_STYLES[kind])
        table.add_row(*texts.values())
    return table


def _markdown(columns: Sequence[str], lines: Iterable[Line]) -> str:
    rule = ["--:" if column in _RIGHT else "---" for column in columns]
    rows = ([line[column] for column in columns] for line in lines)
    return "\n".join("| " + " | ".join(row) + " |" for row in (columns, rule, *rows))
