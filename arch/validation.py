"""What pydantic refuses, in one line: the value, the rule it broke, what to change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError

from dovetail.errors import ConfigError


@contextmanager
def refused_in_one_line(source: str, *, kind: str) -> Iterator[None]:
    """Turn pydantic's refusal of a configuration into a :class:`ConfigError`.

    The configurations are plain dataclasses whose constructors, and ``dataclasses.replace``, raise
    pydantic's own error; inside this they raise ours::

        with refused_in_one_line("engine", kind="an engine"):
            engine = GemmEngineConfig(rows=rows, cols=cols)

    Parameters
    ----------
    source : str
        Where the values come from: a file, a preset, a point of a sweep.
    kind : str
        What is made of them, with its article, such as ``"a sweep"``.
    """
    try:
        yield
    except ValidationError as error:
        lines = dict.fromkeys(_line(source, kind, problem) for problem in error.errors())
        raise ConfigError("; ".join(lines)) from None


def _line(source: str, kind: str, problem: Any) -> str:
    where = ""
    for part in problem["loc"]:
        where += f"[{part}]" if isinstance(part, int) else f".{part}" if where else str(part)
    value = problem["input"]
    if problem["type"] == "missing":
        return f"{source}: {where} is missing; add it"
    if problem["type"] == "unexpected_keyword_argument":
        return f"{source}: {where} is not a field of {kind}; remove it, or correct its name"
    start = f"{source}: {where}: " if where else f"{source}: "
    if problem["type"] == "value_error":  # our own validators, which say all three themselves
        return start + str(problem["msg"]).removeprefix("Value error, ")
    shown = "a table" if isinstance(value, dict) else repr(value)
    if problem["type"] == "dataclass_type":  # pydantic would name the class
        return f"{start}{shown} must be a table of fields; change it"
    rule = re.sub(r"^\w+ should ", "must ", str(problem["msg"]))
    return f"{start}{shown} {rule}; change it"
