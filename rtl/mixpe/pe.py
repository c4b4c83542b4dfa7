"""MixPE's W4A8 PE: INT8 activation times INT4 weight by shift and add, no multiplier."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, Value, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.rtl.gemm.pe import OutputStationaryPe

__all__ = ["MixpePe", "ShiftAddProduct"]


class ShiftAddProduct(wiring.Component):
    """``o = a * w`` as four gated, shifted partial products.

    The top bit of a two's-complement weight weighs -8, so its partial product is subtracted; that
    of an unsigned weight (with a zero point, or the low nibble of an INT8 weight) is added.

    :Latency: combinational.
    :Reference: the product of the two integers; proved for all operands by
        :func:`dovetail.rtl.prove.prove_shift_add`.

    Members
    -------
    a : signed(8)
    w : unsigned(4)
        The weight's bits.
    signed_weight : unsigned(1)
        The weight is two's complement.
    o : signed(12)
        From -128 * 15 to 127 * 15.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "a": In(signed(8)),
                "w": In(4),
                "signed_weight": In(1),
                "o": Out(signed(12)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        planes = [Signal(signed(8 + bit), name=f"plane_{bit}") for bit in range(4)]
        for bit, plane in enumerate(planes):
            m.d.comb += plane.eq(Mux(self.w[bit], self.a << bit, 0))
        top = Signal(signed(12))
        m.d.comb += [
            top.eq(Mux(self.signed_weight, -planes[3], planes[3])),
            self.o.eq((planes[0] + planes[1]) + (planes[2] + top)),
        ]
        return m


class MixpePe(OutputStationaryPe):
    """Output-stationary PE around :class:`ShiftAddProduct`.

    Parameters
    ----------
    sum_bits : int
        Width of the accumulator: 12 bits of product plus log2 of the longest group.
    """

    def __init__(self, *, sum_bits: int) -> None:
        super().__init__(activation_bits=8, weight_bits=4, sum_shape=signed(sum_bits))

    def product(self, m: Module) -> Value:
        m.submodules.product = product = ShiftAddProduct()
        control: Any = self.control_i
        m.d.comb += [
            product.a.eq(self.a_i),
            product.w.eq(self.w_i),
            product.signed_weight.eq(control.signed),
        ]
        return product.o
