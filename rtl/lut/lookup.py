"""The LUT unit for integers: a sum looked up by one weight bit of each k, shifted, accumulated."""

from __future__ import annotations

from typing import Any

from amaranth import Const, Module, Signal, Value, signed

from dovetail.rtl.dot.planes import add_signed
from dovetail.rtl.dot.unit import MAX_PLANES, BroadcastUnit
from dovetail.rtl.lut.table import full_integer_table, integer_table

__all__ = ["FullLookupUnit", "LookupUnit", "selected"]


def selected(m: Module, unit: BroadcastUnit, *, inverted: bool) -> tuple[Any, Value]:
    """Entry and sign that a slice of one bit of each k selects in a symmetric table.

    Bit ``j`` of the slice belongs to k index ``j``.  The bit of the last k is the sign: the table
    holds ``T[i] = -a[K-1] + sum_j (2 i_j - 1) a[j]`` and nothing of the half in which ``a[K-1]`` is
    added, since ``T[~i]`` is ``-T[i]`` with the last bit counted in.

    Parameters
    ----------
    m : Module
    unit : BroadcastUnit
        Its ``a_i`` is the table, or has it as ``entries``.
    inverted : bool
        The low bits of a slice with a sign come inverted already; else they are inverted here.

    Returns
    -------
    Value, Value
        The entry, and whether it is subtracted.
    """
    table = unit.a_i.entries if "entries" in dict(unit.operand) else unit.a_i
    low, sign = unit.w_i[:-1], unit.w_i[-1]
    index = Signal(len(low))
    m.d.comb += index.eq(low if inverted else low ^ sign.replicate(len(low)))
    return table[index], sign


class LookupUnit(BroadcastUnit):
    """Look up, negate by the sign bit, shift left by the plane, accumulate.

    The dot product of ``lut_k`` activations and a plane of odd levels costs a multiplexer and one
    addition, which negates as well.

    :Latency: 1 cycle from the last slice of a segment to ``sum_o``; see
        :class:`~dovetail.rtl.dot.unit.BroadcastUnit`.
    :Throughput: one plane of a step per cycle.
    :Ready path: none.
    :Reference: ``sum_k q'_k a_k`` with ``q' = sum_i 2**i (2 b_i - 1)``, exactly; the symmetric
        table is proved to be the direct sum by :func:`dovetail.rtl.lut.prove.prove_lookup`.

    Parameters
    ----------
    lut_k : int
        Activations of a step, 2 to 8.
    activation_bits : int
        Of a signed activation; the table has :func:`~dovetail.rtl.lut.table.integer_table`.
    sum_bits : int
        Width of the accumulator: ``activation_bits`` + planes + log2 of a segment's k.
    max_planes : int
        Most planes of a weight; with 1 there is no shifter.
    inverted : bool
        Weights are stored with the low bits of a slice inverted where its sign bit is 1; else the
        unit inverts them.
    drains : bool
        Has a drain chain.

    Members
    -------
    a_i : integer_table(lut_k, activation_bits)
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
        inverted: bool = True,
        drains: bool = True,
    ) -> None:
        self._max_planes = max_planes
        self._inverted = inverted
        super().__init__(
            integer_table(lut_k, activation_bits),
            weight_bits=lut_k,
            sum_shape=signed(sum_bits),
            drains=drains,
        )

    def product(self, m: Module) -> tuple[Value, Value]:
        return selected(m, self, inverted=self._inverted)

    def add(self, m: Module, accumulated: Value, product: tuple[Value, Value]) -> Value:
        entry, sign = product
        return add_signed(
            m, accumulated, entry, sign, shift=self.sum_control_i.plane, most=self._max_planes - 1
        )


class FullLookupUnit(BroadcastUnit):
    """The conventional LUT unit: a table with every sum, looked up by bits that mean 0 and 1.

    :Latency: 1 cycle from the last slice of a segment to ``sum_o``.
    :Throughput: one plane of a step per cycle.
    :Ready path: none.
    :Reference: ``sum_k q_k a_k`` of unsigned or two's-complement weights, exactly.

    Parameters
    ----------
    lut_k, activation_bits, sum_bits, max_planes, drains
        As of :class:`LookupUnit`.
    signed_weights : bool
        Weights are two's complement: the last plane of a step is subtracted.

    Members
    -------
    a_i : full_integer_table(lut_k, activation_bits)
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
        signed_weights: bool = False,
        drains: bool = True,
    ) -> None:
        self._max_planes = max_planes
        self._signed = signed_weights
        super().__init__(
            full_integer_table(lut_k, activation_bits),
            weight_bits=lut_k,
            sum_shape=signed(sum_bits),
            drains=drains,
        )

    def product(self, m: Module) -> tuple[Value, Value]:
        control: Any = self.control_i
        return self.a_i[self.w_i], control.plane_last if self._signed else Const(0, 1)

    def add(self, m: Module, accumulated: Value, product: tuple[Value, Value]) -> Value:
        return add_signed(
            m, accumulated, *product, shift=self.sum_control_i.plane, most=self._max_planes - 1
        )
