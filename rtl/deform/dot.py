"""Sums of products of one lane: 1x1 with an accumulator over input channels, 3x3 without."""

from __future__ import annotations

from amaranth import Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.deform import ACTIVATION_BITS, SUM_BITS, TAPS, WEIGHT_BITS

__all__ = ["DotLane", "WindowLane"]

_PRODUCT_BITS = ACTIVATION_BITS + WEIGHT_BITS


def _products(m: Module, activations: Signal, weights: Signal, terms: int) -> Signal:
    """Registered products, then their registered sum."""
    total = Signal(signed(_PRODUCT_BITS + (terms - 1).bit_length()))
    products = []
    for term in range(terms):
        product = Signal(signed(_PRODUCT_BITS), name=f"product_{term}")
        a = activations.word_select(term, ACTIVATION_BITS).as_signed()
        w = weights.word_select(term, WEIGHT_BITS).as_signed()
        m.d.sync += product.eq(a * w)
        products.append(product)
    while len(products) > 1:
        pairs = [a + b for a, b in zip(products[::2], products[1::2], strict=False)]
        products = pairs + products[len(products) & ~1 :]
    m.d.sync += total.eq(products[0])
    return total


class DotLane(wiring.Component):
    """One output channel of the 1x1 array: ``terms`` products a cycle, summed over cycles.

    :Latency: 3 cycles from the last operands to ``o``: product, tree, sum.
    :Throughput: ``terms`` products per cycle.
    :Ready path: none.
    :Reference: a dot product.

    Members
    -------
    activations : In(terms * 8)
    weights : In(terms * 4)
    valid, first : In(1)
        Two cycles after the operands, with their sum: add it; start from zero.
    o : Out(signed(24))
    """

    def __init__(self, *, terms: int) -> None:
        self._terms = terms
        super().__init__(
            {
                "activations": In(terms * ACTIVATION_BITS),
                "weights": In(terms * WEIGHT_BITS),
                "valid": In(1),
                "first": In(1),
                "o": Out(signed(SUM_BITS)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        total = _products(m, self.activations, self.weights, self._terms)
        with m.If(self.valid):
            m.d.sync += self.o.eq(Mux(self.first, 0, self.o) + total)
        return m


class WindowLane(wiring.Component):
    """One channel of the 3x3 unit: nine products and their sum.

    :Latency: 2 cycles: product, tree.
    :Throughput: one window per cycle.
    :Ready path: none.
    :Reference: a dot product.

    Members
    -------
    activations : In(72)
    weights : In(36)
    o : Out(signed(24))
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "activations": In(TAPS * ACTIVATION_BITS),
                "weights": In(TAPS * WEIGHT_BITS),
                "o": Out(signed(SUM_BITS)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.d.comb += self.o.eq(_products(m, self.activations, self.weights, TAPS))
        return m
