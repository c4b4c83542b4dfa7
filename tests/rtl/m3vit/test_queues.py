"""Queues and metaqueue in RTL against the reference's routing."""

from typing import Any

import numpy as np
import pytest

from dovetail.models.m3vit.routing import Routing, drawn_routing
from dovetail.rtl.m3vit.queues import ExpertQueues
from dovetail.tests.rtl.simulation import simulate


def one_expert(tokens: int) -> Routing:
    """Every token on the last of three experts."""
    return Routing(
        experts=np.full((tokens, 1), 2, np.int16),
        scores=np.full((tokens, 1), 0.5, np.float32),
        count=3,
    )


CASES = [
    drawn_routing(1, experts=1, top_k=1),
    drawn_routing(9, experts=4, top_k=2, seed=1),
    drawn_routing(17, experts=16, top_k=2, skew=2.0, seed=2),
    drawn_routing(8, experts=5, top_k=5, seed=3),
    one_expert(16),
]


@pytest.mark.parametrize("routing", CASES)
def test_sorts_tokens_by_expert(routing: Routing) -> None:
    dut = ExpertQueues(experts=routing.count, tokens=routing.tokens)

    async def drive(ctx: Any) -> None:
        for again in range(2):  # what an image leaves behind does not show in the next
            ctx.set(dut.clear, 1)
            await ctx.tick()
            ctx.set(dut.clear, 0)
            assert not ctx.get(dut.found)
            for token in range(routing.tokens):
                for place in range(routing.top_k):
                    choice = {
                        "token": token,
                        "expert": int(routing.experts[token, place]),
                        "score": int(routing.scores[token, place] * 2**22) - again,
                    }
                    ctx.set(dut.push, 1)
                    ctx.set(dut.i, choice)
                    await ctx.tick()
            ctx.set(dut.push, 0)
            least, met = 0, []
            ctx.set(dut.least, least)
            while ctx.get(dut.found):
                expert, length = ctx.get(dut.next_expert), ctx.get(dut.next_length)
                tokens, scores = routing.queue(expert)
                assert length == len(tokens)
                for place in range(length):
                    # Both ports at once, from opposite ends; without enable an answer stays.
                    ports = {dut.gather: place, dut.scatter: length - 1 - place}
                    for port, asked in ports.items():
                        ctx.set(port.enable, 1)
                        ctx.set(port.expert, expert)
                        ctx.set(port.place, asked)
                    await ctx.tick()
                    for port in ports:
                        ctx.set(port.enable, 0)
                        ctx.set(port.place, 0)
                    await ctx.tick()
                    for port, asked in ports.items():
                        assert ctx.get(port.token) == tokens[asked]
                        assert ctx.get(port.score) == int(scores[asked] * 2**22) - again
                met.append(expert)
                least = expert + 1
                ctx.set(dut.least, least)
            assert tuple(met) == routing.metaqueue

    simulate(dut, drive)
