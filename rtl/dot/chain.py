"""Rows of broadcast units above each other, joined by their drain chain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth import Module, Signal, Value

from dovetail.rtl.leaf import Leaf

__all__ = ["drain_chain"]


def drain_chain(
    m: Module,
    unit: Leaf,
    *,
    rows: int,
    drain: Value,
    ports: Callable[[int], dict[str, Any]],
) -> Value:
    """Place ``unit`` once a row; return the sum at the bottom of their drain chain.

    Parameters
    ----------
    m : Module
    unit : Leaf
        A :class:`~dovetail.rtl.gemm.segment_sum.SegmentSum`.
    rows : int
    drain : Value
        High in the cycle after all rows have ended a segment: the last row's sum is at the bottom,
        and in each cycle that follows the sum of the row above.
    ports : callable
        ``(row) -> ports`` besides those of the chain.
    """
    shape = unit.component.sum_shape
    total: Value = Signal(shape, name="sum_top")
    shift: Value = Signal(name="shift_top")
    for row in range(rows):
        below = Signal(shape, name=f"sum_{row}")
        passed = Signal(name=f"shift_{row}")
        m.submodules[f"row_{row}"] = unit.instance(
            drain_i=drain,
            shift_i=shift,
            shift_o=passed,
            sum_i=total,
            sum_o=below,
            **ports(row),
        )
        total, shift = below, passed
    return total
