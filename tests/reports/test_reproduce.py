"""reports/reproduce.py."""

import io
import json

from rich.console import Console

from dovetail.reports.reproduce import render_table, summary, to_json, to_markdown
from dovetail.sweeps.reproduction import ReproductionRow, compare


def row(number: str, what: str, ours: float, tolerance: float | None = 0.01) -> ReproductionRow:
    return compare(
        paper="mixpe",
        row=number,
        what=what,
        published=1000,
        ours=ours,
        scale="relative",
        tolerance=tolerance,
        accounting="authors",
        why=f"reason of {what}",
        source="table [4]",
    )


ROWS = [
    row("1", "cycles: a", 1000),
    row("1", "cycles: b", 1005),
    row("2", "time [s]", 1500),
    row("2", "time of c", 1001),
    row("12", "headline", 1700, None),
]


def test_json_has_the_fields_that_scripts_rely_on() -> None:
    rows = json.loads(to_json(ROWS))["rows"]
    assert len(rows) == len(ROWS)
    names = "paper row what published ours deviation tolerance accounting verdict why"
    assert set(names.split()) <= set(rows[0])
    assert rows[1] == {
        "paper": "mixpe",
        "row": "1",
        "what": "cycles: b",
        "published": 1000,
        "ours": 1005,
        "deviation": 0.005,
        "scale": "relative",
        "tolerance": 0.01,
        "accounting": "authors",
        "verdict": "reproduced",
        "why": "reason of cycles: b",
        "source": "table [4]",
    }
    assert rows[4]["tolerance"] is None


def test_the_summary_shows_the_worst_figure_of_a_number_and_counts_misses() -> None:
    assert summary(ROWS) == [
        ("mixpe", "1", "2", "+0.50 %", "authors", "reproduced", "reason of cycles: b"),
        ("mixpe", "2", "2", "+50.00 %", "authors", "not reproduced (1 of 2)", "reason of time [s]"),
        ("mixpe", "12", "1", "+70.00 %", "authors", "report only", "reason of headline"),
    ]


def test_the_terminal_shows_every_figure_and_keeps_brackets() -> None:
    out = io.StringIO()
    Console(file=out, width=160).print(render_table(ROWS))
    text = out.getvalue()
    for figure in ROWS:
        assert figure.what in text
    assert "1,005" in text and "not reproduced (1 of 2)" in text


def test_markdown_has_a_line_for_every_figure() -> None:
    lines = to_markdown(ROWS).splitlines()
    assert "| mixpe | 1 | cycles: b | 1,000 | 1,005 | +0.50 % | 1 % | reproduced |" in lines
    assert "| mixpe | 12 | headline | 1,000 | 1,700 | +70.00 % | - | report only |" in lines
