"""How commands print: tables that fit a terminal, JSON for machines, files that say why not."""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import fill
from typing import Any

from dovetail.errors import ConfigError


def print_json(data: Any) -> None:
    """Print one JSON object; numbers that JSON lacks are refused rather than invented."""
    print(json.dumps(data, indent=2, allow_nan=False))


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, right: str = ""
) -> None:
    """Print a table; ``right`` holds an ``r`` at the place of each column of numbers."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for at, column in enumerate(columns):
        table.add_column(
            column,
            justify="right" if right[at : at + 1] == "r" else "left",
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    Console(markup=False, highlight=False).print(table)


def print_heading(text: str) -> None:
    """Print a line above a table, broken between words where the terminal is narrower."""
    print(fill(text, shutil.get_terminal_size().columns, break_on_hyphens=False))


@contextmanager
def progress_bar(what: str, *, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar with rate and remaining time on a terminal; yield what moves it."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(f"{{task.fields[rate]}} {unit}/s"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task(what, total=None, rate="-")

        def move(done: int, total: int) -> None:
            speed = bar.tasks[0].speed
            bar.update(task, completed=done, total=total, rate=f"{speed:.3g}" if speed else "-")

        yield move


def write_text(path: Path, text: str) -> None:
    """Write a file a person asked for, whole, or say in one line why not."""
    from dovetail.models.whole_file import write_whole

    with _said_in_one_line(path):
        write_whole(path, lambda file: file.write(text.encode()))


def check_writable(path: Path) -> None:
    """Refuse a file that cannot be written before the work whose result it is to hold."""
    existed = path.exists()
    if existed and not (path.is_file() or path.is_dir()):
        return  # a device or a pipe, which opening alone would disturb
    with _said_in_one_line(path):
        path.open("ab").close()
        if not existed:
            path.unlink()


@contextmanager
def _said_in_one_line(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be written ({error.strerror}); name a file in a folder that has "
            f"room and that you may write to"
        ) from None


def shown(value: float, unit: str = "") -> str:
    """A number as a person reads it: four digits, thousands apart."""
    text = f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
    return f"{text} {unit}".rstrip()


def engineering(value: float, unit: str) -> str:
    """A quantity with the prefix that leaves one to three digits before the point."""
    exponent = 0 if value == 0 else int(math.floor(math.log10(abs(value)) / 3))
    exponent = max(-4, min(exponent, 4))
    return f"{value / 1000**exponent:.4g} {'pnum kMGT'[exponent + 4].strip()}{unit}"


def note(text: str) -> None:
    """Say something that is not the command's result."""
    print(text, file=sys.stderr)
