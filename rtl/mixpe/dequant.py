"""Post-group dequantisation of integer sums: zero-point correction and integer scale."""

from __future__ import annotations

from amaranth import Module, Mux, Shape, Signal, signed, unsigned
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.engine import ZERO_BITS

__all__ = ["GroupDequant"]


_ZERO = unsigned(ZERO_BITS)


class GroupDequant(wiring.Component):
    """``o = ((p - zero * s) * scale) << (4 if high else 0)`` for one column, one row a cycle.

    Fixed-point format: ``scale`` is an unsigned 12-bit integer, the group's scale in units of the
    column's base; nothing is rounded here.  The single rounding happens when the 48-bit sum over
    all groups is written back (:class:`dovetail.rtl.gemm.output.OutputRound`).  ``high`` marks the
    signed high nibbles of an INT8 weight, which weigh 16 times their low nibbles.

    :Latency: 1 cycle from ``p`` to ``o``; ``scale`` and ``high`` belong to that later cycle.
    :Throughput: one row per cycle.
    :Ready path: none.
    :Reference: :func:`dovetail.models.mpgemm.dequantize_after_group`.

    Parameters
    ----------
    p_bits, s_bits : int
        Widths of the group's product sum and of its activation sum.
    zero_shape : Shape
        Of the zero point.

    Members
    -------
    p : signed(p_bits)
        Product sum of the group.
    s : signed(s_bits)
        Activation sum of the group.
    zero : zero_shape
        Zero point of the group.
    scale, high : unsigned(12), unsigned(1)
        One cycle after ``p``.
    o : signed(o_bits)
        Increment of the accumulator.
    """

    def __init__(self, *, p_bits: int, s_bits: int, zero_shape: Shape = _ZERO) -> None:
        # |zero * s| < 2^zero_bits * 2^(s_bits - 1), of the size of p for MixPE's widths.
        self._difference_bits = max(p_bits, s_bits + zero_shape.width - zero_shape.signed) + 1
        self.o_bits = self._difference_bits + 12 + 4
        super().__init__(
            {
                "p": In(signed(p_bits)),
                "s": In(signed(s_bits)),
                "zero": In(zero_shape),
                "scale": In(12),
                "high": In(1),
                "o": Out(signed(self.o_bits)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        difference = Signal(signed(self._difference_bits))
        scaled = Signal(signed(self._difference_bits + 12))
        m.d.sync += difference.eq(self.p - self.zero * self.s)
        m.d.comb += [
            scaled.eq(difference * self.scale),
            self.o.eq(Mux(self.high, scaled << 4, scaled)),
        ]
        return m
