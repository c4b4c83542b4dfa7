"""Proofs that a table that is looked up, and what stands in its place, is the plain dot product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from amaranth import Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from dovetail.rtl.dot.bit_serial import AddUnit
from dovetail.rtl.dot.mac import MacUnit
from dovetail.rtl.dot.unit import MAX_PLANES, BroadcastUnit
from dovetail.rtl.lut.lookup import FullLookupUnit, LookupUnit
from dovetail.rtl.lut.precompute import FullPrecompute, Precompute
from dovetail.rtl.prove import Miter, prove

__all__ = [
    "MacMiter",
    "PlaneMiter",
    "prove_add",
    "prove_full_lookup",
    "prove_lookup",
    "prove_mac",
]

Digits = Literal["odd", "binary"]


class PlaneMiter(Miter):
    """One plane through precompute and unit beside a sum of activations, each with its own sign.

    Parameters
    ----------
    unit : BroadcastUnit
        Without a drain chain and with an accumulator that no plane overflows.
    activation_bits : int
    precompute : wiring.Component, optional
        Makes what the unit's row is told; combinational.
    digits : str
        ``odd``: a bit means -1 or 1.  ``binary``: 0 or 1.
    inverted : bool
        The low bits of a slice with a sign are inverted on their way to the unit, as they are
        stored.
    planes : sequence of int
        Which planes to look at; what a table gives is the same in each.
    """

    claim = "first plane of a segment: total = sum_k digit_k a_k 2**plane, for all operands"
    equations = {"unit.total": "want"}

    def __init__(
        self,
        unit: BroadcastUnit,
        *,
        activation_bits: int,
        precompute: Any = None,
        digits: Digits = "odd",
        inverted: bool = False,
        planes: Sequence[int] = range(MAX_PLANES),
    ) -> None:
        # With the slice and the plane known, the solver compares nothing but adders.
        self.cases = [
            {"w": w, "plane": plane} for w in range(1 << unit.weight_bits) for plane in planes
        ]
        self._unit = unit
        self._precompute = precompute
        self._digits = digits
        self._inverted = inverted
        activations = data.ArrayLayout(signed(activation_bits), unit.weight_bits)
        super().__init__(
            {
                "a": In(activations),
                "w": In(unit.weight_bits),
                "plane": In(range(MAX_PLANES)),
                "want": Out(unit.sum_shape),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.unit = unit = self._unit
        if self._precompute is None:
            m.d.comb += unit.a_i.eq(self.a)
        else:
            m.submodules.precompute = precompute = self._precompute
            m.d.comb += [precompute.i.eq(self.a), unit.a_i.eq(precompute.o)]
        stored = Signal(unit.weight_bits)
        m.d.comb += stored.eq(self.w)
        if self._inverted:
            m.d.comb += stored[:-1].eq(Mux(self.w[-1], ~self.w[:-1], self.w[:-1]))
        m.d.comb += [
            unit.w_i.eq(stored),
            unit.control_i.plane.eq(self.plane),
            unit.sum_control_i.first.eq(1),
            unit.sum_control_i.plane.eq(self.plane),
        ]
        terms = []
        for a, bit in zip(self.a, self.w, strict=True):
            left_out = -a if self._digits == "odd" else 0
            terms.append(Mux(bit, a, left_out))
        m.d.comb += self.want.eq(sum(terms[1:], terms[0]) << self.plane)
        return m


class MacMiter(Miter):
    """A step through a MAC unit beside the sum of its products.

    Parameters
    ----------
    unit : MacUnit
        Without a drain chain.
    activation_bits, element_bits : int
    """

    claim = "first step of a segment: total = sum_k w_k a_k, for all operands"
    equations = {"unit.total": "want"}

    def __init__(self, unit: Any, *, activation_bits: int, element_bits: int) -> None:
        self._unit = unit
        lut_k = unit.weight_bits // element_bits
        super().__init__(
            {
                "a": In(data.ArrayLayout(signed(activation_bits), lut_k)),
                "w": In(data.ArrayLayout(signed(element_bits), lut_k)),
                "want": Out(unit.sum_shape),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.unit = unit = self._unit
        products = [a * w for a, w in zip(self.a, self.w, strict=True)]
        m.d.comb += [
            unit.a_i.eq(self.a),
            unit.w_i.eq(self.w),
            unit.sum_control_i.first.eq(1),
            self.want.eq(sum(products[1:], products[0])),
        ]
        return m


def _sum_bits(lut_k: int, activation_bits: int) -> int:
    return activation_bits + MAX_PLANES + lut_k


def prove_lookup(
    *,
    lut_k: int,
    activation_bits: int = 8,
    inverted: bool = True,
    planes: Sequence[int] = range(MAX_PLANES),
) -> None:
    """Prove that a symmetric table, looked up, gives the direct sum.

    Parameters
    ----------
    lut_k : int
    activation_bits : int
    inverted : bool
        Of bits that are stored inverted where the sign bit is 1; else of bits as they are.
    planes : sequence of int
        As of :class:`PlaneMiter`.
    """
    unit = LookupUnit(
        lut_k=lut_k,
        activation_bits=activation_bits,
        sum_bits=_sum_bits(lut_k, activation_bits),
        inverted=inverted,
        drains=False,
    )
    precompute = Precompute(lut_k=lut_k, activation_bits=activation_bits, cycles=0)
    prove(
        PlaneMiter(
            unit,
            activation_bits=activation_bits,
            precompute=precompute,
            inverted=inverted,
            planes=planes,
        )
    )


def prove_full_lookup(
    *, lut_k: int, activation_bits: int = 8, planes: Sequence[int] = range(MAX_PLANES)
) -> None:
    """Prove that the conventional table, looked up, gives the sum of a subset."""
    unit = FullLookupUnit(
        lut_k=lut_k,
        activation_bits=activation_bits,
        sum_bits=_sum_bits(lut_k, activation_bits),
        drains=False,
    )
    precompute = FullPrecompute(lut_k=lut_k, activation_bits=activation_bits, cycles=0)
    prove(
        PlaneMiter(
            unit,
            activation_bits=activation_bits,
            precompute=precompute,
            digits="binary",
            planes=planes,
        )
    )


def prove_add(
    *,
    lut_k: int,
    activation_bits: int = 8,
    digits: Digits = "odd",
    planes: Sequence[int] = range(MAX_PLANES),
) -> None:
    """Prove that the bit-serial adders give the direct sum."""
    unit = AddUnit(
        lut_k=lut_k,
        activation_bits=activation_bits,
        sum_bits=_sum_bits(lut_k, activation_bits),
        binary=digits == "binary",
        drains=False,
    )
    prove(PlaneMiter(unit, activation_bits=activation_bits, digits=digits, planes=planes))


def prove_mac(*, lut_k: int, activation_bits: int = 8, element_bits: int = 8) -> None:
    """Prove that a MAC unit adds the product of each activation and its own weight, and no other.

    Multipliers stand on both sides, so this proves how they are connected and summed.
    """
    unit = MacUnit(
        lut_k=lut_k,
        activation_bits=activation_bits,
        element_bits=element_bits,
        sum_bits=activation_bits + element_bits + lut_k,
        drains=False,
    )
    prove(MacMiter(unit, activation_bits=activation_bits, element_bits=element_bits))
