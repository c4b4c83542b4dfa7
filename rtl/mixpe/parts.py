"""What cores that dequantise after the group differ in: PE, group sum, dequantiser, adder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dovetail.rtl.gemm.pe import OutputStationaryPe

__all__ = ["AfterGroupParts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AfterGroupParts:
    """Components of one column, and of the group sums beside it.

    Attributes
    ----------
    pe, group_sum : OutputStationaryPe
        With equal ``product_cycles``, so that the sums meet.
    dequant : wiring.Component
        With the ports of :class:`~dovetail.rtl.mixpe.dequant.GroupDequant`, and
        ``spec.dequant_cycles`` cycles from ``p`` to ``o``.
    accumulate : wiring.Component
        With the ports of :class:`~dovetail.rtl.gemm.accumulate.Accumulate`; its increment is what
        ``dequant`` gives.
    """

    pe: OutputStationaryPe
    group_sum: OutputStationaryPe
    dequant: Any
    accumulate: Any
