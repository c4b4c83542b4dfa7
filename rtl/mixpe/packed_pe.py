# amaranth: UnusedElaboratable=no
"""Two neighbouring W4A8 PEs around one FPGA DSP: an option that trades LUTs for DSPs."""

from __future__ import annotations

from typing import Any

from amaranth import C, Cat, Module, Mux, Signal, Value, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.rtl.gemm.pe import PE_CONTROL
from dovetail.rtl.mixpe.multiplier_pe import MultiplierPe
from dovetail.rtl.mixpe.packed_product import PackedProduct
from dovetail.rtl.mixpe.pe import MixpePe

__all__ = ["PackedPePair", "packed_pair"]


class PackedPePair(wiring.Component):
    """The PEs of two neighbouring columns in one row, which take an activation in the same cycle.

    In an array of single PEs the left one takes it a cycle before the right one.  Here the left
    column waits for the right one, so a pair's left results come one cycle later than a single
    column's and its right results when they always did; columns to the right see no difference.

    :Latency: 1 cycle from the weights with ``last`` to ``sum0_o`` and ``sum1_o``.
    :Throughput: two products per cycle.
    :Ready path: none.
    :Reference: two :class:`~dovetail.rtl.mixpe.pe.MixpePe` with the same operands.

    Parameters
    ----------
    sum_bits : int
        Width of each signed accumulator.

    Members
    -------
    a_i, a_o : unsigned(8)
        Activation from the left, a cycle before the weights that it meets, and to the right two
        cycles later.
    w0_i, w1_i, w0_o, w1_o : unsigned(4)
        Weights of the left and of the right column.
    control_i, control_o : PE_CONTROL
        Of both columns.
    drain_i, shift_i, shift_o : unsigned(1)
        Of both drain chains.
    sum0_i, sum1_i, sum0_o, sum1_o : signed(sum_bits)
        The drain chains.
    """

    def __init__(self, *, sum_bits: int) -> None:
        self._sum_bits = sum_bits
        members: dict[str, Any] = {
            "a_i": In(8),
            "a_o": Out(8),
            "control_i": In(PE_CONTROL),
            "control_o": Out(PE_CONTROL),
            "drain_i": In(1),
            "shift_i": In(1),
            "shift_o": Out(1),
        }
        for column in range(2):
            members |= {
                f"w{column}_i": In(4),
                f"w{column}_o": Out(4),
                f"sum{column}_i": In(signed(sum_bits)),
                f"sum{column}_o": Out(signed(sum_bits)),
            }
        super().__init__(members)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        control: Any = self.control_i
        shift = Signal()
        a, a_next, w0, w1 = (
            Signal(shape, reset_less=True, name=name)
            for name, shape in (("a", 8), ("a_next", 8), ("w0", 4), ("w1", 4))
        )
        m.submodules.products = products = PackedProduct()
        m.d.comb += [
            products.a.eq(a),
            products.w0.eq(self.w0_i),
            products.w1.eq(self.w1_i),
            products.signed_weight.eq(control.signed),
            shift.eq(self.shift_i | self.drain_i),
            self.a_o.eq(a_next),
            self.w0_o.eq(w0),
            self.w1_o.eq(w1),
        ]
        m.d.sync += [
            a.eq(self.a_i),
            a_next.eq(a),
            w0.eq(self.w0_i),
            w1.eq(self.w1_i),
            self.control_o.eq(self.control_i),
            self.shift_o.eq(shift),
        ]
        self._accumulate(m, control, shift, column=0, product=products.o0, borrow=C(0, 1))
        self._accumulate(m, control, shift, column=1, product=products.o1, borrow=products.borrow)
        return m

    def _accumulate(
        self, m: Module, control: Any, shift: Signal, *, column: int, product: Value, borrow: Value
    ) -> None:
        shape = signed(self._sum_bits)
        accumulator = Signal(shape, reset_less=True, name=f"accumulator_{column}")
        drained = Signal(shape, reset_less=True, name=f"drained_{column}")
        total = Signal(signed(1 + self._sum_bits), name=f"total_{column}")
        kept = Mux(control.first, 0, accumulator)
        m.d.comb += [
            # A bit below the sum carries the borrow into it: a third summand would cost an adder.
            total.eq(Cat(C(1, 1), kept).as_signed() + Cat(borrow, product).as_signed()),
            getattr(self, f"sum{column}_o").eq(drained),
        ]
        with m.If(control.valid):
            m.d.sync += accumulator.eq(total >> 1)
        with m.If(control.valid & control.last):
            m.d.sync += drained.eq(total >> 1)
        with m.Elif(shift):
            m.d.sync += drained.eq(getattr(self, f"sum{column}_i"))


def packed_pair(pe: object) -> PackedPePair | None:
    """The pair that stands for two of ``pe``; None where two cannot share a DSP."""
    if not isinstance(pe, MixpePe | MultiplierPe) or pe.activation_bits != 8:
        return None
    return PackedPePair(sum_bits=pe.sum_shape.width)
