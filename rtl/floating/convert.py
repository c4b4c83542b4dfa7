"""Conversions to FP16: from the integers of an integer PE, from FP32 accumulators."""

from __future__ import annotations

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.number_formats import FP16, FP32
from dovetail.rtl.floating.exact import unpack
from dovetail.rtl.floating.normalise import Normalise
from dovetail.rtl.floating.round import RoundAndPack

__all__ = ["FpOutputRound", "IntToFp16"]


class IntToFp16(wiring.Component):
    """``o = RN(i * 2**-shift)`` in FP16, half to even; an overflow becomes infinity.

    :Latency: combinational.
    :Reference: :func:`dovetail.models.floating.int_to_fp16`.

    Members
    -------
    i : signed(17)
    shift : unsigned(4)
    o : unsigned(16)
        Bit pattern; +0 for 0.
    """

    def __init__(self) -> None:
        super().__init__({"i": In(signed(17)), "shift": In(4), "o": Out(FP16.bits)})

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        bits = len(self.i)
        magnitude = Signal(bits)
        # The field of a number whose leading one is the top bit of the magnitude.
        top = FP16.bias + bits - 1
        exponent = Signal(range(top + 1))
        m.submodules.normalise = normalise = Normalise(bits)
        m.submodules.round = rounding = RoundAndPack(
            FP16, exponent_bits=len(exponent), tail_bits=bits - FP16.significand_bits
        )
        m.d.comb += [
            magnitude.eq(Mux(self.i[-1], -self.i, self.i)),
            normalise.i.eq(magnitude),
            # 2^-15 alone is subnormal: its field would be 0, so it must stay a bit lower.
            normalise.limit.eq(Mux(self.shift == FP16.bias, 0b10, 0)),
            exponent.eq(top - self.shift - normalise.zeros),
            rounding.sign.eq(self.i[-1]),
            rounding.exponent.eq(exponent),
            rounding.significand.eq(normalise.o),
            self.o.eq(rounding.o),
        ]
        return m


class FpOutputRound(wiring.Component):
    """``o = RN(i * 2**-shift)``, FP32 to FP16, half to even; an overflow becomes infinity.

    :Latency: combinational.
    :Reference: :func:`dovetail.models.floating.round_output`.

    Members
    -------
    i : unsigned(32)
        Bit pattern of FP32.
    shift : unsigned(6)
    o : unsigned(16)
        Bit pattern of FP16.
    """

    def __init__(self) -> None:
        super().__init__({"i": In(FP32.bits), "shift": In(6), "o": Out(FP16.bits)})

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        i = unpack(m, self.i, FP32, name="i")
        # Shifted by this, the leading one is below half of the last bit, as it is any farther.
        farthest = FP16.significand_bits + 1
        # The FP16 field of a normal result; 0 and below where it is subnormal.
        field = Signal(signed(FP32.exponent_bits + 1))
        excess = Signal(range(farthest + 1))
        wide = Signal(FP32.significand_bits + farthest)
        subnormal = Signal()
        m.submodules.round = rounding = RoundAndPack(
            FP16, exponent_bits=FP32.exponent_bits, tail_bits=len(wide) - FP16.significand_bits
        )
        m.d.comb += [
            field.eq(i.exponent - (FP32.bias - FP16.bias) - self.shift),
            subnormal.eq(field < 1),
            excess.eq(Mux(subnormal, Mux(field < 1 - farthest, farthest, 1 - field), 0)),
            wide.eq(Cat(Const(0, farthest), i.significand) >> excess),
            rounding.sign.eq(i.sign),
            rounding.exponent.eq(Mux(subnormal, 0, field)),
            rounding.significand.eq(wide),
            rounding.inf.eq(i.inf),
            rounding.nan.eq(i.nan),
            self.o.eq(rounding.o),
        ]
        return m
