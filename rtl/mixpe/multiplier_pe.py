"""A PE that dequantises after the group like MixPE's, with a multiplier instead of shift-and-add.

It separates what dequantisation after the group gains from what the PE gains, and is the INT4 x
INT4 PE as well.
"""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Value, signed

from dovetail.rtl.gemm.pe import OutputStationaryPe

__all__ = ["MultiplierPe"]


class MultiplierPe(OutputStationaryPe):
    """Output-stationary PE around a multiplier of an activation and a 4-bit weight.

    Parameters
    ----------
    activation_bits : int
        Width of the signed activation.
    sum_bits : int
        Width of the accumulator: ``activation_bits`` + 4 bits of product plus log2 of the longest
        group.
    """

    def __init__(self, *, activation_bits: int, sum_bits: int) -> None:
        super().__init__(activation_bits=activation_bits, weight_bits=4, sum_shape=signed(sum_bits))

    def product(self, m: Module) -> Value:
        control: Any = self.control_i
        # One bit more, so that a weight with a zero point is positive.
        weight = Cat(self.w_i, control.signed & self.w_i[3]).as_signed()
        return self.a_i.as_signed() * weight
