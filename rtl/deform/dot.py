"""Sums of products of one lane: 1x1 with an accumulator over input channels, 3x3 without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth import Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.deform import ACTIVATION_BITS, SUM_BITS, TAPS, WEIGHT_BITS
from dovetail.rtl.mixpe.packed_product import PRODUCT_BITS, PackedProduct

__all__ = ["DotLane", "DotPair", "WindowLane"]


def _products(m: Module, activations: Signal, weights: Signal, terms: int) -> Signal:
    """Registered products, then their registered sum."""
    products = []
    for term in range(terms):
        product = Signal(signed(PRODUCT_BITS), name=f"product_{term}")
        a = activations.word_select(term, ACTIVATION_BITS).as_signed()
        w = weights.word_select(term, WEIGHT_BITS).as_signed()
        m.d.sync += product.eq(a * w)
        products.append(product)
    return _sum(m, products, name="total")


def _sum(m: Module, products: Sequence[Any], *, name: str) -> Signal:
    """The registered sum of a tree of adders."""
    total = Signal(signed(PRODUCT_BITS + (len(products) - 1).bit_length()), name=name)
    level = list(products)
    while len(level) > 1:
        pairs = [a + b for a, b in zip(level[::2], level[1::2], strict=False)]
        level = pairs + level[len(level) & ~1 :]
    m.d.sync += total.eq(level[0])
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


class DotPair(wiring.Component):
    """Two output channels of the 1x1 array with one multiplication for both of their products.

    :Latency: as :class:`DotLane`.
    :Throughput: ``2 * terms`` products per cycle.
    :Ready path: none.
    :Reference: two :class:`DotLane` with the same activations.

    Members
    -------
    activations : In(terms * 8)
    weights0, weights1 : In(terms * 4)
    valid, first : In(1)
    o0, o1 : Out(signed(24))
    """

    def __init__(self, *, terms: int) -> None:
        self._terms = terms
        super().__init__(
            {
                "activations": In(terms * ACTIVATION_BITS),
                "weights0": In(terms * WEIGHT_BITS),
                "weights1": In(terms * WEIGHT_BITS),
                "valid": In(1),
                "first": In(1),
                "o0": Out(signed(SUM_BITS)),
                "o1": Out(signed(SUM_BITS)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        lows, highs = [], []
        for term in range(self._terms):
            m.submodules[f"pair_{term}"] = pair = PackedProduct()
            low = Signal(signed(PRODUCT_BITS), name=f"low_{term}")
            high = Signal(signed(PRODUCT_BITS), name=f"high_{term}")
            m.d.comb += [
                pair.a.eq(self.activations.word_select(term, ACTIVATION_BITS)),
                pair.w0.eq(self.weights0.word_select(term, WEIGHT_BITS)),
                pair.w1.eq(self.weights1.word_select(term, WEIGHT_BITS)),
                pair.signed_weight.eq(1),
            ]
            # Both fields lie in the multiplier's own register; the borrow is the low one's sign.
            m.d.sync += [low.eq(pair.o0), high.eq(pair.o1)]
            lows.append(low)
            highs.append(high + low[-1])
        totals = (_sum(m, lows, name="total_0"), _sum(m, highs, name="total_1"))
        with m.If(self.valid):
            for o, total in zip((self.o0, self.o1), totals, strict=True):
                m.d.sync += o.eq(Mux(self.first, 0, o) + total)
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
