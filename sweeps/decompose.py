"""What each change and each set of changes does to a measured quantity, so that they add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, combinations
from math import log2
from typing import Any

import pandas as pd

from dovetail.errors import ConfigError


def decompose(
    table: pd.DataFrame, metric: str, *, start: Mapping[str, Any], end: Mapping[str, Any]
) -> pd.DataFrame:
    """Split the ratio of ``metric`` between two cells into what each change does, and do together.

    A factor's main effect is what changing it alone does to ``start``; an interaction is what a set
    of changes does beyond its subsets.  In logarithms they add up to the total.

    Parameters
    ----------
    table : DataFrame
        One row a combination of the factors' levels; positive values of ``metric``.
    metric : str
    start, end : mapping
        Column of each factor to its level, in the same order.

    Returns
    -------
    DataFrame
        One row a term: ``term`` (factors joined by `` x ``; ``total`` last), ``factors`` (how
        many), ``log2_ratio`` and ``ratio``, below 1 where ``end`` needs less.
    """
    changed = [factor for factor in start if start[factor] != end[factor]]
    value = {
        subset: log2(_value(table, metric, {**start, **{name: end[name] for name in subset}}))
        for subset in _subsets(changed)
    }
    rows: list[dict[str, Any]] = []
    for subset in value:
        if subset:
            effect = sum(
                (-1) ** (len(subset) - len(part)) * value[part] for part in _subsets(subset)
            )
            rows.append({"term": " x ".join(subset), "factors": len(subset), "log2_ratio": effect})
    total = value[tuple(changed)] - value[()]
    rows.append({"term": "total", "factors": len(changed), "log2_ratio": total})
    return pd.DataFrame(rows).assign(ratio=lambda frame: 2.0 ** frame["log2_ratio"])


def _value(table: pd.DataFrame, metric: str, levels: Mapping[str, Any]) -> float:
    chosen = table
    for factor, level in levels.items():
        chosen = chosen[chosen[factor] == level]
    if len(chosen) != 1:
        shown = ", ".join(f"{factor}={level}" for factor, level in levels.items())
        raise ConfigError(
            f"the table has {len(chosen)} rows with {shown}; it needs one: complete it, or choose "
            f"by what else its rows differ"
        )
    return float(chosen[metric].iloc[0])


def _subsets(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Every subset, smaller ones first."""
    return list(chain.from_iterable(combinations(names, size) for size in range(len(names) + 1)))
