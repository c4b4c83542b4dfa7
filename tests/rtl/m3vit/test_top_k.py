# amaranth: UnusedElaboratable=no
"""The list of the k largest logits against sorting."""

from typing import Any

import numpy as np
import pytest

from dovetail.errors import ConfigError
from dovetail.models.m3vit.gate import top_k_experts
from dovetail.rtl.m3vit.top_k import TopK
from dovetail.tests.rtl.simulation import simulate


@pytest.mark.parametrize(("k", "experts"), [(1, 1), (1, 2), (2, 3), (2, 16), (4, 17), (16, 16)])
def test_keeps_the_largest_in_order_and_the_lowest_index_of_equals(k: int, experts: int) -> None:
    dut = TopK(k=k, experts=experts)
    rng = np.random.default_rng(experts)
    logits = np.concatenate(
        [
            rng.integers(-(2**31), 2**31, (4, experts)),
            rng.integers(-1, 2, (8, experts)),  # many ties
            [np.arange(experts), -np.arange(experts), np.full(experts, -(2**31))],
        ]
    )
    want = top_k_experts(logits, k)

    async def drive(ctx: Any) -> None:
        for row, chosen in zip(logits.tolist(), want.tolist(), strict=True):
            for expert, logit in enumerate(row):
                while rng.random() < 0.2:  # a gap, in which anything may stand at the input
                    ctx.set(dut.valid, 0)
                    ctx.set(dut.first, 1)
                    await ctx.tick()
                ctx.set(dut.valid, 1)
                ctx.set(dut.first, expert == 0)
                ctx.set(dut.i, {"logit": logit, "expert": expert})
                await ctx.tick()
            ctx.set(dut.valid, 0)
            kept = [ctx.get(dut.o[place]) for place in range(k)]
            assert [value.expert for value in kept] == chosen
            assert [value.logit for value in kept] == [row[expert] for expert in chosen]

    simulate(dut, drive)


def test_refuses_more_than_there_are() -> None:
    with pytest.raises(ConfigError, match=r"^k=3 must be from 1 to experts=2; change k$"):
        TopK(k=3, experts=2)
