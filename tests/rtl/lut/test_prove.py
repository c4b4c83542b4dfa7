"""rtl/lut/prove.py: the table and its baselines are the dot product; a faulty unit is refuted."""

from __future__ import annotations

import pytest
from amaranth import Module, Signal, Value

from dovetail.errors import ToolError
from dovetail.rtl.dot.bit_serial import AddUnit
from dovetail.rtl.dot.mac import MacUnit
from dovetail.rtl.lut.lookup import LookupUnit
from dovetail.rtl.lut.precompute import Precompute
from dovetail.rtl.lut.prove import (
    MacMiter,
    PlaneMiter,
    prove_add,
    prove_full_lookup,
    prove_lookup,
    prove_mac,
)
from dovetail.rtl.prove import prove


def test_a_symmetric_table_with_inverted_indices_is_the_direct_sum() -> None:
    prove_lookup(lut_k=4, planes=(1,))
    prove_lookup(lut_k=2)


def test_a_symmetric_table_with_plain_indices_is_the_direct_sum() -> None:
    prove_lookup(lut_k=3, inverted=False, planes=(0, 7))


def test_a_full_table_is_the_sum_of_a_subset() -> None:
    prove_full_lookup(lut_k=4, planes=(0, 3))


def test_bit_serial_adders_are_the_direct_sum() -> None:
    prove_add(lut_k=3, planes=(0, 5))
    prove_add(lut_k=3, digits="binary", planes=(2,))


def test_a_mac_unit_is_the_dot_product() -> None:
    prove_mac(lut_k=4)


class NeverInverted(LookupUnit):
    """A unit that looks plain bits up as if they had been inverted."""

    def product(self, m: Module) -> tuple[Value, Value]:
        return self.a_i[self.w_i[:-1]], self.w_i[-1]


class Carryless(AddUnit):
    """A unit that takes the inverse for the negative."""

    def product(self, m: Module) -> Value:
        terms = [
            a ^ (~bit).replicate(8).as_signed() for a, bit in zip(self.a_i, self.w_i, strict=True)
        ]
        return sum(terms[1:], terms[0])


class Crossed(MacUnit):
    """A unit that multiplies with the neighbour's weight."""

    def product(self, m: Module) -> Value:
        swapped = Signal(len(self.w_i))
        m.d.comb += swapped.eq(self.w_i.rotate_left(8))
        return sum(
            (a * swapped.word_select(k, 8).as_signed() for k, a in enumerate(self.a_i)), start=0
        )


REFUTED = "^refuted: .*; counterexample .*a=.*; correct the block$"


def test_plain_bits_in_a_unit_for_inverted_ones_are_refuted() -> None:
    unit = NeverInverted(lut_k=3, activation_bits=8, sum_bits=20, drains=False)
    precompute = Precompute(lut_k=3, activation_bits=8, cycles=0)
    with pytest.raises(ToolError, match=REFUTED):
        prove(PlaneMiter(unit, activation_bits=8, precompute=precompute))


def test_an_adder_without_its_carry_is_refuted() -> None:
    unit = Carryless(lut_k=3, activation_bits=8, sum_bits=20, drains=False)
    with pytest.raises(ToolError, match=REFUTED):
        prove(PlaneMiter(unit, activation_bits=8))


def test_products_of_the_wrong_weights_are_refuted() -> None:
    unit = Crossed(lut_k=2, sum_bits=18, drains=False)
    with pytest.raises(ToolError, match=REFUTED):
        prove(MacMiter(unit, activation_bits=8, element_bits=8))
