"""Proof that the floating-point shift-and-add product is a product."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib.wiring import In, Out

from dovetail.arch.number_formats import FP16
from dovetail.rtl.floating.products import Fp16ShiftAdd
from dovetail.rtl.prove import Miter, prove

__all__ = ["Fp16ProductMiter", "prove_fp16_shift_add"]


class Fp16ProductMiter(Miter):
    """A product of FP16 and a 4-bit integer beside the product of the magnitudes of the two.

    Parameters
    ----------
    product : Fp16ShiftAdd
        Or what has the same ports.
    """

    claim = "significand and sign of o are those of a * w for every FP16 a and 4-bit w"
    equations = {"o": "want", "sign": "want_sign"}

    def __init__(self, product: Any) -> None:
        self._product = product
        super().__init__(
            {
                "a": In(FP16.bits),
                "w": In(4),
                "signed_weight": In(1),
                "o": Out(15),
                "sign": Out(1),
                "want": Out(15),
                "want_sign": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.product = product = self._product
        weight = Signal(signed(5))
        fraction = self.a[: FP16.fraction_bits]
        significand = Signal(FP16.significand_bits)
        m.d.comb += [
            product.a.eq(self.a),
            product.w.eq(self.w),
            product.signed_weight.eq(self.signed_weight),
            self.o.eq(product.o.significand),
            self.sign.eq(product.o.sign),
            weight.eq(Mux(self.signed_weight, self.w.as_signed(), self.w)),
            significand.eq(fraction),
        ]
        with m.If(self.a[FP16.fraction_bits : -1] != 0):
            m.d.comb += significand.eq(fraction + (1 << FP16.fraction_bits))
        m.d.comb += [
            self.want.eq(significand * Mux(weight < 0, -weight, weight)[:4]),
            self.want_sign.eq(self.a[-1] ^ (weight < 0)),
        ]
        return m


def prove_fp16_shift_add() -> None:
    """Prove the significand's path of :class:`Fp16ShiftAdd` for all 2^21 combinations."""
    prove(Fp16ProductMiter(Fp16ShiftAdd()))
