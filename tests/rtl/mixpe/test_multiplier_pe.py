"""rtl/mixpe/multiplier_pe.py against integer arithmetic, for all operands."""

from typing import Any

import pytest

from dovetail.rtl.mixpe.multiplier_pe import MultiplierPe
from dovetail.tests.rtl.simulation import simulate


@pytest.mark.parametrize("activation_bits", [4, 8])
@pytest.mark.parametrize("signed_weight", [False, True])
def test_the_product_of_every_activation_and_weight(
    activation_bits: int, signed_weight: bool
) -> None:
    dut = MultiplierPe(activation_bits=activation_bits, sum_bits=activation_bits + 4)
    most = 1 << (activation_bits - 1)

    async def check(ctx: Any) -> None:
        ctx.set(dut.control_i, {"valid": 1, "first": 1, "last": 1, "signed": signed_weight})
        for code in range(16):
            weight = code - 16 if signed_weight and code > 7 else code
            for a in range(-most, most):
                ctx.set(dut.a_i, a)
                ctx.set(dut.w_i, code)
                await ctx.tick()
                assert ctx.get(dut.sum_o) == a * weight, (a, weight)

    simulate(dut, check)


def test_sums_the_longest_group_of_the_largest_products() -> None:
    dut = MultiplierPe(activation_bits=4, sum_bits=8 + 7)

    async def check(ctx: Any) -> None:
        for k in range(128):
            ctx.set(dut.a_i, -8)
            ctx.set(dut.w_i, 15)
            ctx.set(dut.control_i, {"valid": 1, "first": k == 0, "last": k == 127, "signed": 0})
            await ctx.tick()
        assert ctx.get(dut.sum_o) == -8 * 15 * 128

    simulate(dut, check)
