"""Two INT8 x INT4 products that share their activation, from one multiplication."""

from __future__ import annotations

from amaranth import Cat, Module, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["PRODUCT_BITS", "PackedProduct"]

PRODUCT_BITS = 12
"""Width of one product: -128 * 15 to 127 * 15."""


class PackedProduct(wiring.Component):
    """``a * w0`` and ``a * w1`` as the fields of ``a * (w0 + w1 * 2^12)``, for one FPGA DSP.

    The factor has 17 bits and the activation 8, which a DSP48 multiplies (27 x 18 bits, or
    25 x 18).  A negative low product borrows one from the field above it; whoever adds the high
    product to something adds ``borrow`` too, which costs him a carry-in and no adder.

    Source of the technique: Xilinx WP486, "Deep Learning with INT8 Optimization on Xilinx Devices"
    (2016), which packs two INT8 x INT8 products so.

    :Latency: combinational.
    :Reference: the products of the integers; its test proves them for all operands.

    Members
    -------
    a : signed(8)
    w0, w1 : unsigned(4)
        The weights' bits.
    signed_weight : unsigned(1)
        The weights are two's complement.
    o0 : signed(12)
        ``a * w0``.
    o1 : signed(12)
        ``a * w1 - borrow``.
    borrow : unsigned(1)
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "a": In(signed(8)),
                "w0": In(4),
                "w1": In(4),
                "signed_weight": In(1),
                "o0": Out(signed(PRODUCT_BITS)),
                "o1": Out(signed(PRODUCT_BITS)),
                "borrow": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        low, high = (Cat(w, w[-1] & self.signed_weight).as_signed() for w in (self.w0, self.w1))
        factor = Signal(signed(PRODUCT_BITS + 5))
        packed = Signal(signed(2 * PRODUCT_BITS))
        m.d.comb += [
            factor.eq(low + (high << PRODUCT_BITS)),
            packed.eq(self.a * factor),
            self.o0.eq(packed[:PRODUCT_BITS]),
            self.o1.eq(packed[PRODUCT_BITS:]),
            self.borrow.eq(packed[PRODUCT_BITS - 1]),
        ]
        return m
