"""What a system measures of a design beside cycles, energy and area: more columns of a sweep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Measure", "Measures"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One column.

    Attributes
    ----------
    name : str
        By which objectives and limits call it.
    title : str
        How a reader calls it.
    unit : str
        Empty for a count or a ratio.
    """

    name: str
    title: str
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class Measures:
    """The columns of a system.

    Attributes
    ----------
    columns : tuple of Measure
    of : callable
        ``(design, trace, result of its simulation) -> {name: number}``; what cannot be told of a
        design is left out, and a sweep that needs it rejects the point.
    missing : str
        What to do where something is left out.
    """

    columns: tuple[Measure, ...]
    of: Callable[[Any, Any, Any], Mapping[str, float]]
    missing: str
