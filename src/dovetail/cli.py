"""The ``dovetail`` command: its sub-commands, and how errors leave it."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from dovetail.commands.catalog import list_all
from dovetail.commands.report import report
from dovetail.commands.reproduce import reproduce
from dovetail.commands.rtl import rtl
from dovetail.commands.run import run
from dovetail.commands.sweep import sweep
from dovetail.commands.trace import trace
from dovetail.commands.verify import verify
from dovetail.errors import DovetailError


class OneLineErrors(TyperGroup):
    """Ends with one line and exit code 2 where a person's input is at fault, 130 on Ctrl-C."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except DovetailError as error:
            typer.echo(f"error: {' '.join(str(error).split())}", err=True)
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            typer.echo("interrupted; what was stored is kept", err=True)
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=OneLineErrors,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Accelerators as reference model, cycle simulator and RTL that agree. "
    "Exit codes: 0 done, 1 a check failed, 2 bad input.",
)
app.command("list")(list_all)
app.command()(trace)
app.command()(run)
app.command()(verify)
app.command()(rtl)
app.command()(sweep)
app.command()(report)
app.command()(reproduce)


def main() -> None:
    """Entry point of the ``dovetail`` command."""
    app()
