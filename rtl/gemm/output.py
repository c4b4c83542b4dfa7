"""The output rounding unit: one integer accumulator to a 16-bit result."""

from __future__ import annotations

from dovetail.arch.cores import OUTPUT_BITS
from dovetail.arch.engine import FIXED_ACCUMULATOR_BITS
from dovetail.rtl.rounding import RoundingShift

__all__ = ["OutputRound"]


class OutputRound(RoundingShift):
    """The only rounding of an output: fixed point to 16 bits, half to even, saturated.

    Parameters
    ----------
    bits : int
        Width of an accumulator.
    """

    def __init__(self, *, bits: int = FIXED_ACCUMULATOR_BITS) -> None:
        super().__init__(in_bits=bits, out_bits=OUTPUT_BITS)
