"""FP8 with four exponent bits to FP16, exactly."""

from __future__ import annotations

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.number_formats import FP16

__all__ = ["Fp8ToFp16"]

_BIAS = 7


class Fp8ToFp16(wiring.Component):
    """``o = i``, of E4M3: no infinity, and one NaN of either sign, all ones.

    :Latency: combinational.
    :Reference: the value of the bit pattern, which FP16 holds: E4M3's least subnormal number,
        2^-9, is normal there.

    Members
    -------
    i : unsigned(8)
        Bit pattern of E4M3.
    o : unsigned(16)
        Bit pattern of FP16; the canonical NaN for a NaN.
    """

    def __init__(self) -> None:
        super().__init__({"i": In(8), "o": Out(FP16.bits)})

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        fraction, field, sign = self.i[:3], self.i[3:7], self.i[7]
        exponent = Signal(FP16.exponent_bits)
        top = Signal(3)
        m.d.comb += [
            exponent.eq(field + (FP16.bias - _BIAS)),
            top.eq(fraction),
        ]
        with m.If(field == 0):
            # The leading one of a subnormal number becomes the one that is not stored.
            least = FP16.bias - _BIAS + 1
            with m.If(fraction[2]):
                m.d.comb += [exponent.eq(least - 1), top.eq(fraction << 1)]
            with m.Elif(fraction[1]):
                m.d.comb += [exponent.eq(least - 2), top.eq(fraction << 2)]
            with m.Elif(fraction[0]):
                m.d.comb += [exponent.eq(least - 3), top.eq(0)]
            with m.Else():
                m.d.comb += exponent.eq(0)
        padding = Const(0, FP16.fraction_bits - 3)
        m.d.comb += self.o.eq(Mux(self.i[:7].all(), FP16.nan, Cat(padding, top, exponent, sign)))
        return m
