"""What cores that broadcast their operands differ in: head, unit, group sum, dequantiser, adder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dovetail.rtl.dot.group_sum import StepSum, UnitStepSum
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
    group_sum : StepSum or UnitStepSum, optional
        Of what the head gives as ``sum_o``; it must not take longer than ``unit``.  None where
        weights have no zero points.
    dequant, accumulate : wiring.Component
        As of :class:`~dovetail.rtl.mixpe.parts.AfterGroupParts`.
    unsigned_digits : bool
        Planes of the unit count 0 and 1, where those of a lookup count -1 and 1: its sums are
        doubled, and zero points are those of the codes.
    signed_digits : bool
        Likewise, with weights in two's complement.
    """

    head: Head
    unit: BroadcastUnit
    group_sum: StepSum | UnitStepSum | None
    dequant: Any
    accumulate: Any
    unsigned_digits: bool = False
    signed_digits: bool = False

    @property
    def doubled(self) -> bool:
        return self.unsigned_digits or self.signed_digits
