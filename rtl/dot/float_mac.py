"""The baseline unit for floating point: products aligned, summed as integers, rounded once."""

from __future__ import annotations

from typing import Any

from amaranth import Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data

from dovetail.arch.number_formats import FP16, FloatFormat
from dovetail.rtl.dot.mac import tree_sum
from dovetail.rtl.dot.unit import BroadcastUnit
from dovetail.rtl.floating.exact import ExactFormat
from dovetail.rtl.floating.fused_add import FusedAdd
from dovetail.rtl.floating.products import Fp16Multiply

__all__ = ["GUARD_BITS", "FloatMacUnit"]

GUARD_BITS = 3
"""Bits of an aligned product that are kept below the last one of the largest."""


class FloatMacUnit(BroadcastUnit):
    """A dot product of ``lut_k`` FP16 activations and weights as a tensor core computes it.

    1. Products are exact: a significand of 22 bits, the product of those of the operands, and an
       exponent, the sum of theirs.  A significand has the leading one of a normal number; the
       exponent of a subnormal number, and of zero, is that of the least normal ones.
    2. They are aligned to the largest exponent of a product that is not zero, each truncated
       toward zero to :data:`GUARD_BITS` bits below the last one of that product: with ``d`` the
       distance of the exponents, ``floor(significand * 2**GUARD_BITS / 2**d)``.
    3. These magnitudes are summed with their signs, exactly.
    4. The sum is added to the accumulator with one rounding, half to even.

    Infinities and NaN are those of the sum of all products, in whatever order.

    :Latency: 3 cycles from the last step of a segment to ``sum_o``: products, their sum, the
        accumulator.
    :Throughput: one step per cycle.
    :Ready path: none.
    :Reference: the four steps, for each step of a segment in ascending order.

    Parameters
    ----------
    form : FloatFormat
        Of the accumulator.
    lut_k : int
        Activations of a step.
    drains : bool
        Has a drain chain.

    Members
    -------
    a_i : ArrayLayout(unsigned(16), lut_k)
        Bit patterns of FP16, k index 0 in the low bits.
    w_i : unsigned(16 * lut_k)
        Weights likewise; a step has one plane.
    control_i, sum_control_i, drain_i, shift_i, shift_o, sum_i, sum_o
        As of :class:`~dovetail.rtl.dot.unit.BroadcastUnit`.
    """

    def __init__(self, form: FloatFormat, *, lut_k: int, drains: bool = True) -> None:
        self._form = form
        product = Fp16Multiply.exact
        self._exact = ExactFormat(
            significand_bits=product.significand_bits + GUARD_BITS + (lut_k - 1).bit_length(),
            exponent_bits=product.exponent_bits,
            origin=product.origin - GUARD_BITS,
            least=product.least,
            # A sum may cancel down to its last bit.
            small=0,
            leading=0,
        )
        super().__init__(
            data.ArrayLayout(unsigned(FP16.bits), lut_k),
            weight_bits=FP16.bits * lut_k,
            sum_shape=unsigned(form.bits),
            product_cycles=2,
            drains=drains,
        )

    def product(self, m: Module) -> Any:
        products: list[Any] = []
        for k, a in enumerate(self.a_i):
            m.submodules[f"multiply_{k}"] = multiply = Fp16Multiply()
            register = Signal(Fp16Multiply.exact.layout, name=f"product_{k}", reset_less=True)
            m.d.comb += [
                multiply.a.eq(a),
                multiply.b.eq(self.w_i.word_select(k, FP16.bits)),
            ]
            m.d.sync += register.eq(multiply.o)
            products.append(register)

        exponents: list[Value] = [Mux(p.zero, 0, p.exponent) for p in products]
        while len(exponents) > 1:
            pairs = zip(exponents[::2], exponents[1::2], strict=False)
            larger = [Mux(x < y, y, x) for x, y in pairs]
            exponents = larger + exponents[2 * len(larger) :]
        largest = Signal(Fp16Multiply.exact.exponent_bits)
        m.d.comb += largest.eq(exponents[0])

        terms: list[Value] = []
        for k, p in enumerate(products):
            magnitude = Signal(len(p.significand) + GUARD_BITS, name=f"aligned_{k}")
            term = Signal(signed(len(magnitude) + 1), name=f"term_{k}")
            distance = Signal(len(largest), name=f"distance_{k}")
            m.d.comb += [
                distance.eq(largest - p.exponent),
                magnitude.eq(Mux(p.zero, 0, (p.significand << GUARD_BITS) >> distance)),
                term.eq(Mux(p.sign, -magnitude, magnitude)),
            ]
            terms.append(term)
        total = Signal(signed(self._exact.significand_bits + 1))
        register = Signal.like(total, name="dot", reset_less=True)
        exponent = Signal(len(largest), reset_less=True)
        up, down, undefined, nan, inf, sign = (
            Signal(name=name, reset_less=name in ("nan", "inf", "inf_sign"))
            for name in ("up", "down", "undefined", "nan", "inf", "inf_sign")
        )
        m.d.comb += [
            total.eq(tree_sum(m, terms, name="sum")),
            up.eq(_any(p.inf & ~p.sign for p in products)),
            down.eq(_any(p.inf & p.sign for p in products)),
            undefined.eq(_any(p.nan for p in products)),
        ]
        m.d.sync += [
            register.eq(total),
            exponent.eq(largest),
            nan.eq(undefined | (up & down)),
            inf.eq(up | down),
            sign.eq(down),
        ]
        exact = Signal(self._exact.layout)
        m.d.comb += [
            exact.significand.eq(Mux(register[-1], -register, register)),
            exact.exponent.eq(exponent),
            exact.sign.eq(Mux(inf, sign, register[-1])),
            exact.zero.eq(~register.any()),
            exact.inf.eq(inf),
            exact.nan.eq(nan),
        ]
        return exact

    def add(self, m: Module, accumulated: Value, product: Any) -> Value:
        m.submodules.add = add = FusedAdd(
            self._exact, self._form, accumulator_grid=self._exact.grid
        )
        m.d.comb += [add.accumulator.eq(accumulated), add.exact.eq(product)]
        return add.o


def _any(bits: Any) -> Value:
    total: Value = Const(0, 1)
    for bit in bits:
        total = total | bit
    return total
