# amaranth: UnusedElaboratable=no
"""rtl/mixpe/group_sum.py against a sum."""

import random
from typing import Any

import pytest

from dovetail.rtl.mixpe.group_sum import GroupSumPe
from dovetail.tests.rtl.simulation import simulate


@pytest.mark.parametrize(("length", "sum_bits"), [(1, 8), (16, 12), (17, 13)])
@pytest.mark.parametrize("constant", [None, -128, 127])
def test_sums_the_activations_of_a_segment(
    length: int, sum_bits: int, constant: int | None
) -> None:
    dut = GroupSumPe(sum_bits=sum_bits)
    rng = random.Random(length)

    async def check(ctx: Any) -> None:
        for _ in range(2):
            values = [rng.randint(-128, 127) if constant is None else constant] * length
            for k, a in enumerate(values):
                ctx.set(dut.a_i, a)
                ctx.set(dut.control_i, {"valid": 1, "first": k == 0, "last": k == length - 1})
                await ctx.tick()
            assert ctx.get(dut.sum_o) == sum(values)

    simulate(dut, check)


def test_it_has_no_weight() -> None:
    assert not {"w_i", "w_o"} & set(GroupSumPe(sum_bits=8).signature.members)
