"""A PE that dequantises in the loop: INT4 weight and group scale to INT8, then a multiplier.

What conventional hardware does where nothing stands at the head of a column: once for each product
instead of once for each weight.
"""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal, Value, signed
from amaranth.lib import data

from dovetail.arch.engine import SCALE_LANE_BITS
from dovetail.rtl.gemm.pe import OutputStationaryPe
from dovetail.rtl.int8.weight_dequant import WeightDequant

__all__ = ["SCALED_WEIGHT", "DequantPe"]

SCALED_WEIGHT = data.StructLayout(
    {
        "w": 8,  # INT8 weight, or an INT4 weight in the low nibble
        "lane": SCALE_LANE_BITS,  # scale and zero point of its group
        "unscaled": 1,  # the weight is INT8
    }
)
"""What goes down a column of PEs that dequantise."""


class DequantPe(OutputStationaryPe):
    """Output-stationary PE around a weight dequantiser and an 8 x 8 bit multiplier.

    Parameters
    ----------
    sum_bits : int
        Width of the accumulator.
    """

    shifts_weight = True

    def __init__(self, *, sum_bits: int) -> None:
        super().__init__(
            activation_bits=8,
            weight_bits=SCALED_WEIGHT.size,
            sum_shape=signed(sum_bits),
            product_cycles=2,
        )

    def product(self, m: Module) -> Value:
        m.submodules.dequant = dequant = WeightDequant()
        control: Any = self.control_i
        weight: Any = data.View(SCALED_WEIGHT, self.w_i)
        a: Value = self.a_i
        for cycle in range(self.product_cycles):
            waiting = Signal(8, name=f"a_wait_{cycle}", reset_less=True)
            m.d.sync += waiting.eq(a)
            a = waiting
        m.d.comb += [
            dequant.w.eq(weight.w),
            dequant.signed_weight.eq(control.signed),
            dequant.bypass.eq(weight.unscaled),
            dequant.lane.eq(weight.lane),
            dequant.shift.eq(self.weight_shift),
        ]
        return a.as_signed() * dequant.o.as_signed()
