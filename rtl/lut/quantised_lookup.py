"""LUT units whose tables have INT8 entries and a power of two."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, Value, signed, unsigned

from dovetail.arch.number_formats import FloatFormat
from dovetail.rtl.dot.planes import add_signed
from dovetail.rtl.dot.unit import MAX_PLANES, BroadcastUnit
from dovetail.rtl.floating.exact import ExactFormat
from dovetail.rtl.floating.fused_add import FusedAdd
from dovetail.rtl.lut.lookup import selected
from dovetail.rtl.lut.table import (
    ENTRY_BITS,
    FLOAT_EXPONENTS,
    ORIGIN,
    highest_exponent,
    quantised_float_table,
    quantised_integer_table,
)
from dovetail.rtl.skew import delayed

__all__ = ["QuantisedFloatLookupUnit", "QuantisedLookupUnit"]


class QuantisedLookupUnit(BroadcastUnit):
    """Integer sums of INT8 entries, shifted left by the plane and the table's exponent.

    :Latency: 1 cycle from the last slice of a segment to ``sum_o``.
    :Throughput: one plane of a step per cycle.
    :Ready path: none.
    :Reference: the sum of ``± entry * 2**(exponent + plane)``, exactly.

    Parameters
    ----------
    lut_k, activation_bits, sum_bits, max_planes, inverted, drains
        As of :class:`~dovetail.rtl.lut.lookup.LookupUnit`.

    Members
    -------
    a_i : quantised_integer_table(lut_k, activation_bits)
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
        self._most = max_planes - 1 + highest_exponent(lut_k << (activation_bits - 1))
        self._inverted = inverted
        super().__init__(
            quantised_integer_table(lut_k, activation_bits),
            weight_bits=lut_k,
            sum_shape=signed(sum_bits),
            drains=drains,
        )

    def product(self, m: Module) -> tuple[Value, Value]:
        return selected(m, self, inverted=self._inverted)

    def add(self, m: Module, accumulated: Value, product: tuple[Value, Value]) -> Value:
        shift = Signal(range(self._most + 1))
        m.d.comb += shift.eq(self.sum_control_i.plane + self.a_i.exponent)
        return add_signed(m, accumulated, *product, shift=shift, most=self._most)


class QuantisedFloatLookupUnit(BroadcastUnit):
    """Planes of a table summed as integers; one rounded addition a table to a floating-point sum.

    Steps ascending, ``sum = RN(sum + (sum over planes of ± entry * 2**plane) * 2**exponent)``.  A
    table with an infinite or undefined entry makes the sum NaN.

    :Latency: 2 cycles from the last slice of a segment to ``sum_o``.
    :Throughput: one plane of a step per cycle.
    :Ready path: none.
    :Reference: :func:`dovetail.models.floating.add` of each table's integer times its power of two.

    Parameters
    ----------
    lut_k : int
        Activations of a step, 2 to 8.
    form : FloatFormat
        Of the sums.
    max_planes : int
        Most planes of a weight.
    inverted, drains
        As of :class:`~dovetail.rtl.lut.lookup.LookupUnit`.

    Members
    -------
    a_i : quantised_float_table(lut_k)
    w_i : unsigned(lut_k)
        One bit of each weight, k index 0 in bit 0.
    control_i, sum_control_i, drain_i, shift_i, shift_o, sum_i, sum_o
        As of :class:`~dovetail.rtl.dot.unit.BroadcastUnit`.
    """

    per_table = True

    def __init__(
        self,
        form: FloatFormat,
        *,
        lut_k: int,
        max_planes: int = MAX_PLANES,
        inverted: bool = True,
        drains: bool = True,
    ) -> None:
        self._form = form
        self._max_planes = max_planes
        self._inverted = inverted
        largest = ((1 << (ENTRY_BITS - 1)) - 1) * ((1 << max_planes) - 1)
        self._exact = ExactFormat(
            significand_bits=largest.bit_length(),
            exponent_bits=(FLOAT_EXPONENTS - 1).bit_length(),
            origin=ORIGIN,
            least=0,
            # Any sum may be as small as 1.
            small=0,
            leading=0,
        )
        super().__init__(
            quantised_float_table(lut_k),
            weight_bits=lut_k,
            sum_shape=unsigned(form.bits),
            product_cycles=1,
            drains=drains,
        )

    def product(self, m: Module) -> Any:
        """The sum of the planes, registered: it is complete one cycle after the last of them."""
        bits = self._exact.significand_bits + 1
        planes = Signal(signed(bits), reset_less=True)
        before = Signal(signed(bits))
        entry, sign = selected(m, self, inverted=self._inverted)
        control: Any = self.control_i
        exact = Signal(self._exact.layout)
        m.d.comb += before.eq(Mux(control.plane_first, 0, planes))
        total = add_signed(m, before, entry, sign, shift=control.plane, most=self._max_planes - 1)
        with m.If(control.valid):
            m.d.sync += planes.eq(total)
        m.d.comb += [
            exact.significand.eq(Mux(planes[-1], -planes, planes)),
            exact.sign.eq(planes[-1]),
            exact.zero.eq(~planes.any()),
            exact.exponent.eq(delayed(m, self.a_i.exponent, 1, name="exponent", reset_less=True)),
            exact.inf.eq(0),
            exact.nan.eq(delayed(m, self.a_i.nan, 1, name="nan", reset_less=True)),
        ]
        return exact

    def add(self, m: Module, accumulated: Value, product: Any) -> Value:
        m.submodules.add = add = FusedAdd(
            self._exact, self._form, accumulator_grid=self._exact.grid
        )
        m.d.comb += [add.accumulator.eq(accumulated), add.exact.eq(product)]
        return add.o
