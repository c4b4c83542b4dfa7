"""The conventional LUT unit: every unit makes the full table of a step's activations itself."""

from __future__ import annotations

from amaranth import Const, Module, Value, signed
from amaranth.lib import data

from dovetail.rtl.dot.planes import add_signed
from dovetail.rtl.dot.unit import MAX_PLANES, BroadcastUnit
from dovetail.rtl.lut.precompute import FullPrecompute

__all__ = ["ConventionalUnit"]


class ConventionalUnit(BroadcastUnit):
    """Sum every subset of the activations, look one up by bits that mean 0 and 1, accumulate.

    What LUT Tensor Core moves out of the units and halves: here each has ``2**lut_k`` sums of its
    own, made anew in every cycle.

    :Latency: 1 cycle from the last slice of a segment to ``sum_o``.
    :Throughput: one plane of a step per cycle.
    :Ready path: none.
    :Reference: ``sum_k q_k a_k`` of unsigned weights, exactly.

    Parameters
    ----------
    lut_k, activation_bits, sum_bits, max_planes, drains
        As of :class:`~dovetail.rtl.lut.lookup.LookupUnit`.

    Members
    -------
    a_i : ArrayLayout(signed(activation_bits), lut_k)
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
        drains: bool = True,
    ) -> None:
        self._max_planes = max_planes
        self._table = FullPrecompute(lut_k=lut_k, activation_bits=activation_bits, cycles=0)
        super().__init__(
            data.ArrayLayout(signed(activation_bits), lut_k),
            weight_bits=lut_k,
            sum_shape=signed(sum_bits),
            drains=drains,
        )

    def product(self, m: Module) -> Value:
        m.submodules.table = table = self._table
        m.d.comb += table.i.eq(self.a_i)
        entry: Value = table.o[self.w_i]
        return entry

    def add(self, m: Module, accumulated: Value, product: Value) -> Value:
        return add_signed(
            m,
            accumulated,
            product,
            Const(0, 1),
            shift=self.sum_control_i.plane,
            most=self._max_planes - 1,
        )
