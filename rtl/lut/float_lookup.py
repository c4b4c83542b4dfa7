"""The LUT unit for floating point: an entry, its sign and its plane's power of two, accumulated."""

from __future__ import annotations

from amaranth import Cat, Module, Value

from dovetail.arch.number_formats import FP16, FloatFormat
from dovetail.rtl.dot.planes import FloatPlaneSums
from dovetail.rtl.dot.unit import MAX_PLANES
from dovetail.rtl.lut.lookup import selected
from dovetail.rtl.lut.table import float_table, full_float_table
from dovetail.rtl.skew import delayed

__all__ = ["FloatFullLookupUnit", "FloatLookupUnit"]


class FloatLookupUnit(FloatPlaneSums):
    """Look up, negate by the sign bit, double once a plane, add: one rounding an addition.

    Steps ascending, and in each of them planes ascending, ``sum = RN(sum ± T * 2**plane)``.

    :Latency: 1 + ``product_cycles`` cycles from the last slice of a segment to ``sum_o``; see
        :class:`~dovetail.rtl.dot.unit.BroadcastUnit`.
    :Throughput: one plane of a step per cycle.
    :Ready path: none.
    :Reference: :func:`dovetail.models.floating.add` of the entries times their powers of two.

    Parameters
    ----------
    lut_k : int
        Activations of a step, 2 to 8.
    form : FloatFormat
        Of the sums.
    max_planes : int
        Most planes of a weight.
    inverted : bool
        As of :class:`~dovetail.rtl.lut.lookup.LookupUnit`.
    product_cycles : int
        1: the entry is registered before it is added.  0: all in one cycle.
    drains : bool
        Has a drain chain.

    Members
    -------
    a_i : float_table(lut_k, FP16)
    w_i : unsigned(lut_k)
        One bit of each weight, k index 0 in bit 0.
    control_i, sum_control_i, drain_i, shift_i, shift_o, sum_i, sum_o
        As of :class:`~dovetail.rtl.dot.unit.BroadcastUnit`.
    """

    def __init__(
        self,
        form: FloatFormat,
        *,
        lut_k: int,
        max_planes: int = MAX_PLANES,
        inverted: bool = True,
        product_cycles: int = 1,
        drains: bool = True,
    ) -> None:
        self._inverted = inverted
        super().__init__(
            float_table(lut_k, FP16),
            form,
            weight_bits=lut_k,
            max_planes=max_planes,
            product_cycles=product_cycles,
            drains=drains,
        )

    def product(self, m: Module) -> Value:
        entry, sign = selected(m, self, inverted=self._inverted)
        value = Cat(entry[:-1], entry[-1] ^ sign)
        return Value.cast(delayed(m, value, self.product_cycles, name="entry", reset_less=True))


class FloatFullLookupUnit(FloatPlaneSums):
    """The conventional LUT unit for floating point: every sum in the table, bits mean 0 and 1.

    Steps ascending, and in each of them planes ascending, ``sum = RN(sum + T * 2**plane)``; the
    weights are unsigned.

    :Latency: 1 + ``product_cycles`` cycles from the last slice of a segment to ``sum_o``.
    :Throughput: one plane of a step per cycle.
    :Ready path: none.
    :Reference: :func:`dovetail.models.floating.add` of the entries times their powers of two.

    Parameters
    ----------
    lut_k, form, max_planes, product_cycles, drains
        As of :class:`FloatLookupUnit`.

    Members
    -------
    a_i : full_float_table(lut_k, FP16)
    w_i : unsigned(lut_k)
        One bit of each weight, k index 0 in bit 0.
    control_i, sum_control_i, drain_i, shift_i, shift_o, sum_i, sum_o
        As of :class:`~dovetail.rtl.dot.unit.BroadcastUnit`.
    """

    def __init__(
        self,
        form: FloatFormat,
        *,
        lut_k: int,
        max_planes: int = MAX_PLANES,
        product_cycles: int = 1,
        drains: bool = True,
    ) -> None:
        super().__init__(
            full_float_table(lut_k, FP16),
            form,
            weight_bits=lut_k,
            max_planes=max_planes,
            product_cycles=product_cycles,
            drains=drains,
        )

    def product(self, m: Module) -> Value:
        entry = Value.cast(self.a_i[self.w_i])
        return Value.cast(delayed(m, entry, self.product_cycles, name="entry", reset_less=True))
