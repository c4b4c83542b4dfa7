"""Read a table of figures from TOML: sources by name, and one line for whatever is wrong."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from dovetail.errors import ConfigError

__all__ = ["parse_table"]

_T = TypeVar("_T")

_SHOWN = 8  # problems; a wrong column would name every unit of a table


def parse_table(adapter: TypeAdapter[_T], text: str, *, origin: str) -> _T:
    """Validate ``text``; its figures name a source in ``[sources]`` and get that source's text.

    Raises
    ------
    ConfigError
        Naming ``origin``, the entry, and what to change.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{origin}: is not TOML: {error}; correct that line") from None
    sources = values.get("sources")
    context = {"sources": sources if isinstance(sources, dict) else {}}
    try:
        # JSON mode keeps strict types and still turns nested tables into nested costs.
        return adapter.validate_json(json.dumps(values, default=str), context=context)
    except ValidationError as error:
        found = [_problem(origin, item) for item in error.errors()]
        more = len(found) - _SHOWN
        rest = [f"and {more} more like these"] if more > 0 else []
        raise ConfigError("; ".join([*found[:_SHOWN], *rest])) from None


def _problem(origin: str, item: Any) -> str:
    """One line for one refused entry: where, what is wrong with it, what to do."""
    where = ""
    for part in item["loc"]:
        where += f"[{part}]" if isinstance(part, int) else f".{part}" if where else str(part)
    if item["type"] == "missing":
        return f"{origin}: {where} is missing; add it"
    if item["type"] == "unexpected_keyword_argument":
        return f"{origin}: {where} is not a field of a technology table; remove it"
    start = f"{origin}: {where or 'table'}: "
    scalar = not isinstance(item["input"], dict | list)
    if item["type"] == "value_error":  # our own validators, which say the rule and the remedy
        given = f" (got {item['input']!r})" if scalar else ""
        return start + str(item["msg"]).removeprefix("Value error, ") + given
    rule = re.sub(r"^\w+ should ", "must ", item["msg"])
    return f"{start}{repr(item['input']) if scalar else 'its value'} {rule}; change it"
