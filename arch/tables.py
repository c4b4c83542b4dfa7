"""Read a table of figures from TOML: sources by name, and one line for whatever is wrong."""

from __future__ import annotations

import json
import tomllib
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from dovetail.errors import ConfigError

__all__ = ["parse_table"]

_T = TypeVar("_T")


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
        raise ConfigError("; ".join(_problem(origin, item) for item in error.errors())) from None


def _problem(origin: str, item: Any) -> str:
    """One line for one refused entry: where, what is wrong with it, what to do."""
    where = ""
    for part in item["loc"]:
        where += f"[{part}]" if isinstance(part, int) else f".{part}" if where else str(part)
    if item["type"] == "missing":
        return f"{origin}: {where} is missing; add it"
    if item["type"] == "unexpected_keyword_argument":
        return f"{origin}: {where} is not a field of a technology table; remove it"
    text = item["msg"].removeprefix("Value error, ")
    given = "" if isinstance(item["input"], dict | list) else f" (got {item['input']!r})"
    return f"{origin}: {where or 'table'}: {text}{given}"
