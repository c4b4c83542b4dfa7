"""The bit-serial baseline: adders where a LUT unit has a table."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Value, signed, unsigned
from amaranth.lib import data

from dovetail.arch.number_formats import FP16, FloatFormat
from dovetail.rtl.dot.mac import tree_sum
from dovetail.rtl.dot.planes import FloatPlaneSums, add_signed
from dovetail.rtl.dot.unit import MAX_PLANES, BroadcastUnit
from dovetail.rtl.floating.fused_add import FusedAdd
from dovetail.rtl.floating.products import FloatPass
from dovetail.rtl.skew import delayed

__all__ = ["AddUnit", "FloatAddUnit"]


class AddUnit(BroadcastUnit):
    """Add or subtract ``lut_k`` activations by one bit of each weight, shift, accumulate.

    :Latency: 1 cycle from the last slice of a segment to ``sum_o``.
    :Throughput: one plane of a step per cycle.
    :Ready path: none.
    :Reference: ``sum_k q'_k a_k`` with ``q' = sum_i 2**i (2 b_i - 1)``; with binary digits,
        ``sum_k q_k a_k``; exactly.

    Parameters
    ----------
    lut_k : int
        Activations of a step.
    activation_bits : int
        Of a signed activation.
    sum_bits : int
        Width of the accumulator.
    max_planes : int
        Most planes of a weight.
    binary : bool
        A weight bit means 0 or 1, not -1 or 1: an activation is added or left out.
    drains : bool
        Has a drain chain.

    Members
    -------
    a_i : ArrayLayout(signed(activation_bits), lut_k)
        k index 0 in the low bits.
    w_i : unsigned(lut_k)
        One bit of each weight, k index 0 in bit 0.
    control_i, sum_control_i, drain_i, shift_i, shift_o, sum_i, sum_o
        As of :class:`~dovetail.rtl.dot.unit.BroadcastUnit`.
    """

    def __init__(
        self,
        *,
        lut_k: int,
        activation_bits: int,
        sum_bits: int,
        max_planes: int = MAX_PLANES,
        binary: bool = False,
        drains: bool = True,
    ) -> None:
        self._max_planes = max_planes
        self._binary = binary
        super().__init__(
            data.ArrayLayout(signed(activation_bits), lut_k),
            weight_bits=lut_k,
            sum_shape=signed(sum_bits),
            drains=drains,
        )

    def product(self, m: Module) -> Value:
        terms: list[Value] = []
        for a, bit in zip(self.a_i, self.w_i, strict=True):
            mask = (bit if self._binary else ~bit).replicate(len(a)).as_signed()
            terms.append(a & mask if self._binary else a ^ mask)
        total = tree_sum(m, terms, name="term")
        if not self._binary:
            # What is inverted lacks one of its negative.
            total = total + sum((~bit for bit in self.w_i), Const(0, 1))
        return total

    def add(self, m: Module, accumulated: Value, product: Value) -> Value:
        return add_signed(
            m,
            accumulated,
            product,
            Const(0, 1),
            shift=self.sum_control_i.plane,
            most=self._max_planes - 1,
        )


class FloatAddUnit(FloatPlaneSums):
    """Add or subtract FP16 activations in a tree by one bit of each weight, then accumulate.

    Neighbours are added in pairs, again and again, an odd one out waits; each sum is rounded to
    FP16.  The last of them, times its plane's power of two, is added to the accumulator with one
    rounding: steps ascending, and in each of them planes ascending.

    :Latency: 1 + ``product_cycles`` cycles from the last slice of a segment to ``sum_o``, one for
        each level of the tree.
    :Throughput: one plane of a step per cycle.
    :Ready path: none.
    :Reference: :func:`dovetail.models.floating.rounded_sum` of each pair, in FP16, then
        :func:`dovetail.models.floating.add`.

    Parameters
    ----------
    form : FloatFormat
        Of the accumulator.
    lut_k : int
        Activations of a step.
    max_planes : int
        Most planes of a weight.
    drains : bool
        Has a drain chain.

    Members
    -------
    a_i : ArrayLayout(unsigned(16), lut_k)
        Bit patterns of FP16, k index 0 in the low bits.
    w_i : unsigned(lut_k)
        One bit of each weight, k index 0 in bit 0: 1 adds, 0 subtracts.
    control_i, sum_control_i, drain_i, shift_i, shift_o, sum_i, sum_o
        As of :class:`~dovetail.rtl.dot.unit.BroadcastUnit`.
    """

    def __init__(
        self,
        form: FloatFormat,
        *,
        lut_k: int,
        max_planes: int = MAX_PLANES,
        drains: bool = True,
    ) -> None:
        super().__init__(
            data.ArrayLayout(unsigned(FP16.bits), lut_k),
            form,
            weight_bits=lut_k,
            max_planes=max_planes,
            product_cycles=(lut_k - 1).bit_length(),
            drains=drains,
        )

    def product(self, m: Module) -> Value:
        terms: list[Any] = [
            Cat(Value.cast(a)[:-1], Value.cast(a)[-1] ^ ~bit)
            for a, bit in zip(self.a_i, self.w_i, strict=True)
        ]
        for level in range(self.product_cycles):
            pairs = [
                _rounded(m, *terms[index : index + 2], name=f"pair_{level}_{index}")
                for index in range(0, len(terms) - 1, 2)
            ]
            terms = [
                delayed(m, term, 1, name=f"sum_{level}_{index}", reset_less=True)
                for index, term in enumerate(pairs + terms[2 * len(pairs) :])
            ]
        return Value.cast(terms[0])


def _rounded(m: Module, x: Value, y: Value, *, name: str) -> Value:
    """``RN(x + y)`` in FP16."""
    m.submodules[f"{name}_pass"] = exact = FloatPass(FP16)
    m.submodules[f"{name}_add"] = add = FusedAdd(exact.exact, FP16)
    m.d.comb += [exact.a.eq(y), add.accumulator.eq(x), add.exact.eq(exact.o)]
    return add.o
