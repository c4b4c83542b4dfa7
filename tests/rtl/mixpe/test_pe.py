"""rtl/mixpe/pe.py against integer arithmetic, for all operands."""

import random
from typing import Any

import pytest

from dovetail.rtl.mixpe.pe import MixpePe, ShiftAddProduct
from dovetail.tests.rtl.simulation import simulate


@pytest.mark.parametrize("signed_weight", [False, True])
def test_the_product_of_every_activation_and_weight(signed_weight: bool) -> None:
    dut = ShiftAddProduct()

    async def check(ctx: Any) -> None:
        ctx.set(dut.signed_weight, signed_weight)
        for code in range(16):
            ctx.set(dut.w, code)
            weight = code - 16 if signed_weight and code > 7 else code
            for a in range(-128, 128):
                ctx.set(dut.a, a)
                assert ctx.get(dut.o) == a * weight, (a, weight)

    simulate(dut, check)


@pytest.mark.parametrize(("length", "sum_bits"), [(1, 12), (16, 16), (17, 17)])
@pytest.mark.parametrize("extreme", [False, True])
def test_a_segment_s_sum_fits_and_leaves_with_the_last_k(
    length: int, sum_bits: int, extreme: bool
) -> None:
    dut = MixpePe(sum_bits=sum_bits)
    rng = random.Random(length)

    async def check(ctx: Any) -> None:
        for signed_weight in (False, True, False):
            least, most = (-8, 7) if signed_weight else (0, 15)
            total = 0
            for k in range(length):
                # -128 * 15 is the product furthest from zero.
                a, w = (-128, most) if extreme else (rng.randint(-128, 127), rng.randint(0, most))
                if rng.random() < 0.5 and not extreme:
                    w = rng.randint(least, 0)
                total += a * w
                ctx.set(dut.a_i, a)
                ctx.set(dut.w_i, w % 16)
                control = {"valid": 1, "first": k == 0, "last": k == length - 1}
                ctx.set(dut.control_i, {**control, "signed": signed_weight})
                await ctx.tick()
            assert ctx.get(dut.sum_o) == total

    simulate(dut, check)
