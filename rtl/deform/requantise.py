"""The requantiser: a sum scaled, rounded and biased by its channel, then clamped to 8 bits."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.deform import (
    ACTIVATION_BITS,
    REQUANTISE_CYCLES,
    SCALE_BITS,
    SUM_BITS,
    ZERO,
)
from dovetail.rtl.leaf import Leaf

__all__ = ["RequantiseLane", "Requantiser"]


class RequantiseLane(wiring.Component):
    """``o = clip(max(((i * scale + 2^15) >> 16) + bias, 0 if relu) - 128)`` to 8 bits.

    :Latency: :data:`~dovetail.arch.deform.REQUANTISE_CYCLES` cycles: product, rounding and bias,
        clamp.
    :Throughput: one per cycle.
    :Ready path: none.
    :Reference: :func:`dovetail.models.deform.requantise.requantise`.

    Members
    -------
    i : In(signed(24))
    scale, bias : In(signed(16))
        With ``i``.
    relu : In(1)
        Constant while anything is inside.
    o : Out(signed(8))
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "i": In(signed(SUM_BITS)),
                "scale": In(signed(SCALE_BITS)),
                "bias": In(signed(SCALE_BITS)),
                "relu": In(1),
                "o": Out(signed(ACTIVATION_BITS)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        product = Signal(signed(SUM_BITS + SCALE_BITS))
        bias = Signal(signed(SCALE_BITS))
        # Two bits more than the product's integer part: rounding and the bias each carry once.
        biased = Signal(signed(SUM_BITS + 2))
        stored = Signal(signed(SUM_BITS + 3))
        low, high = -(1 << (ACTIVATION_BITS - 1)), (1 << (ACTIVATION_BITS - 1)) - 1
        m.d.sync += [
            product.eq(self.i * self.scale),
            bias.eq(self.bias),
            biased.eq(((product + (1 << (SCALE_BITS - 1))) >> SCALE_BITS) + bias),
            self.o.eq(Mux(stored < low, low, Mux(stored > high, high, stored))),
        ]
        m.d.comb += stored.eq(Mux(self.relu & (biased < 0), 0, biased) + ZERO)
        return m


class Requantiser(wiring.Component):
    """``lanes`` requantisers side by side.

    :Latency: as one lane.
    :Throughput: one beat per cycle.
    :Ready path: none.
    :Reference: as one lane.

    Parameters
    ----------
    lanes : int
    lane : Leaf
        A :class:`RequantiseLane`, which all requantisers of an engine share.

    Members
    -------
    valid, sums : In
        ``sums`` holds ``lanes`` signed values.
    quant : In(lanes * 32)
        ``lanes`` scales, then ``lanes`` biases.
    relu : In(1)
    o_valid, o : Out
        One beat.
    """

    def __init__(self, *, lanes: int, lane: Leaf) -> None:
        self._lanes = lanes
        self._lane = lane
        super().__init__(
            {
                "valid": In(1),
                "sums": In(lanes * SUM_BITS),
                "quant": In(2 * lanes * SCALE_BITS),
                "relu": In(1),
                "o_valid": Out(1),
                "o": Out(lanes * ACTIVATION_BITS),
            }
        )

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (self._lane,)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        valid: Any = self.valid
        for stage in range(REQUANTISE_CYCLES):
            later = Signal(name=f"valid_{stage}")
            m.d.sync += later.eq(valid)
            valid = later
        m.d.comb += self.o_valid.eq(valid)
        for lane in range(self._lanes):
            m.submodules[f"lane_{lane}"] = self._lane.instance(
                i=self.sums.word_select(lane, SUM_BITS),
                scale=self.quant.word_select(lane, SCALE_BITS),
                bias=self.quant.word_select(self._lanes + lane, SCALE_BITS),
                relu=self.relu,
                o=self.o.word_select(lane, ACTIVATION_BITS),
            )
        return m
