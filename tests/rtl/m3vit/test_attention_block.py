"""Whole attention in RTL against the fixed-point reference, and against its simulator."""

from dataclasses import replace

import pytest

from dovetail.arch.m3vit.attention import AttentionDesign
from dovetail.models.m3vit.fixed_attention import fixed_attention
from dovetail.rtl.m3vit.attention_block import AttentionBlock
from dovetail.sim.m3vit_attention import BlockTimes, block_times
from dovetail.tests.rtl.m3vit.attention_cases import SHAPES, beats, design, operands, visits
from dovetail.tests.rtl.m3vit.streams import Transfers, every, gaps, run

PORTS = ("i_q", "i_k", "i_v", "o")


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
    keys, values = beats(k, shape), beats(v, shape)
    seen = run(
        AttentionBlock(shape),
        tokens,
        {
            "i_q": [b for token in beats(q, shape) for b in token],
            "i_k": [b for visit in order for b in keys[visit.key]],
            "i_v": [b for visit in order for b in values[visit.key]],
        },
        {"o": shape.token_beats * tokens},
        {
            port: gaps(chance, seed) if chance else every(interval)
            for seed, (port, interval) in enumerate(zip(PORTS, intervals, strict=True))
        },
        idle_cycles=100,
    )
    want = beats(fixed_attention(q, k, v, parallel=shape.parallel), shape)
    assert seen["o"].values == [b for token in want for b in token]
    return seen


@pytest.mark.parametrize("tokens", [2, 7])
@pytest.mark.parametrize("shape", SHAPES[1:3])
def test_extreme_operands_under_gaps(shape: AttentionDesign, tokens: int) -> None:
    check(shape, tokens, chance=0.4, extreme=True)


@pytest.mark.parametrize("tokens", [1, 6])
@pytest.mark.parametrize("shape", SHAPES)
def test_values_run_behind_keys_by_a_row(shape: AttentionDesign, tokens: int) -> None:
    shape = replace(shape, max_tokens=tokens)  # no more store than these need
    seen = check(shape, tokens, chance=0.0, extreme=False)
    head_beats = shape.head_dim // shape.lanes
    slots, turns = min(shape.parallel, tokens), min(shape.parallel, head_beats)
    a, r = divmod(tokens + slots - 1, slots)
    passed = shape.heads * head_beats * (a * tokens + r)
    assert seen["i_k"].cycles == list(range(passed))
    # The first row is whole with the last key's first head; then its division, its probabilities.
    row = (tokens - 1) * shape.heads * head_beats + head_beats - 1
    first = row + 47 + turns + 9 + turns
    assert seen["i_v"].cycles == list(range(first, first + passed))
    assert seen["o"].cycles[-1] == first + passed - 1 + 4
    agree(seen, block_times(shape, tokens))


@pytest.mark.parametrize("intervals", [(1, 2, 1, 1), (3, 1, 1, 5), (1, 1, 9, 1)])
@pytest.mark.parametrize("shape", SHAPES[1::2])
def test_every_transfer_in_the_cycle_of_the_simulator(
    shape: AttentionDesign, intervals: tuple[int, int, int, int]
) -> None:
    shape = replace(shape, max_tokens=5)
    seen = check(shape, 5, chance=0.0, extreme=False, intervals=intervals)
    query, key, value, output = intervals
    agree(seen, block_times(shape, 5, query=query, key=key, value=value, output=output))


def test_keys_wait_for_a_full_store() -> None:
    shape = replace(design(2, 1, 1, 8), max_tokens=10)
    seen = check(shape, 10, chance=0.0, extreme=False, intervals=(1, 1, 3, 1))
    times = block_times(shape, 10, value=3)
    assert shape.score_store < len(times.key) // shape.head_beats
    assert times.key[-1] >= len(times.key)
    agree(seen, times)


def agree(seen: dict[str, Transfers], times: BlockTimes) -> None:
    assert seen["i_q"].cycles == times.query.tolist()
    assert seen["i_k"].cycles == times.key.tolist()
    assert seen["i_v"].cycles == times.value.tolist()
    assert seen["o"].cycles == times.output.tolist()
    assert times.cycles == 1 + max(max(port.cycles) for port in seen.values())
