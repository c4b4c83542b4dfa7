"""rtl/prove.py: the blocks' claims hold, and blocks with a seeded fault are refuted."""

from typing import Any

import pytest
from amaranth import Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.errors import ToolError
from dovetail.rtl.mixpe.pe import MixpePe, ShiftAddProduct
from dovetail.rtl.prove import (
    PeStepMiter,
    ProductMiter,
    RoundingMiter,
    prove,
    prove_pe_step,
    prove_rounding_shift,
    prove_shift_add,
)
from dovetail.rtl.rounding import RoundingShift


def test_shift_and_add_is_multiplication() -> None:
    prove_shift_add()


@pytest.mark.parametrize("sum_bits", [12, 13, 19, 22])
def test_a_pe_accumulates_products(sum_bits: int) -> None:
    prove_pe_step(sum_bits=sum_bits)


@pytest.mark.parametrize(("in_bits", "out_bits"), [(2, 1), (3, 2), (8, 4), (9, 9), (18, 8)])
def test_the_rounding_shift_rounds_half_to_even(in_bits: int, out_bits: int) -> None:
    prove_rounding_shift(in_bits=in_bits, out_bits=out_bits)


def test_the_output_rounding_at_its_full_width() -> None:
    prove_rounding_shift(in_bits=48, out_bits=16)


class TopPlaneAdded(ShiftAddProduct):
    """Forgets that the top bit of a two's-complement weight weighs -8."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        planes = [Mux(self.w[bit], self.a << bit, 0) for bit in range(4)]
        m.d.comb += self.o.eq(sum(planes))
        return m


def test_a_top_plane_that_is_added_is_refuted() -> None:
    with pytest.raises(
        ToolError,
        match=r"^refuted: o = a \* w for every INT8 a and every signed and unsigned 4-bit w; "
        r"counterexample a=0x[0-9a-f]+, o=0x[0-9a-f]+, signed_weight=0x1, w=0x[89a-f], "
        r"want=0x[0-9a-f]+; correct the block$",
    ) as caught:
        prove(ProductMiter(TopPlaneAdded()))
    fields = str(caught.value).partition("counterexample ")[2].partition(";")[0]
    values = dict(field.split("=") for field in fields.split(", "))
    a, o, w, want = (int(values[name], 16) for name in ("a", "o", "w", "want"))
    a = a - 256 if a > 127 else a
    assert (a * (w - 16)) % 4096 == want
    assert (a * w) % 4096 == o


class LateProduct(MixpePe):
    """Adds the product of the cycle before."""

    def product(self, m: Module) -> Value:
        late = Signal(signed(12))
        m.d.sync += late.eq(super().product(m))
        return late


class UnsignedOnly(MixpePe):
    """Takes every weight for an unsigned one."""

    def product(self, m: Module) -> Value:
        return self.a_i * self.w_i


class NoDrain(MixpePe):
    """Holds its finished sum when its column drains, unless the row above shifts."""

    def elaborate(self, platform: object) -> Any:
        self.drain_i = Signal()
        return super().elaborate(platform)


@pytest.mark.parametrize("fault", [LateProduct, UnsignedOnly, NoDrain])
def test_a_pe_with_a_fault_is_refuted(fault: type[MixpePe]) -> None:
    with pytest.raises(
        ToolError,
        match=r"^refuted: a PE accumulates a \* w, .+; counterexample .*a_i=0x\w+ in cycle \d, .+; "
        r"correct the block$",
    ):
        prove(PeStepMiter(fault(sum_bits=14)))


class HalfUp(RoundingShift):
    """Rounds a tie up, whatever the quotient."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rounded = Signal(signed(len(self.i) + 1))
        m.d.comb += [
            rounded.eq((self.i + ((1 << self.shift) >> 1)) >> self.shift),
            self.o.eq(Mux(rounded > 7, 7, Mux(rounded < -8, -8, rounded))),
        ]
        return m


class Wraps(wiring.Component):
    """Rounds half to even and drops the bits that do not fit."""

    def __init__(self) -> None:
        super().__init__({"i": In(signed(8)), "shift": In(range(8)), "o": Out(signed(4))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.rounding = rounding = RoundingShift(in_bits=8, out_bits=9)
        m.d.comb += [
            rounding.i.eq(self.i),
            rounding.shift.eq(self.shift),
            self.o.eq(rounding.o),
        ]
        return m


@pytest.mark.parametrize("fault", [lambda: HalfUp(in_bits=8, out_bits=4), Wraps])
def test_other_roundings_are_refuted(fault: Any) -> None:
    with pytest.raises(
        ToolError,
        match=r"^refuted: o = i / 2\*\*shift, .+; counterexample i=0x\w+, o=0x\w+, shift=0x\w+, "
        r"want=0x\w+; correct the block$",
    ):
        prove(RoundingMiter(fault()))


def test_a_miter_that_yosys_cannot_read_is_not_taken_for_a_refutation() -> None:
    miter = ProductMiter(ShiftAddProduct())
    miter.equations = {"o": "nothing"}
    with pytest.raises(
        ToolError, match=r"^Yosys failed: Failed to parse rhs proof expression `nothing'\.$"
    ):
        prove(miter)
