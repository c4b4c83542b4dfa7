"""The output-stationary processing element that all cores share; its product is a parameter."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Shape, Signal, Value
from amaranth.hdl import Elaboratable
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

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


class OutputStationaryPe(wiring.Component):
    """Accumulate products over a segment, then hand the sum to the column's drain chain.

    Operands move on to the right and down each cycle.  The finished sum is copied to a drain
    register, so the next segment accumulates while the column shifts its results down.  A row
    shifts from the cycle in which the column's last row is done (``drain_i``, to all rows at
    once) for as many cycles as rows lie above it: ``shift_i`` carries that from row to row.  A sum
    that arrives in the same cycle wins over the shift: the row's old content has moved on by then,
    as long as segments end ``rows`` cycles apart.

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
    drain_i, shift_i, shift_o : unsigned(1)
        Control of the drain chain.
    sum_i, sum_o : sum_shape
        Drain chain from above and to below.
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
        self.sum_shape = sum_shape
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
                "drain_i": In(1),
                "shift_i": In(1),
                "shift_o": Out(1),
                "sum_i": In(sum_shape),
                "sum_o": Out(sum_shape),
            }
        )

    def product(self, m: Module) -> Any:
        """Product of ``a_i`` and ``w_i``, ``product_cycles`` cycles later."""
        raise NotImplementedError

    def add(self, m: Module, accumulated: Value, product: Any) -> Value:
        """Combinational sum of the accumulator, 0 at first, and a product."""
        return accumulated + product

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        total = Signal(self.sum_shape)
        shift = Signal()
        # Data need no reset: control says when they count.
        a = Signal(self.activation_bits, reset_less=True)
        accumulator = Signal(self.sum_shape, reset_less=True)
        drained = Signal(self.sum_shape, reset_less=True)
        control: Any = delayed(m, self.control_i, self.product_cycles, name="control_product")
        accumulated = Signal(self.sum_shape)
        m.d.comb += [
            self.a_o.eq(a),
            self.sum_o.eq(drained),
            accumulated.eq(Mux(control.first, 0, accumulator)),
            total.eq(self.add(m, accumulated, self.product(m))),
            shift.eq(self.shift_i | self.drain_i),
        ]
        m.d.sync += [
            a.eq(self.a_i),
            self.control_o.eq(self.control_i),
            self.shift_o.eq(shift),
        ]
        if self.weight_bits:
            w = Signal(self.weight_bits, reset_less=True)
            m.d.sync += w.eq(self.w_i)
            m.d.comb += self.w_o.eq(w)
        with m.If(control.valid):
            m.d.sync += accumulator.eq(total)
        with m.If(control.valid & control.last):
            m.d.sync += drained.eq(total)
        with m.Elif(shift):
            m.d.sync += drained.eq(self.sum_i)
        return m
