"""The activation group sum: one adder per row, a column of the array without weights."""

from __future__ import annotations

from amaranth import Module, Value, signed

from dovetail.rtl.gemm.pe import OutputStationaryPe

__all__ = ["GroupSumPe"]


class GroupSumPe(OutputStationaryPe):
    """Sum the activations of a row over a segment: ``S[m, g]`` of the zero-point correction.

    It stands at the left edge of its row and drains like a PE, so ``S`` leaves the column one
    cycle before the products that it corrects.

    Parameters
    ----------
    activation_bits : int
        Width of the signed activation.
    sum_bits : int
        Width of the accumulator: that and log2 of the longest group.
    """

    def __init__(self, *, sum_bits: int, activation_bits: int = 8) -> None:
        super().__init__(activation_bits=activation_bits, weight_bits=0, sum_shape=signed(sum_bits))

    def product(self, m: Module) -> Value:
        return self.a_i.as_signed()
