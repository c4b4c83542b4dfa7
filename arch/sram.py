"""What an on-chip memory costs at its own capacity and width: CACTI 7, interpolated and bridged.

``sram/cacti7.csv`` holds macros on a grid of powers of two, ``sram/cacti7.toml`` how they were made
and how far an interpolated one is from CACTI's own, ``sram/bridges.toml`` the factors that lead to
nodes which CACTI does not have.  ``docs/technology.md`` explains all three.
"""

from __future__ import annotations

import csv
import tomllib
from bisect import bisect_left
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import product
from math import exp, log
from typing import Any

from dovetail.arch.costs import Figure, Range
from dovetail.errors import ConfigError

__all__ = ["FIELDS", "SramCost", "interpolate", "sram_cost", "sram_nodes"]

FIELDS = ("read_pj", "write_pj", "leakage_nw", "area_um2", "access_ns")

_NODE, _CAPACITY, _WIDTH = "node_nm", "capacity_bytes", "word_bits"
_Macros = dict[tuple[int, int], tuple[float, ...]]  # capacity, width -> FIELDS


@dataclass(frozen=True, kw_only=True, slots=True)
class SramCost:
    """One memory with one read and one write port.

    Attributes
    ----------
    read_pj, write_pj : Figure
        One access of a whole word.
    leakage_nw, area_um2 : Figure
    access_ns : Figure
        From the address to the word.
    """

    read_pj: Figure
    write_pj: Figure
    leakage_nw: Figure
    area_um2: Figure
    access_ns: Figure


def sram_nodes() -> tuple[int, ...]:
    """Nodes that :func:`sram_cost` knows, in nanometres: CACTI's and the bridged ones."""
    return tuple(sorted({*_grid(), *(int(node) for node in _toml("bridges.toml"))}))


@cache
def sram_cost(capacity_bytes: int, word_bits: int, node_nm: int) -> SramCost:
    """Price one memory.

    A memory shallower than CACTI can lay out is priced as the smallest one of that width that it
    can: the rest of its rows stays unused.  One wider than 1,024 bits is several macros side by
    side; one narrower than 8 bits takes 8.

    Parameters
    ----------
    capacity_bytes : int
        Up to 4 MiB a macro.
    word_bits : int
    node_nm : int
        One of :func:`sram_nodes`.

    Raises
    ------
    ConfigError
        An unknown node, or a macro beyond 4 MiB.
    """
    if node_nm not in sram_nodes():
        known = ", ".join(map(str, sram_nodes()))
        raise ConfigError(f"no SRAM figures for node_nm={node_nm}; the nodes are {known}")
    if capacity_bytes < 1 or word_bits < 1:
        raise ConfigError(
            f"a memory of {capacity_bytes} bytes with {word_bits}-bit words is empty; "
            f"give it at least one word"
        )
    bridges = _toml("bridges.toml").get(str(node_nm))
    figures = {
        field: _bridged(field, capacity_bytes, word_bits, node_nm, bridges[field])
        if bridges
        else _direct(field, capacity_bytes, word_bits, node_nm)
        for field in FIELDS
    }
    return SramCost(**figures)


def interpolate(capacity_bytes: int, word_bits: int, node_nm: int) -> dict[str, float]:
    """Figures of one macro at one of CACTI's nodes, by field: bilinear in the logarithms.

    Raises
    ------
    ConfigError
        A macro beyond the grid's largest.
    """
    macros = _grid()[node_nm]
    capacities = sorted({capacity for capacity, _ in macros})
    widths = sorted({width for _, width in macros})
    around_width = _around(widths, max(word_bits, widths[0]))
    # CACTI cannot lay out very shallow macros, so its least capacity depends on the width.
    least = max(min(c for c, w in macros if w == width) for width, _ in around_width)
    if capacity_bytes > capacities[-1]:
        raise ConfigError(
            f"an SRAM macro of {capacity_bytes} bytes is larger than the table's "
            f"{capacities[-1]}; use a smaller buffer or several"
        )
    around_capacity = _around(capacities, max(capacity_bytes, least))
    return {
        field: exp(
            sum(
                share * other * log(macros[capacity, width][index])
                for (capacity, share), (width, other) in product(around_capacity, around_width)
            )
        )
        for index, field in enumerate(FIELDS)
    }


def _around(grid: list[int], value: int) -> tuple[tuple[int, float], ...]:
    """Grid points next to ``value`` with their weights, linear in the logarithm."""
    at = bisect_left(grid, value)
    if grid[at] == value:
        return ((value, 1.0),)
    low, high = grid[at - 1], grid[at]
    share = log(value / low) / log(high / low)
    return ((low, 1 - share), (high, share))


def _direct(field: str, capacity_bytes: int, word_bits: int, node_nm: int) -> Figure:
    about = _toml("cacti7.toml")
    widest = max(width for _, width in _grid()[node_nm])
    macros = -(-word_bits // widest)
    one = interpolate(-(-capacity_bytes // macros), -(-word_bits // macros), node_nm)[field]
    return Figure(
        value=one if field == "access_ns" else one * macros,
        uncertainty=about["uncertainty"][field],
        node_nm=node_nm,
        source=f"{about['source']}; {macros} macro{'s' * (macros > 1)}, together "
        f"{capacity_bytes} bytes with {word_bits}-bit words at {node_nm} nm",
    )


def _bridged(
    field: str, capacity_bytes: int, word_bits: int, node_nm: int, factor: dict[str, Any]
) -> Figure:
    base = _direct(field, capacity_bytes, word_bits, factor["from_nm"])
    low, value, high = factor["low"], factor["value"], factor["high"]
    scaled = Range(base.range.value * value, base.range.low * low, base.range.high * high)
    return Figure(
        value=scaled.value,
        low=scaled.low,
        high=scaled.high,
        node_nm=node_nm,
        source=f"scaled from {factor['from_nm']} nm to {node_nm} nm by {value:g} ({low:g} to "
        f"{high:g}): {factor['source']}; of: {base.source}",
    )


@cache
def _grid() -> dict[int, _Macros]:
    """The macros of each node that serve interpolation; held-back ones only serve its test."""
    nodes: dict[int, _Macros] = {}
    text = (files("dovetail.arch") / "sram" / "cacti7.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        if row["held_back"] == "0":
            macros = nodes.setdefault(int(row[_NODE]), {})
            macros[int(row[_CAPACITY]), int(row[_WIDTH])] = tuple(
                float(row[field]) for field in FIELDS
            )
    return nodes


@cache
def _toml(name: str) -> dict[str, Any]:
    text = (files("dovetail.arch") / "sram" / name).read_text(encoding="utf-8")
    return tomllib.loads(text)
