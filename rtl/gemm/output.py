"""The output rounding unit: one 48-bit accumulator to a 16-bit result."""

from __future__ import annotations

from dovetail.arch.engine import FIXED_ACCUMULATOR_BITS, OUTPUT_BITS
from dovetail.rtl.rounding import RoundingShift

__all__ = ["OutputRound"]


class OutputRound(RoundingShift):
    """The only rounding of an output: 48-bit fixed point to 16 bits, half to even, saturated."""

    def __init__(self) -> None:
        super().__init__(in_bits=FIXED_ACCUMULATOR_BITS, out_bits=OUTPUT_BITS)
