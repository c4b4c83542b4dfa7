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

CELL_COLUMNS = ("paper", "row", "what", "published", "ours", "deviation", "tolerance", "verdict")
SUMMARY_COLUMNS = ("paper", "row", "figures", "worst deviation", "accounting", "verdict", "why")
_RIGHT = {"published", "ours", "deviation", "tolerance", "figures", "worst deviation"}
_STYLES = {"reproduced": "green", "not reproduced": "bold red", "report only": "yellow"}


def render_table(rows: Sequence[ReproductionRow]) -> Group:
    """Draw every figure, and below them one line for each number of the paper's list."""
    return Group(
        _table("Published figures beside ours", CELL_COLUMNS, [cells(row) for row in rows]),
        _table("By number", SUMMARY_COLUMNS, summary(rows)),
    )


def to_markdown(rows: Sequence[ReproductionRow]) -> str:
    """Write the same two tables as Markdown, the summary first."""
    return "\n\n".join(
        (
            _markdown(SUMMARY_COLUMNS, summary(rows)),
            _markdown(CELL_COLUMNS, [cells(row) for row in rows]),
        )
    )


def to_json(rows: Iterable[ReproductionRow]) -> str:
    """Write ``{"rows": [...]}``; deviation and tolerance are fractions where ``scale`` says so."""
    return json.dumps({"rows": [asdict(row) for row in rows]}, indent=2, allow_nan=False)


def cells(row: ReproductionRow) -> tuple[str, ...]:
    """Format one figure, in the order of ``CELL_COLUMNS``."""
    if row.tolerance is None:
        tolerance = "-"
    elif row.scale == "relative":
        tolerance = f"{100 * row.tolerance:g} %"
    else:
        tolerance = f"{row.tolerance:g}"
    return (
        row.paper,
        row.row,
        row.what,
        _number(row.published),
        _number(row.ours),
        _deviation(row),
        tolerance,
        row.verdict,
    )


def summary(rows: Sequence[ReproductionRow]) -> list[tuple[str, ...]]:
    """Format one line for each number of a paper's list, in the order of ``SUMMARY_COLUMNS``.

    The worst deviation is the largest part of its tolerance; its reason stands for the line.
    """
    lines = []
    for (paper, number), group in groupby(rows, key=lambda row: (row.paper, row.row)):
        figures = list(group)
        missed = sum(row.verdict == "not reproduced" for row in figures)
        worst = max(figures, key=_part_of_tolerance)
        verdict = f"not reproduced ({missed} of {len(figures)})" if missed else worst.verdict
        lines.append(
            (
                paper,
                number,
                str(len(figures)),
                _deviation(worst),
                worst.accounting,
                verdict,
                worst.why,
            )
        )
    return lines


def _part_of_tolerance(row: ReproductionRow) -> float:
    if row.tolerance:
        return abs(row.deviation) / row.tolerance
    return abs(row.deviation)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _deviation(row: ReproductionRow) -> str:
    if row.deviation == 0:
        return "0"
    return f"{100 * row.deviation:+.2f} %" if row.scale == "relative" else f"{row.deviation:+.2g}"


def _table(title: str, columns: Sequence[str], lines: Iterable[Sequence[str]]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, justify="right" if column in _RIGHT else "left")
    verdict = columns.index("verdict")
    for line in lines:
        kind = next(name for name in _STYLES if line[verdict].startswith(name))
        # Text, for a bracket in a plain string would be read as markup.
        texts = [Text(cell) for cell in line]
        texts[verdict].stylize(_STYLES[kind])
        table.add_row(*texts)
    return table


def _markdown(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rule = ["--:" if column in _RIGHT else "---" for column in columns]
    return "\n".join("| " + " | ".join(line) + " |" for line in (columns, rule, *lines))
