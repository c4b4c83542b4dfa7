"""The gate in RTL against the fixed-point reference, and its time against its formula."""

import itertools
from typing import Any

import numpy as np
import pytest

from dovetail.arch.m3vit.formats import WEIGHT
from dovetail.models.m3vit.fixed_gate import fixed_gate
from dovetail.rtl.m3vit.gate import GateUnit
from dovetail.tests.rtl.simulation import simulate

Choice = tuple[int, int, int]


def run(
    dut: Any, logits: np.ndarray, count: int, *, gaps: float, seed: int = 0
) -> tuple[list[Choice], list[int], int]:
    """Choices (token, expert, score), the cycles in which they were taken, and that of the first
    logit."""
    rng = np.random.default_rng(seed)
    values = logits.ravel().tolist()
    got: list[Choice] = []
    times: list[int] = []
    first = [-1]

    async def drive(ctx: Any) -> None:
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        offered = False
        for cycle in itertools.count():
            if len(got) == count:
                return
            offered = offered or (bool(values) and rng.random() >= gaps)
            ready = rng.random() >= gaps
            ctx.set(dut.i.valid, offered)
            ctx.set(dut.i.payload, values[0] if offered else int(rng.integers(-(2**31), 2**31)))
            ctx.set(dut.o.ready, ready)
            taken = offered and ctx.get(dut.i.ready)
            choice = ctx.get(dut.o.payload)
            if ready and ctx.get(dut.o.valid):
                got.append((choice.token, choice.expert, choice.score))
                times.append(cycle)
            if taken:
                first[0] = cycle if first[0] < 0 else first[0]
                values.pop(0)
                offered = False
            await ctx.tick()

    simulate(dut, drive)
    return got, times, first[0]


def logits_of(tokens: int, experts: int) -> np.ndarray:
    """Logits as they come, with many ties, and as far apart as features can be."""
    rng = np.random.default_rng(tokens * 64 + experts)
    usual = rng.normal(0, 2**22, (tokens, experts)).astype(np.int64)
    usual[1::3] = rng.integers(-1, 2, usual[1::3].shape) << 22
    usual[2::3] = np.where(rng.random(usual[2::3].shape) < 0.5, 2**31 - 1, -(2**31))
    return usual


def reference(logits: np.ndarray, k: int) -> list[Choice]:
    """What :func:`fixed_gate` chooses of the same logits, through a gate of ones."""
    identity = np.eye(logits.shape[1], dtype=np.int64) << WEIGHT.fraction_bits
    want = fixed_gate(logits, identity, k)
    return [
        (token, int(want.experts[token, place]), int(want.scores[token, place]))
        for token in range(len(logits))
        for place in range(k)
    ]


@pytest.mark.parametrize(("k", "experts"), [(1, 1), (1, 2), (2, 16), (4, 17), (3, 3)])
@pytest.mark.parametrize("gaps", [0.0, 0.4])
def test_chooses_as_the_reference_under_gaps(k: int, experts: int, gaps: float) -> None:
    logits = logits_of(7, experts)
    want = reference(logits, k)
    got, _, _ = run(GateUnit(k=k, experts=experts, tokens=7), logits, len(want), gaps=gaps)
    assert got == want


@pytest.mark.parametrize(("k", "experts"), [(1, 1), (2, 3), (2, 16), (4, 16)])
def test_takes_the_time_that_it_states(k: int, experts: int) -> None:
    tokens = 4
    logits = logits_of(tokens, experts)
    _, times, first = run(GateUnit(k=k, experts=experts, tokens=tokens), logits, tokens * k, gaps=0)
    # A step takes 6 cycles, the division 33 and a score 6.
    assert times[0] - first == 6 * experts + 33 + 6
    # A step's result waits a cycle for the copy; a score starts when the one before is taken.
    interval = max(6 * experts + 1, 33 + 7 * k)
    assert [times[k * token] - times[0] for token in range(tokens)] == [
        interval * token for token in range(tokens)
    ]
