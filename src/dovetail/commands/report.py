"""``dovetail report``: HTML and figures, or the table itself, of a result store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dovetail.commands.design import AsJson


def report(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="what `dovetail sweep` made")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="folder; beside the store unless given"),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="also write all points as .csv or .parquet"),
    ] = None,
    json: AsJson = False,
) -> None:
    """Write the HTML report and the figures of a sweep, from its store alone.

    Example: dovetail report reports/out/demo/sweep.sqlite --table points.csv
    """
    from dovetail.commands.output import print_json
    from dovetail.reports.html import write_report
    from dovetail.sweeps.store import Store
    from dovetail.sweeps.table import export

    folder = output or store.parent
    with Store.open(store) as opened:
        if table is not None:
            export(opened, table)
    page = write_report(store, folder)
    if json:
        print_json({"report": str(page), "table": str(table) if table else None})
    else:
        print(f"report: {page}")
