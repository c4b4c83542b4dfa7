"""The output-stationary processing element that all cores share; its product is a parameter."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, Value, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

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
    """Accumulate ``a * w`` over a segment, then hand the sum to the column's drain chain.

    Operands move on to the right and down each cycle.  The finished sum is copied to a drain
    register, so the next segment accumulates while the column shifts its results down.  A row
    shifts from the cycle in which the column's last row is done (``drain_i``, to all rows at
    once) for as many cycles as rows lie above it: ``shift_i`` carries that from row to row.  A sum
    that arrives in the same cycle wins over the shift: the row's old content has moved on by then,
    as long as segments end ``rows`` cycles apart.

    :Latency: 1 cycle from the operands with ``last`` to ``sum_o``.
    :Throughput: one product per cycle.
    :Ready path: none; a systolic array never stalls inside a segment.
    :Reference: the integer sum of products.

    Parameters
    ----------
    weight_bits : int
        Width of the weight ports, whose meaning is the subclass's; 0 for none.
    sum_bits : int
        Width of the signed accumulator.

    Members
    -------
    a_i, a_o : signed(8)
        Activation from the left, and to the right one cycle later.
    w_i, w_o : unsigned(weight_bits)
        Weight from above, and below one cycle later.
    control_i, control_o : PE_CONTROL
        With the weight.
    drain_i, shift_i, shift_o : unsigned(1)
        Control of the drain chain.
    sum_i, sum_o : signed(sum_bits)
        Drain chain from above and to below.
    """

    def __init__(self, *, weight_bits: int, sum_bits: int) -> None:
        self._sum_bits = sum_bits
        self._weight_bits = weight_bits
        weight = {"w_i": In(weight_bits), "w_o": Out(weight_bits)} if weight_bits else {}
        super().__init__(
            {
                "a_i": In(signed(8)),
                "a_o": Out(signed(8)),
                **weight,
                "control_i": In(PE_CONTROL),
                "control_o": Out(PE_CONTROL),
                "drain_i": In(1),
                "shift_i": In(1),
                "shift_o": Out(1),
                "sum_i": In(signed(sum_bits)),
                "sum_o": Out(signed(sum_bits)),
            }
        )

    @property
    def weight_bits(self) -> int:
        return self._weight_bits

    @property
    def sum_bits(self) -> int:
        return self._sum_bits

    def product(self, m: Module) -> Value:
        """Combinational product of ``a_i`` and ``w_i``."""
        raise NotImplementedError

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        control: Any = self.control_i
        total = Signal(signed(self._sum_bits))
        shift = Signal()
        # Data need no reset: control says when they count.
        a = Signal(signed(8), reset_less=True)
        accumulator = Signal(signed(self._sum_bits), reset_less=True)
        drained = Signal(signed(self._sum_bits), reset_less=True)
        m.d.comb += [
            self.a_o.eq(a),
            self.sum_o.eq(drained),
            total.eq(Mux(control.first, 0, accumulator) + self.product(m)),
            shift.eq(self.shift_i | self.drain_i),
        ]
        m.d.sync += [
            a.eq(self.a_i),
            self.control_o.eq(self.control_i),
            self.shift_o.eq(shift),
        ]
        if self._weight_bits:
            w = Signal(self._weight_bits, reset_less=True)
            m.d.sync += w.eq(self.w_i)
            m.d.comb += self.w_o.eq(w)
        with m.If(control.valid):
            m.d.sync += accumulator.eq(total)
        with m.If(control.valid & control.last):
            m.d.sync += drained.eq(total)
        with m.Elif(shift):
            m.d.sync += drained.eq(self.sum_i)
        return m
