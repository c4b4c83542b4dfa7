"""The ``dovetail`` command: its sub-commands, and how errors leave it."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from dovetail import __version__
from dovetail.commands.catalog import list_all
from dovetail.commands.characterize import characterize
from dovetail.commands.gpu import gpu
from dovetail.commands.report import report
from dovetail.commands.reproduce import reproduce
from dovetail.commands.rtl import rtl
from dovetail.commands.run import run
from dovetail.commands.schedule import schedule
from dovetail.commands.sweep import sweep
from dovetail.commands.synth import synth
from dovetail.commands.trace import trace
from dovetail.commands.verify import verify
from dovetail.errors import DovetailError

_INTERRUPTED = {"sweep": "interrupted; what was stored is kept: continue with --resume"}

_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


class OneLineErrors(TyperGroup):
    """Ends with one line and exit code 2 where a person's input is at fault, and on Ctrl-C."""

    def main(self, args: Sequence[str] | None = None, *others: Any, **extra: Any) -> Any:
        words = list(sys.argv[1:] if args is None else args) or ["--help"]
        try:
            code = super().main(words, *others, **{**extra, "standalone_mode": False})
            sys.stdout.flush()
        except DovetailError as error:
            _end(f"error: {error}")
        except OSError as error:
            if error.errno not in _OF_THE_DISK:
                raise
            where = error.filename or _give_up_output()
            _end(f"error: {where}: cannot be written ({error.strerror}); name a place with room")
        except Exception as error:
            # Typer's own, of a class that it keeps to itself: a wrong option, value or command.
            if not hasattr(error, "format_message"):
                raise
            _end(f"error: {_usage(error)}")
        sys.exit(code)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _end(_INTERRUPTED.get(ctx.invoked_subcommand, "interrupted"))


def _give_up_output() -> str:
    # The interpreter would try once more to write what is left, and complain, as it ends.
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    return "standard output"


def _usage(error: Any) -> str:
    text = error.format_message().rstrip(".").replace("Value error, ", "")
    if hasattr(error.__cause__, "errors"):  # pydantic's, which alone knows the value
        value = error.__cause__.errors()[0]["input"]
        text = text.replace("Input should", f"{value!r} must")
    command = error.ctx.command_path if error.ctx else "dovetail"
    return f"{text[:1].lower()}{text[1:]}; see `{command} --help`"


def _end(line: str) -> NoReturn:
    typer.echo(" ".join(line.split()), err=True)
    sys.exit(2)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dovetail {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=OneLineErrors,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Accelerators as reference model, cycle simulator and RTL that agree. "
    "Exit codes: 0 done, 1 a check failed, 2 bad input or interrupted.",
)


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="print the version"),
    ] = False,
) -> None:
    pass


app.command("list")(list_all)
app.command()(trace)
app.command()(run)
app.command()(gpu)
app.command()(schedule)
app.command()(verify)
app.command()(rtl)
app.command()(synth)
app.command()(characterize)
app.command()(sweep)
app.command()(report)
app.command()(reproduce)


def main() -> None:
    """Entry point of the ``dovetail`` command."""
    app()
