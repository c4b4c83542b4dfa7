"""``dovetail reproduce``: every published figure beside ours."""

from __future__ import annotations

from typing import Annotated

import typer

from dovetail.commands.design import AsJson


def reproduce(
    paper: Annotated[
        str | None, typer.Argument(metavar="[PAPER]", help="a paper; all of them unless given")
    ] = None,
    json: AsJson = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="print the tables of docs/reproduction.md")
    ] = False,
) -> None:
    """Compare published figures with ours: paper, ours, deviation, verdict.

    Exits with 1 where a figure with a tolerance does not come out within it.

    Example: dovetail reproduce mixpe
    """
    from rich.console import Console

    from dovetail.errors import ConfigError, did_you_mean
    from dovetail.reports.reproduce import render_table, to_json, to_markdown
    from dovetail.systems import papers, resolve

    known = papers()
    if paper is not None and paper not in known:
        raise ConfigError(
            f"no paper named {paper!r}; {did_you_mean(paper, known)}the papers are "
            f"{', '.join(sorted(known))}"
        )
    wanted = [paper] if paper is not None else sorted(known)
    rows = [row for name in wanted for row in resolve(known[name])()]
    if json:
        print(to_json(rows))
    elif markdown:
        print(to_markdown(rows))
    else:
        Console(highlight=False).print(render_table(rows))
    if any(row.verdict == "not reproduced" for row in rows):
        raise typer.Exit(1)
