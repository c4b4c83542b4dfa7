"""A PE that dequantises in the loop: INT4 weight and group scale to FP16, then multiply-add."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, Value, signed
from amaranth.lib import data

from dovetail.arch.engine import SCALE_BITS
from dovetail.arch.number_formats import FP16, FloatFormat
from dovetail.rtl.floating.convert import IntToFp16
from dovetail.rtl.floating.pe import FloatingPe
from dovetail.rtl.floating.products import Fp16Multiply
from dovetail.rtl.int8.dequant_pe import SCALED_WEIGHT

__all__ = ["DequantFloatPe"]


class DequantFloatPe(FloatingPe):
    """``RN(sum + a * RN16((w - zero) * scale / 2**shift))``; an INT8 weight is taken as it is.

    :Reference: :func:`dovetail.models.floating.int_to_fp16`, then
        :func:`dovetail.models.floating.dot`.

    Parameters
    ----------
    form : FloatFormat
        Of the sums.
    """

    shifts_weight = True

    def __init__(self, form: FloatFormat) -> None:
        super().__init__(form, Fp16Multiply.exact, weight_bits=SCALED_WEIGHT.size, product_cycles=3)

    def exact_product(self, m: Module) -> Any:
        control: Any = self.control_i
        weight: Any = data.View(SCALED_WEIGHT, self.w_i)
        m.submodules.convert = convert = IntToFp16()
        m.submodules.multiply = multiply = Fp16Multiply()
        nibble = Signal(signed(5))
        centred = Signal(signed(5))
        scaled = Signal(signed(17), reset_less=True)
        unscaled = Signal(reset_less=True)
        converted = Signal(FP16.bits, reset_less=True)
        m.d.comb += [
            nibble.eq(Mux(control.signed, weight.w[:4].as_signed(), weight.w[:4])),
            # From -15 to 15: a symmetric weight has no zero point.
            centred.eq(nibble - weight.lane[SCALE_BITS:]),
            convert.i.eq(scaled),
            convert.shift.eq(Mux(unscaled, 0, self.weight_shift)),
            multiply.a.eq(self._waiting(m)),
            multiply.b.eq(converted),
        ]
        m.d.sync += [
            scaled.eq(
                Mux(weight.unscaled, weight.w.as_signed(), centred * weight.lane[:SCALE_BITS])
            ),
            unscaled.eq(weight.unscaled),
            converted.eq(convert.o),
        ]
        return multiply.o

    def _waiting(self, m: Module) -> Value:
        """The activation, once its weight is converted."""
        a: Value = self.a_i
        for cycle in range(self.product_cycles - 1):
            register = Signal(FP16.bits, name=f"a_wait_{cycle}", reset_less=True)
            m.d.sync += register.eq(a)
            a = register
        return a
