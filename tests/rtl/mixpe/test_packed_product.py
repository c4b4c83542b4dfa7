"""rtl/mixpe/packed_product.py: both products, for all operands."""

import re
from typing import Any

import pytest
from amaranth import Module, Mux, signed
from amaranth.lib.wiring import In, Out

from dovetail.errors import ToolError
from dovetail.rtl.mixpe.packed_product import PackedProduct
from dovetail.rtl.prove import Miter, prove
from dovetail.tests.rtl.simulation import simulate


class PackedProductMiter(Miter):
    """A packed product beside two multiplications."""

    claim = "a packed product is a * w0 and a * w1"
    equations = {"o0": "want0", "o1": "want1"}

    def __init__(self, product: Any) -> None:
        self._product = product
        super().__init__(
            {
                "a": In(signed(8)),
                "w0": In(4),
                "w1": In(4),
                "signed_weight": In(1),
                **{name: Out(signed(12)) for name in ("o0", "o1", "want0", "want1")},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.product = product = self._product
        m.d.comb += [
            product.a.eq(self.a),
            product.w0.eq(self.w0),
            product.w1.eq(self.w1),
            product.signed_weight.eq(self.signed_weight),
            self.o0.eq(product.o0),
            self.o1.eq(product.o1 + product.borrow),
            self.want0.eq(self.a * Mux(self.signed_weight, self.w0.as_signed(), self.w0)),
            self.want1.eq(self.a * Mux(self.signed_weight, self.w1.as_signed(), self.w1)),
        ]
        return m


def test_it_is_both_products_for_all_operands() -> None:
    prove(PackedProductMiter(PackedProduct()))


class NoBorrow(PackedProduct):
    """Forgets that a negative low product borrows from the high one."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.right = right = PackedProduct()
        for name in ("a", "w0", "w1", "signed_weight"):
            m.d.comb += getattr(right, name).eq(getattr(self, name))
        m.d.comb += [self.o0.eq(right.o0), self.o1.eq(right.o1)]
        return m


def test_a_forgotten_borrow_is_refuted() -> None:
    with pytest.raises(ToolError, match=r"^refuted: a packed product is .*; counterex") as caught:
        prove(PackedProductMiter(NoBorrow()))
    signals = dict(re.findall(r"(\w+)=(0x[0-9a-f]+)", str(caught.value)))
    assert signals["o0"] == signals["want0"] and signals["o1"] != signals["want1"]


def test_its_corners_against_integers() -> None:
    dut = PackedProduct()

    async def check(ctx: Any) -> None:
        for a in (-128, -1, 0, 127):
            for w0 in range(16):
                for w1 in (0, 7, 8, 15):
                    for is_signed in (0, 1):
                        for port, value in (("a", a), ("w0", w0), ("w1", w1)):
                            ctx.set(getattr(dut, port), value)
                        ctx.set(dut.signed_weight, is_signed)
                        low, high = (w - 16 * (is_signed and w > 7) for w in (w0, w1))
                        assert ctx.get(dut.o0) == a * low
                        assert ctx.get(dut.o1) + ctx.get(dut.borrow) == a * high

    simulate(dut, check)
