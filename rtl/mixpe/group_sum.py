"""The activation group sum: one adder per row, a column of the array without weights."""

from __future__ import annotations

from amaranth import Module, Value

from dovetail.rtl.gemm.pe import OutputStationaryPe

__all__ = ["GroupSumPe"]


class GroupSumPe(OutputStationaryPe):
    """Sum the activations of a row over a segment: ``S[m, g]`` of the zero-point correction.

    It stands at the left edge of its row and drains like a PE, so ``S`` leaves the column one
    cycle before the products that it corrects.

    Parameters
    ----------
    sum_bits : int
        Width of the accumulator: 8 bits of activation plus log2 of the longest group.
    """

    def __init__(self, *, sum_bits: int) -> None:
        super().__init__(weight_bits=0, sum_bits=sum_bits)

    def product(self, m: Module) -> Value:
        return self.a_i
