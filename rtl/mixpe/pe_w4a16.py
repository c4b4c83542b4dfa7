# amaranth: UnusedElaboratable=no
"""MixPE's W4A16 processing element: FP16 activation, INT4 weight, no multiplier and no aligner."""

from __future__ import annotations

from typing import Any

from amaranth import Module

from dovetail.arch.number_formats import FloatFormat
from dovetail.rtl.floating.pe import FloatingPe
from dovetail.rtl.floating.products import Fp16ShiftAdd

__all__ = ["MixpeFloatPe"]


class MixpeFloatPe(FloatingPe):
    """Output-stationary PE around :class:`~dovetail.rtl.floating.products.Fp16ShiftAdd`.

    Parameters
    ----------
    form : FloatFormat
        Of the sums.
    """

    def __init__(self, form: FloatFormat) -> None:
        self._product = Fp16ShiftAdd()
        super().__init__(form, self._product.exact, weight_bits=4)

    def exact_product(self, m: Module) -> Any:
        m.submodules.shift_add = product = self._product
        control: Any = self.control_i
        m.d.comb += [
            product.a.eq(self.a_i),
            product.w.eq(self.w_i),
            product.signed_weight.eq(control.signed),
        ]
        return product.o
