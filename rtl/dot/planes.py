"""What a plane of the weights gives, added to a sum: shifted integers, numbers times a power."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data

from dovetail.arch.number_formats import FP16, FloatFormat
from dovetail.rtl.dot.unit import BroadcastUnit
from dovetail.rtl.floating.fused_add import FusedAdd
from dovetail.rtl.floating.power import FloatTimesPower

__all__ = ["FloatPlaneSums", "add_signed"]


class FloatPlaneSums(BroadcastUnit):
    """Base of units that add an FP16 number a plane, doubled once a plane, with one rounding each.

    Parameters
    ----------
    operand, weight_bits, product_cycles, drains
        As of :class:`~dovetail.rtl.dot.unit.BroadcastUnit`.
    form : FloatFormat
        Of the sums.
    max_planes : int
        Most planes of a weight.
    """

    def __init__(
        self,
        operand: data.Layout,
        form: FloatFormat,
        *,
        weight_bits: int,
        max_planes: int,
        product_cycles: int,
        drains: bool,
    ) -> None:
        self._form = form
        self._max_planes = max_planes
        super().__init__(
            operand,
            weight_bits=weight_bits,
            sum_shape=unsigned(form.bits),
            product_cycles=product_cycles,
            drains=drains,
        )

    def add(self, m: Module, accumulated: Value, product: Any) -> Value:
        m.submodules.power = power = FloatTimesPower(FP16, most=self._max_planes - 1)
        m.submodules.add = add = FusedAdd(
            power.exact, self._form, accumulator_grid=power.exact.grid
        )
        m.d.comb += [
            power.a.eq(product),
            power.power.eq(self.sum_control_i.plane),
            add.accumulator.eq(accumulated),
            add.exact.eq(power.o),
        ]
        return add.o


def add_signed(
    m: Module, accumulated: Value, value: Value, negative: Value, *, shift: Value, most: int
) -> Value:
    """Add or subtract ``value << shift`` with one adder, where ``shift`` is at most ``most``.

    A negated number is its inverse and one, whatever the shift: inverse ones are shifted in, and
    the one is the adder's carry.
    """
    shifted: Value = Signal(signed(len(value)), name="signed_value")
    m.d.comb += shifted.eq(value ^ negative.replicate(len(value)))
    for stage in range(most.bit_length()):
        by = 1 << stage
        wider = Signal(signed(len(shifted) + by), name=f"shifted_{by}")
        moved = Cat(negative.replicate(by), shifted).as_signed()
        m.d.comb += wider.eq(Mux(shift[stage], moved, shifted))
        shifted = wider
    if len(shifted) > len(value) + most:  # of a number of planes that is no power of two
        shifted = shifted[: len(value) + most].as_signed()
    total = Signal(len(accumulated) + 1, name="total_and_carry")
    m.d.comb += total.eq(
        Cat(Const(1, 1), accumulated).as_signed() + Cat(negative, shifted).as_signed()
    )
    return total[1:]
