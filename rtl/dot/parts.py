"""What cores that broadcast their operands differ in: head, unit, group sum, dequantiser, adder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dovetail.rtl.dot.group_sum import StepSum
from dovetail.rtl.dot.head import Head
from dovetail.rtl.dot.unit import BroadcastUnit

__all__ = ["BroadcastParts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastParts:
    """Components of a row, of a row's place in a column, and of a column's foot.

    Attributes
    ----------
    head : Head
        From a row's operand of a step to what is broadcast.
    unit : BroadcastUnit
    group_sum : StepSum
        Of what the head gives as ``sum_o``; it must not take longer than ``unit``.
    dequant, accumulate : wiring.Component
        As of :class:`~dovetail.rtl.mixpe.parts.AfterGroupParts`.
    """

    head: Head
    unit: BroadcastUnit
    group_sum: StepSum
    dequant: Any
    accumulate: Any
