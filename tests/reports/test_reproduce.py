"""reports/reproduce.py."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from dovetail.reports.reproduce import render_table, summary, to_json, to_markdown
from dovetail.sweeps.reproduction import ReproductionRow, compare


def row(
    number: str, what: str, ours: float | None, tolerance: float | None = 0.01
) -> ReproductionRow:
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
    columns = ("row", "figures", "worst", "tolerance", "verdict", "why")
    assert [tuple(line[column] for column in columns) for line in summary(ROWS)] == [
        ("1", "2", "+0.50 %", "1 %", "reproduced", "reason of cycles: a; reason of cycles: b"),
        (
            "2",
            "2",
            "+50.00 %",
            "1 %",
            "not reproduced (1 of 2)",
            "reason of time [s]; reason of time of c",
        ),
        ("12", "1", "+70.00 %", "-", "report only", "reason of headline"),
    ]


def test_the_worst_deviation_is_the_largest_part_of_its_tolerance() -> None:
    """20 % of a tolerance of 1 % is worse than 50 % of one of 100 %."""
    rows = [row("7", "ratio", 1500, 1.0), replace(row("7", "small", 1000), deviation=0.2)]
    assert summary(rows)[0]["worst"] == "+20.00 %"


@pytest.mark.parametrize("width", [80, 160])
def test_the_terminal_shows_every_figure_unshortened(width: int) -> None:
    out = io.StringIO()
    Console(file=out, width=width).print(render_table(ROWS))
    text = out.getvalue()
    for figure in ROWS:
        assert figure.what in text and figure.why in text
    assert "1,005" in text and "not reproduced (1 of 2)" in text
    assert "\N{HORIZONTAL ELLIPSIS}" not in text


def test_a_word_wider_than_its_column_loses_no_letter() -> None:
    word = "q" * 70
    out = io.StringIO()
    Console(file=out, width=80).print(render_table([replace(row("1", "a", 1), what=word)]))
    assert out.getvalue().split("by number")[0].count("q") == 70


def test_markdown_has_a_line_for_every_figure() -> None:
    lines = to_markdown(ROWS).splitlines()
    assert "| mixpe | 1 | cycles: b | 1,000 | 1,005 | +0.50 % | 1 % | reproduced |" in lines
    assert "| mixpe | 12 | headline | 1,000 | 1,700 | +70.00 % | - | report only |" in lines


def test_what_is_not_measured_shows_a_dash_and_is_counted() -> None:
    rows = [row("9", "here", 1005), row("9", "there", None), row("10", "nowhere", None)]
    assert "| mixpe | 9 | there | 1,000 | - | - | 1 % | not measured |" in to_markdown(rows)
    first, second = summary(rows)
    assert (first["worst"], first["verdict"]) == ("+0.50 %", "reproduced (1 of 2 not measured)")
    assert (second["worst"], second["verdict"]) == ("-", "not measured")
    assert json.loads(to_json(rows))["rows"][1]["ours"] is None
    Console(file=io.StringIO()).print(render_table(rows))
