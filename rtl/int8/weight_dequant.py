"""The baseline's weight dequantiser: INT4 weight and group scale to INT8, before the array."""

from __future__ import annotations

from amaranth import Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.rtl.rounding import RoundingShift

__all__ = ["WeightDequant"]


class WeightDequant(wiring.Component):
    """``o = clip8(round_half_even((w - zero) * scale / 2**shift))`` for one column.

    An INT8 weight passes unchanged (``bypass``).

    :Latency: 2 cycles.
    :Throughput: one weight per cycle.
    :Ready path: none.
    :Reference: :func:`dovetail.models.quantize.dequantize_to_int8`.

    Members
    -------
    w : unsigned(8)
        INT8 weight, or an INT4 weight in the low nibble.
    signed_weight, bypass : unsigned(1)
        The nibble is two's complement; the weight is INT8.
    lane : unsigned(16)
        Scale (12 bits) and zero point (4 bits) of the weight's group.
    shift : unsigned(4)
        Constant during a GEMM.
    o : unsigned(8)
        INT8 weight, two's complement.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "w": In(8),
                "signed_weight": In(1),
                "bypass": In(1),
                "lane": In(16),
                "shift": In(4),
                "o": Out(8),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        nibble = Signal(signed(5))
        centred = Signal(signed(6))
        scaled = Signal(signed(18))
        direct = Signal(8)
        bypass = Signal()
        m.submodules.rounding = rounding = RoundingShift(in_bits=18, out_bits=8)
        m.d.comb += [
            nibble.eq(Mux(self.signed_weight, self.w[:4].as_signed(), self.w[:4])),
            centred.eq(nibble - self.lane[12:]),
            rounding.i.eq(scaled),
            rounding.shift.eq(self.shift),
        ]
        m.d.sync += [
            scaled.eq(centred * self.lane[:12]),
            direct.eq(self.w),
            bypass.eq(self.bypass),
            self.o.eq(Mux(bypass, direct, rounding.o)),
        ]
        return m
