# amaranth: UnusedElaboratable=no
"""Post-group dequantisation of floating-point sums: zero-point correction and integer scale."""

from __future__ import annotations

from amaranth import Module, Mux, Shape, Signal, unsigned
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.engine import ZERO_BITS
from dovetail.arch.number_formats import FloatFormat
from dovetail.rtl.floating.fused_add import FusedAdd
from dovetail.rtl.floating.products import ScaleProduct, ZeroProduct

__all__ = ["FloatGroupDequant"]


_ZERO = unsigned(ZERO_BITS)


class FloatGroupDequant(wiring.Component):
    """``o = RN(p - zero * s) * scale * (16 if high else 1)``, exact, for one column.

    A zero point of 0 corrects nothing, even where ``s`` is infinite or NaN.

    :Latency: 2 cycles from ``p`` to ``o``; ``scale`` and ``high`` belong to that later cycle.
    :Throughput: one row per cycle.
    :Ready path: none.
    :Reference: :func:`dovetail.models.mpgemm_floating.dequantize_after_group`.

    Parameters
    ----------
    form : FloatFormat
        Of the sums.
    zero_shape : Shape
        Of the zero point, as of :class:`~dovetail.rtl.floating.products.ZeroProduct`.

    Attributes
    ----------
    exact : ExactFormat
        Of ``o``.

    Members
    -------
    p, s : unsigned(form.bits)
        Product sum and activation sum of the group.
    zero : zero_shape
        Zero point of the group.
    scale, high : unsigned(12), unsigned(1)
        Two cycles after ``p``.
    o : exact.layout
        Increment of the accumulator.
    """

    def __init__(self, form: FloatFormat, zero_shape: Shape = _ZERO) -> None:
        self._form = form
        self._zero_shape = zero_shape
        self._scale = ScaleProduct(form)
        self.exact = self._scale.exact
        super().__init__(
            {
                "p": In(form.bits),
                "s": In(form.bits),
                "zero": In(zero_shape),
                "scale": In(12),
                "high": In(1),
                "o": Out(self.exact.layout),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.zero = product = ZeroProduct(self._form, self._zero_shape)
        m.submodules.correct = correct = FusedAdd(product.exact, self._form)
        m.submodules.scale = scale = self._scale
        correction = Signal(product.exact.layout, reset_less=True)
        corrects = Signal(reset_less=True)
        p = Signal(self._form.bits, reset_less=True)
        difference = Signal(self._form.bits, reset_less=True)
        m.d.comb += [
            product.a.eq(self.s),
            product.zero.eq(self.zero),
            correct.accumulator.eq(p),
            correct.exact.eq(correction),
            scale.a.eq(difference),
            scale.scale.eq(self.scale),
            scale.high.eq(self.high),
            self.o.eq(scale.o),
        ]
        m.d.sync += [
            correction.eq(product.o),
            corrects.eq(self.zero.any()),
            p.eq(self.p),
            difference.eq(Mux(corrects, correct.o, p)),
        ]
        return m
