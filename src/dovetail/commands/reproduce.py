"""``dovetail reproduce``: every published figure beside ours."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from dovetail.commands.design import AsJson


def reproduce(
    paper: Annotated[
        str | None, typer.Argument(metavar="[PAPER]", help="a paper; all of them unless given")
    ] = None,
    json: AsJson = False,
) -> None:
    """Compare published figures with ours: paper, ours, deviation, verdict.

    Exits with 1 where a figure with a tolerance does not come out within it.

    Example: dovetail reproduce mixpe
    """
    from dovetail.commands.output import print_json, print_table, shown
    from dovetail.errors import ConfigError
    from dovetail.systems import resolve, systems

    papers = {name: path for entry in systems() for name, path in entry.papers.items()}
    if paper is not None and paper not in papers:
        raise ConfigError(f"no paper named {paper!r}; the papers are {', '.join(sorted(papers))}")
    wanted = [paper] if paper is not None else sorted(papers)
    rows = [asdict(row) for name in wanted for row in resolve(papers[name])()]
    if json:
        print_json({"rows": rows})
    else:
        cells = [
            (
                row["row"],
                row["what"],
                shown(row["published"]),
                shown(row["ours"]),
                f"{row['deviation']:+.2%}"
                if row["scale"] == "relative"
                else f"{row['deviation']:+.2g}",
                row["verdict"],
            )
            for row in rows
        ]
        columns = ("row", "figure", "published", "ours", "deviation", "verdict")
        print_table(f"published figures of {', '.join(wanted)}", columns, cells, right="r rrr ")
        for row, why in dict.fromkeys((row["row"], row["why"]) for row in rows if row["why"]):
            print(f"row {row}: {why}")
    if any(row["verdict"] == "not reproduced" for row in rows):
        raise typer.Exit(1)
