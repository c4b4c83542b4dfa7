"""The bias of a linear layer, added to a group's sum where other engines dequantise it."""

from __future__ import annotations

from amaranth import Module, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.engine import SCALE_LANE_BITS

__all__ = ["BiasAdd"]


class BiasAdd(wiring.Component):
    """``o = p + (bias << shift)`` for one column, one row a cycle, modulo ``2**bits``.

    :Latency: 1 cycle.
    :Throughput: one row per cycle.
    :Ready path: none.
    :Reference: the bias of :func:`dovetail.models.m3vit.fixed_linear.fixed_linear`.

    Parameters
    ----------
    bits : int
        Of a sum, and of an accumulator.

    Members
    -------
    p : signed(bits)
        Product sum of the group.
    bias : signed(16)
        Of the output channel, with its first group; 0 with the others.
    shift : unsigned(5)
    o : signed(bits)
        Increment of the accumulator.
    """

    def __init__(self, *, bits: int) -> None:
        self.o_bits = bits
        super().__init__(
            {
                "p": In(signed(bits)),
                "bias": In(signed(SCALE_LANE_BITS)),
                "shift": In(5),
                "o": Out(signed(bits)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        total = Signal(signed(self.o_bits), reset_less=True)
        shifted = Signal(signed(self.o_bits), reset_less=True)
        m.d.sync += [total.eq(self.p), shifted.eq(self.bias << self.shift)]
        m.d.comb += self.o.eq(total + shifted)
        return m
