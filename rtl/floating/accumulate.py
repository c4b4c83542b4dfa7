# amaranth: UnusedElaboratable=no
"""The FP32 adder in front of a column's accumulators."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, Value, unsigned
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.number_formats import FP32, FloatFormat
from dovetail.rtl.floating.exact import ExactFormat
from dovetail.rtl.floating.fused_add import FusedAdd
from dovetail.rtl.floating.products import FloatPass, ScaleProduct

__all__ = ["AccumulateScaled", "AccumulateSum"]


class FloatAccumulate(wiring.Component):
    """``o = RN((0 if first else stored) + increment)``, one cycle after ``increment``.

    :Latency: 1 cycle from ``increment``; ``stored`` belongs to that later cycle.
    :Throughput: one addition per cycle.
    :Ready path: none.
    :Reference: :func:`dovetail.models.floating.add`.

    Parameters
    ----------
    increment_shape : ShapeLike
        Of the increment as it comes in.
    exact : ExactFormat
        Of the increment as it is added.

    Members
    -------
    first : unsigned(1)
        Store the increment instead of adding it.
    increment : increment_shape
    stored, o : unsigned(32)
        The accumulator in FP32, as read and as written back.
    """

    def __init__(self, increment_shape: Any, exact: ExactFormat) -> None:
        self.increment_shape = increment_shape
        self.shape = unsigned(FP32.bits)
        self._exact = exact
        super().__init__(
            {
                "first": In(1),
                "increment": In(increment_shape),
                "stored": In(self.shape),
                "o": Out(self.shape),
            }
        )

    def exact_increment(self, m: Module, increment: Any) -> Value:
        """The registered increment as an exact number."""
        raise NotImplementedError

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.add = add = FusedAdd(self._exact, FP32)
        first = Signal()
        increment = Signal(self.increment_shape, reset_less=True)
        m.d.sync += [first.eq(self.first), increment.eq(self.increment)]
        m.d.comb += [
            add.accumulator.eq(Mux(first, 0, self.stored)),
            add.exact.eq(self.exact_increment(m, increment)),
            self.o.eq(add.o),
        ]
        return m


class AccumulateScaled(FloatAccumulate):
    """Adds what :class:`~dovetail.rtl.floating.group_dequant.FloatGroupDequant` makes of a sum.

    Parameters
    ----------
    form : FloatFormat
        Of the sums.
    """

    def __init__(self, form: FloatFormat) -> None:
        exact = ScaleProduct(form).exact
        super().__init__(exact.layout, exact)

    def exact_increment(self, m: Module, increment: Any) -> Value:
        return Value.cast(increment)


class AccumulateSum(FloatAccumulate):
    """Adds the sums of PEs as they are.

    Parameters
    ----------
    form : FloatFormat
        Of the sums.
    """

    def __init__(self, form: FloatFormat) -> None:
        self._pass = FloatPass(form)
        super().__init__(unsigned(form.bits), self._pass.exact)

    def exact_increment(self, m: Module, increment: Any) -> Value:
        m.submodules.unpack = unpack = self._pass
        m.d.comb += unpack.a.eq(increment)
        return Value.cast(unpack.o)
