"""Single-pass softmax: the step of a running maximum and sum, and the probabilities after it."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.m3vit.formats import FEATURE, RECIPROCAL, SOFTMAX_SUM
from dovetail.rtl.m3vit.exponential import DISTANCE_BITS, ExpNegative
from dovetail.rtl.skew import delayed

__all__ = ["Probability", "SoftmaxStep"]


class SoftmaxStep(wiring.Component):
    """Take one more number into the running maximum ``bias`` and the sum of exponentials.

    With ``e = exp(-|x - bias|)``: where ``x > bias``, the new sum is ``((sum * e) >> 22) + 1`` and
    the new bias ``x``; else the new sum is ``sum + e``.  The state is the caller's, so that rows
    interleave in the pipeline; a row can be stepped every ``latency_cycles`` cycles.

    :Latency: 6 cycles.
    :Throughput: one step per cycle, of rows that are not in the pipeline.
    :Ready path: none.
    :Reference: :func:`dovetail.models.m3vit.softmax.running_softmax`.

    Members
    -------
    first : unsigned(1)
        ``x`` is the first of its row; ``bias`` and ``sum`` do not matter.
    x, bias : signed(32)
    sum : unsigned(38)
    o_bias, o_sum : as ``bias`` and ``sum``
    """

    latency_cycles = 6

    def __init__(self) -> None:
        super().__init__(
            {
                "first": In(1),
                "x": In(signed(FEATURE.bits)),
                "bias": In(signed(FEATURE.bits)),
                "sum": In(SOFTMAX_SUM.bits),
                "o_bias": Out(signed(FEATURE.bits)),
                "o_sum": Out(SOFTMAX_SUM.bits),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.exponential = exponential = ExpNegative()
        one = 1 << FEATURE.fraction_bits
        difference = Signal(signed(DISTANCE_BITS))
        distance = Signal(DISTANCE_BITS, reset_less=True)
        larger, first = Signal(), Signal()
        best = Signal(signed(FEATURE.bits), reset_less=True)
        total = Signal(SOFTMAX_SUM.bits, reset_less=True)
        m.d.comb += [difference.eq(self.x - self.bias), exponential.t.eq(distance)]
        m.d.sync += [
            distance.eq(Mux(difference < 0, -difference, difference)),
            larger.eq(difference > 0),
            first.eq(self.first),
            best.eq(Mux(self.first | (difference > 0), self.x, self.bias)),
            total.eq(self.sum),
        ]
        wait = exponential.latency_cycles
        later: Any = delayed(m, total, wait, name="sum")
        begins: Any = delayed(m, first, wait, name="first")
        replaces: Any = delayed(m, larger, wait, name="larger")
        bias: Any = delayed(m, best, wait, name="bias")
        rescaled = ((later * exponential.o) >> FEATURE.fraction_bits) + one
        m.d.sync += [
            self.o_bias.eq(bias),
            self.o_sum.eq(Mux(begins, one, Mux(replaces, rescaled, later + exponential.o))),
        ]
        return m


class Probability(wiring.Component):
    """``o = exp(x - bias) * reciprocal`` to 22 fraction bits, truncated.

    :Latency: 6 cycles.
    :Throughput: one value per cycle.
    :Ready path: none.
    :Reference: :func:`dovetail.models.m3vit.softmax.probability`.

    Members
    -------
    x, bias : signed(32)
        ``x`` is not above ``bias``.
    reciprocal : unsigned(32)
        ufixed<32,1>.
    o : unsigned(23)
        From 0 to 1.
    """

    latency_cycles = 6

    def __init__(self) -> None:
        super().__init__(
            {
                "x": In(signed(FEATURE.bits)),
                "bias": In(signed(FEATURE.bits)),
                "reciprocal": In(RECIPROCAL.bits),
                "o": Out(FEATURE.fraction_bits + 1),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.exponential = exponential = ExpNegative()
        distance = Signal(DISTANCE_BITS, reset_less=True)
        m.d.comb += exponential.t.eq(distance)
        m.d.sync += distance.eq(self.bias - self.x)
        factor: Any = delayed(m, self.reciprocal, 1 + exponential.latency_cycles, name="reciprocal")
        m.d.sync += self.o.eq((exponential.o * factor) >> RECIPROCAL.fraction_bits)
        return m
