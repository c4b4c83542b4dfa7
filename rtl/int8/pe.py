"""The baseline's PE: INT8 activation times INT8 weight with a multiplier."""

from __future__ import annotations

from amaranth import Module, Value, signed

from dovetail.rtl.gemm.pe import OutputStationaryPe

__all__ = ["Int8Pe"]


class Int8Pe(OutputStationaryPe):
    """Output-stationary PE around an 8 x 8 bit multiplier.

    Parameters
    ----------
    sum_bits : int
        Width of the accumulator.
    """

    def __init__(self, *, sum_bits: int) -> None:
        super().__init__(activation_bits=8, weight_bits=8, sum_shape=signed(sum_bits))

    def product(self, m: Module) -> Value:
        return self.a_i.as_signed() * self.w_i.as_signed()
