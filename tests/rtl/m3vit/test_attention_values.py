"""The M'V unit in RTL against the fixed-point reference, and its cycles against their formula."""

import numpy as np
import pytest

from dovetail.arch.m3vit.attention import AttentionDesign
from dovetail.models.m3vit.fixed_attention import fixed_attention
from dovetail.models.m3vit.softmax import running_softmax
from dovetail.rtl.m3vit.attention_values import AttentionValues
from dovetail.sim.m3vit_attention import ValueTimes, value_times
from dovetail.tests.rtl.m3vit.attention_cases import (
    SHAPES,
    beats,
    operands,
    scores_of,
    visits,
)
from dovetail.tests.rtl.m3vit.streams import Transfers, every, gaps, packed, run

PORTS = ("i_score", "i_row", "i_v", "o")


def check(
    shape: AttentionDesign,
    tokens: int,
    *,
    chance: float,
    extreme: bool,
    intervals: tuple[int, ...] = (1, 1, 1, 1),
) -> dict[str, Transfers]:
    q, k, v = operands(shape, tokens, extreme=extreme)
    order = visits(tokens, shape.parallel)
    rng = np.random.default_rng(tokens)
    scores = scores_of(q, k)
    stream = []
    for visit in order:
        for head in range(shape.heads):
            # What an empty slot's score is must not matter.
            anything = rng.integers(-(2**31), 2**31, shape.parallel)
            for slot, query in enumerate(visit.queries):
                if query is not None:
                    anything[slot] = scores[head, query, visit.key]
            stream.append(packed(anything))
    rows = []
    for t in range(tokens):
        bias, reciprocal = running_softmax(scores[:, t], first=t % shape.parallel)
        rows += [packed([b]) | int(r) << 32 for b, r in zip(bias, reciprocal, strict=True)]
    value = beats(v, shape)
    seen = run(
        AttentionValues(shape),
        tokens,
        {
            "i_score": stream,
            "i_row": rows,
            "i_v": [b for visit in order for b in value[visit.key]],
        },
        {"o": shape.token_beats * tokens},
        {
            port: gaps(chance, seed) if chance else every(interval)
            for seed, (port, interval) in enumerate(zip(PORTS, intervals, strict=True))
        },
    )
    want = beats(fixed_attention(q, k, v, parallel=shape.parallel), shape)
    assert seen["o"].values == [b for token in want for b in token]
    return seen


@pytest.mark.parametrize("tokens", [1, 2, 5])
@pytest.mark.parametrize("shape", SHAPES)
def test_extreme_operands_under_gaps(shape: AttentionDesign, tokens: int) -> None:
    check(shape, tokens, chance=0.4, extreme=True)


@pytest.mark.parametrize("tokens", [1, 3, 6])
@pytest.mark.parametrize("shape", SHAPES)
def test_takes_a_cycle_a_beat(shape: AttentionDesign, tokens: int) -> None:
    seen = check(shape, tokens, chance=0.0, extreme=False)
    # N + p - 1 = a p + r query positions make a N + r values; slots beyond N stay empty.
    slots = min(shape.parallel, tokens)
    a, r = divmod(tokens + slots - 1, slots)
    beats_passed = shape.heads * (shape.head_dim // shape.lanes) * (a * tokens + r)
    first = 9 + min(shape.parallel, shape.head_dim // shape.lanes)
    assert seen["i_v"].cycles == list(range(first, first + beats_passed))
    assert seen["o"].cycles[-1] == first + beats_passed - 1 + 4
    agree(seen, value_times(shape, tokens))


@pytest.mark.parametrize("intervals", [(1, 1, 2, 1), (5, 1, 1, 1), (1, 30, 1, 1), (3, 1, 2, 7)])
@pytest.mark.parametrize("shape", SHAPES[1::2])
def test_every_transfer_in_the_cycle_of_the_simulator(
    shape: AttentionDesign, intervals: tuple[int, int, int, int]
) -> None:
    seen = check(shape, 5, chance=0.0, extreme=False, intervals=intervals)
    score, row, value, output = intervals
    agree(seen, value_times(shape, 5, score=score, row=row, value=value, output=output))


def agree(seen: dict[str, Transfers], times: ValueTimes) -> None:
    assert seen["i_score"].cycles == times.score.tolist()
    assert seen["i_row"].cycles == times.row.tolist()
    assert seen["i_v"].cycles == times.value.tolist()
    assert seen["o"].cycles == times.output.tolist()
    assert times.cycles == 1 + max(max(port.cycles) for port in seen.values())
