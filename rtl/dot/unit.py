"""The unit of a broadcast array: a dot product of one step, summed over a segment."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Shape, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import data
from amaranth.lib.wiring import In

from dovetail.rtl.gemm.segment_sum import SegmentSum
from dovetail.rtl.skew import delayed

__all__ = ["MAX_PLANES", "SUM_CONTROL", "UNIT_CONTROL", "BroadcastUnit", "sum_control"]

MAX_PLANES = 8
"""Most weight bits that a bit-serial unit takes one after the other."""

UNIT_CONTROL = data.StructLayout(
    {
        "valid": 1,  # the operands of this cycle belong to a segment
        "first": 1,  # of the segment's first step, in each of its planes
        "last": 1,  # of the segment's last step, in each of its planes
        "plane_first": 1,  # first plane of a step
        "plane_last": 1,  # last plane of a step; both for whole weights
        "plane": range(MAX_PLANES),  # which bit of the weights, the least significant first
    }
)
"""What comes with each weight slice, the same for all units of an array."""

SUM_CONTROL = data.StructLayout(
    {
        "valid": 1,  # something is added in this cycle
        "first": 1,  # to zero
        "last": 1,  # and the sum moves to the drain chain
        "plane": range(MAX_PLANES),  # of the slice that is added, the last one of a table's
    }
)
"""What the accumulators need in the cycle of an addition, the same for all units of an array."""


class BroadcastUnit(SegmentSum):
    """One dot product of ``lut_k`` activations and weights, or weight bits, a cycle; summed.

    A unit has no registers for its operands: an activation operand reaches all units of a row in
    one cycle, a weight slice all units of a column.  So all rows of a column finish a segment in
    the same cycle.  ``drain_i`` is high in the next, for one cycle and for all rows; ``shift_i`` of
    a row is ``shift_o`` of the row above, and 0 at the top.

    :Latency: 1 + ``product_cycles`` cycles from the last slice of a segment to ``sum_o``.
    :Throughput: one weight slice per cycle.
    :Ready path: none.
    :Reference: the sum over the segment of ``sum_k a_k w_k``; what ``w_k`` is, a subclass says.

    Parameters
    ----------
    operand : data.Layout
        Of what a row's activations are broadcast as.
    weight_bits : int
        Width of the slice.
    sum_shape : Shape
        Of the accumulator.
    product_cycles : int
        Registers between the operands and the accumulator.
    drains : bool
        Has a drain chain; else ``sum_o`` is the accumulator and the ports of the chain are missing.

    Members
    -------
    a_i : operand
        Held while the planes of a step pass.
    w_i : unsigned(weight_bits)
    control_i : UNIT_CONTROL
        With the operands.
    sum_control_i : SUM_CONTROL
        ``product_cycles`` later, as :func:`sum_control` makes it once for all units.
    drain_i, shift_i, shift_o, sum_i, sum_o
        As of :class:`~dovetail.rtl.gemm.segment_sum.SegmentSum`.
    """

    per_table = False
    """The planes of a step are summed apart, and added to the accumulator with the last."""

    def __init__(
        self,
        operand: data.Layout,
        *,
        weight_bits: int,
        sum_shape: Shape,
        product_cycles: int = 0,
        drains: bool = True,
    ) -> None:
        self.operand = operand
        self.weight_bits = weight_bits
        self.product_cycles = product_cycles
        super().__init__(
            {
                "a_i": In(operand),
                "w_i": In(weight_bits),
                "control_i": In(UNIT_CONTROL),
                "sum_control_i": In(SUM_CONTROL),
            },
            sum_shape=sum_shape,
            drains=drains,
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.d.comb += self.accumulation(m, self.sum_control_i)
        if self.drains:
            m.d.sync += self.shift_o.eq(self.shift)
        self.store(m, self.sum_control_i)
        return m


def sum_control(m: Module, control: Any, unit: BroadcastUnit) -> Any:
    """Registers that turn the units' ``control_i`` into their ``sum_control_i``.

    ``valid & last`` of the result, one cycle later, is the column's drain.
    """
    now = Signal(SUM_CONTROL)
    m.d.comb += now.plane.eq(control.plane)
    if unit.per_table:
        m.d.comb += [
            now.valid.eq(control.valid & control.plane_last),
            now.first.eq(control.first),
            now.last.eq(control.last),
        ]
    else:
        m.d.comb += [
            now.valid.eq(control.valid),
            now.first.eq(control.first & control.plane_first),
            now.last.eq(control.last & control.plane_last),
        ]
    return delayed(m, now, unit.product_cycles, name="sum_control")
