"""The QK^T unit in RTL against the fixed-point reference, and its cycles against their formula."""

import pytest

from dovetail.arch.m3vit.attention import AttentionDesign
from dovetail.models.m3vit.softmax import running_softmax
from dovetail.rtl.m3vit.attention_scores import AttentionScores
from dovetail.sim.m3vit_attention import ScoreTimes, score_times
from dovetail.tests.rtl.m3vit.attention_cases import (
    SHAPES,
    beats,
    design,
    operands,
    scores_of,
    visits,
)
from dovetail.tests.rtl.m3vit.streams import Transfers, every, gaps, run, unpacked

PORTS = ("i_q", "i_k", "o_score", "o_row")


def check(
    shape: AttentionDesign,
    tokens: int,
    *,
    chance: float,
    extreme: bool,
    intervals: tuple[int, ...] = (1, 1, 1, 1),
) -> dict[str, Transfers]:
    q, k, _ = operands(shape, tokens, extreme=extreme)
    order = visits(tokens, shape.parallel)
    keys = beats(k, shape)
    rates = {
        port: gaps(chance, seed) if chance else every(interval)
        for seed, (port, interval) in enumerate(zip(PORTS, intervals, strict=True))
    }
    seen = run(
        AttentionScores(shape),
        tokens,
        {"i_q": sum(beats(q, shape), []), "i_k": [b for visit in order for b in keys[visit.key]]},
        {"o_score": shape.heads * len(order), "o_row": shape.heads * tokens},
        rates,
    )
    scores = scores_of(q, k)
    stream = iter(seen["o_score"].values)
    for visit in order:
        for head in range(shape.heads):
            got = unpacked(next(stream), shape.parallel)
            for slot, query in enumerate(visit.queries):
                if query is not None:
                    assert got[slot] == scores[head, query, visit.key]
    rows = iter(seen["o_row"].values)
    for t in range(tokens):
        bias, reciprocal = running_softmax(scores[:, t], first=t % shape.parallel)
        for head in range(shape.heads):
            row = next(rows)
            assert unpacked(row, 1)[0] == bias[head]
            assert row >> 32 == reciprocal[head]
    return seen


@pytest.mark.parametrize("tokens", [1, 2, 5])
@pytest.mark.parametrize("shape", SHAPES)
def test_extreme_operands_under_gaps(shape: AttentionDesign, tokens: int) -> None:
    check(shape, tokens, chance=0.4, extreme=True)


@pytest.mark.parametrize("tokens", [1, 4, 6])
@pytest.mark.parametrize("shape", SHAPES)
def test_takes_a_cycle_a_beat(shape: AttentionDesign, tokens: int) -> None:
    seen = check(shape, tokens, chance=0.0, extreme=False)
    # N + p - 1 = a p + r query positions make a N + r keys; slots beyond N stay empty.
    slots = min(shape.parallel, tokens)
    a, r = divmod(tokens + slots - 1, slots)
    beats_passed = shape.heads * (shape.head_dim // shape.lanes) * (a * tokens + r)
    assert seen["i_k"].cycles == list(range(beats_passed))
    assert seen["o_score"].cycles[-1] == beats_passed - 1 + 6
    turns = min(shape.parallel, shape.head_dim // shape.lanes)
    assert seen["o_row"].cycles[-1] == beats_passed - 1 + 47 + turns
    agree(seen, score_times(shape, tokens))


@pytest.mark.parametrize("intervals", [(1, 2, 1, 1), (3, 2, 1, 1), (1, 1, 7, 1), (2, 1, 5, 40)])
@pytest.mark.parametrize("shape", SHAPES[1::2])
def test_every_transfer_in_the_cycle_of_the_simulator(
    shape: AttentionDesign, intervals: tuple[int, int, int, int]
) -> None:
    seen = check(shape, 5, chance=0.0, extreme=False, intervals=intervals)
    query, key, score, row = intervals
    agree(seen, score_times(shape, 5, query=query, key=key, score=score, row=row))


def test_keys_wait_for_rows_that_are_not_taken() -> None:
    shape = design(2, 1, 1, 8)
    assert shape.row_queue < 12
    seen = check(shape, 12, chance=0.0, extreme=False, intervals=(1, 1, 1, 200))
    times = score_times(shape, 12, row=200)
    assert times.key[-1] >= len(times.key)
    agree(seen, times)


def agree(seen: dict[str, Transfers], times: ScoreTimes) -> None:
    assert seen["i_q"].cycles == times.query.tolist()
    assert seen["i_k"].cycles == times.key.tolist()
    assert seen["o_score"].cycles == times.score.tolist()
    assert seen["o_row"].cycles == times.row.tolist()
    assert times.cycles == 1 + max(max(port.cycles) for port in seen.values())
