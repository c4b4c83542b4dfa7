"""The baseline unit for integers: a dot product of whole weights with multipliers."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth import Module, Signal, Value, signed
from amaranth.lib import data

from dovetail.rtl.dot.unit import BroadcastUnit
from dovetail.rtl.skew import delayed

__all__ = ["MacUnit", "tree_sum"]


class MacUnit(BroadcastUnit):
    """Multiply ``lut_k`` activations and weights, add the products in a tree, accumulate.

    :Latency: 1 + ``product_cycles`` cycles from the last step of a segment to ``sum_o``.
    :Throughput: one step per cycle.
    :Ready path: none.
    :Reference: ``sum_k w_k a_k``, exactly, or modulo ``2**sum_bits``.

    Parameters
    ----------
    lut_k : int
        Activations of a step.
    activation_bits, element_bits : int
        Of a signed activation, and of a two's-complement weight.
    sum_bits : int
        Width of the accumulator: both and log2 of a segment's k for sums that never wrap.
    product_cycles : int
        Registers before the accumulator: the first after the products, the others spread over the
        levels of the tree.
    drains : bool
        Has a drain chain.

    Members
    -------
    a_i : ArrayLayout(signed(activation_bits), lut_k)
        k index 0 in the low bits.
    w_i : unsigned(lut_k * element_bits)
        Whole weights, k index 0 in the low bits; a step has one plane.
    control_i, sum_control_i, drain_i, shift_i, shift_o, sum_i, sum_o
        As of :class:`~dovetail.rtl.dot.unit.BroadcastUnit`.
    """

    def __init__(
        self,
        *,
        lut_k: int,
        activation_bits: int = 8,
        element_bits: int = 8,
        sum_bits: int,
        product_cycles: int = 0,
        drains: bool = True,
    ) -> None:
        self._element_bits = element_bits
        super().__init__(
            data.ArrayLayout(signed(activation_bits), lut_k),
            weight_bits=lut_k * element_bits,
            sum_shape=signed(sum_bits),
            product_cycles=product_cycles,
            drains=drains,
        )

    def product(self, m: Module) -> Value:
        bits = self._element_bits
        products = [a * self.w_i.word_select(k, bits).as_signed() for k, a in enumerate(self.a_i)]
        if not self.product_cycles:
            return tree_sum(m, products, name="product")
        levels, later = (len(products) - 1).bit_length(), self.product_cycles - 1
        ends = [-(-levels * (index + 1) // later) for index in range(later)]
        products = [
            delayed(m, product, 1, name=f"registered_{k}", reset_less=True)
            for k, product in enumerate(products)
        ]
        return tree_sum(m, products, name="product", registers_after=ends)


def tree_sum(
    m: Module, terms: list[Value], *, name: str, registers_after: Sequence[int] = ()
) -> Value:
    """Sum of integers: neighbours in pairs, again and again; an odd one out waits.

    Parameters
    ----------
    m : Module
    terms : list of Value
    name : str
        Of the signals.
    registers_after : sequence of int
        For each register, after how many levels it stands.
    """
    level = 0
    while len(terms) > 1:
        sums = []
        for index in range(0, len(terms) - 1, 2):
            value = terms[index] + terms[index + 1]
            total = Signal(value.shape(), name=f"{name}_{level}_{index}")
            m.d.comb += total.eq(value)
            sums.append(total)
        terms = sums + terms[len(sums) * 2 :]
        level += 1
        cycles = registers_after.count(level)
        if cycles:
            terms = [
                delayed(m, term, cycles, name=f"{name}_{level}_{index}_late", reset_less=True)
                for index, term in enumerate(terms)
            ]
    return terms[0]
