"""The output-stationary processing element that all cores share; its product is a parameter."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Shape, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from dovetail.rtl.gemm.segment_sum import SegmentSum
from dovetail.rtl.skew import delayed

__all__ = ["PE_CONTROL", "OutputStationaryPe"]


PE_CONTROL = data.StructLayout(
    {
        "valid": 1,  # the operands of this cycle belong to a segment
        "first": 1,  # first k of a segment: the accumulator starts from zero
        "last": 1,  # last k of a segment: the sum moves to the drain chain
        "signed": 1,  # the weight is two's complement
    }
)
"""What travels down a column with each weight."""


class OutputStationaryPe(SegmentSum):
    """Accumulate products over a segment, then hand the sum to the column's drain chain.

    Operands move on to the right and down each cycle.  A row shifts from the cycle in which the
    column's last row is done (``drain_i``, to all rows at once) for as many cycles as rows lie
    above it: ``shift_i`` carries that from row to row.

    :Latency: 1 + ``product_cycles`` cycles from the operands with ``last`` to ``sum_o``.
    :Throughput: one product per cycle.
    :Ready path: none; a systolic array never stalls inside a segment.
    :Reference: the sum of products, k ascending.

    Parameters
    ----------
    activation_bits : int
        Width of the activation ports.
    weight_bits : int
        Width of the weight ports, whose meaning is the subclass's; 0 for none.
    sum_shape : Shape
        Of the accumulator.
    product_cycles : int
        Registers between the operands and the accumulator.

    Members
    -------
    a_i, a_o : unsigned(activation_bits)
        Bits of the activation from the left, and to the right one cycle later.
    w_i, w_o : unsigned(weight_bits)
        Weight from above, and below one cycle later.
    weight_shift : unsigned(4)
        Constant during a GEMM; only where ``shifts_weight``.
    control_i, control_o : PE_CONTROL
        With the weight.
    drain_i, shift_i, shift_o, sum_i, sum_o
        As of :class:`~dovetail.rtl.gemm.segment_sum.SegmentSum`.
    """

    shifts_weight = False
    """The PE dequantises its weight and needs the shift of that."""

    def __init__(
        self,
        *,
        activation_bits: int,
        weight_bits: int,
        sum_shape: Shape,
        product_cycles: int = 0,
    ) -> None:
        self.activation_bits = activation_bits
        self.weight_bits = weight_bits
        self.product_cycles = product_cycles
        weight = {"w_i": In(weight_bits), "w_o": Out(weight_bits)} if weight_bits else {}
        shift = {"weight_shift": In(4)} if self.shifts_weight else {}
        super().__init__(
            {
                "a_i": In(activation_bits),
                "a_o": Out(activation_bits),
                **weight,
                **shift,
                "control_i": In(PE_CONTROL),
                "control_o": Out(PE_CONTROL),
            },
            sum_shape=sum_shape,
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        a = Signal(self.activation_bits, reset_less=True)  # control says when it counts
        control: Any = delayed(m, self.control_i, self.product_cycles, name="control_product")
        m.d.comb += [self.a_o.eq(a), *self.accumulation(m, control)]
        m.d.sync += [
            a.eq(self.a_i),
            self.control_o.eq(self.control_i),
            self.shift_o.eq(self.shift),
        ]
        if self.weight_bits:
            w = Signal(self.weight_bits, reset_less=True)
            m.d.sync += w.eq(self.w_i)
            m.d.comb += self.w_o.eq(w)
        self.store(m, control)
        return m
