"""The attention engine, three ways in Verilator: every map, every cycle, every event."""

from dataclasses import replace

import numpy as np
import pytest

from dovetail.arch.events import STALLS, Event
from dovetail.arch.m3vit.attention_engine import AttentionEngineConfig
from dovetail.arch.m3vit.design import preset
from dovetail.lockstep.compare import compare
from dovetail.lockstep.m3vit_attention import (
    AttentionCase,
    random_attention_engine,
    random_operands,
)

EDGE_MOE = preset("attention-edge-moe").engine


def agree(cases: list[AttentionCase]) -> None:
    found = compare(cases)
    assert found.mismatches == ()
    assert found.cases == len(cases)
    assert found.values == 2 * sum(case.outputs for case in cases)  # exactly, then under gaps


def awkward(config: AttentionEngineConfig, seed: int) -> list[AttentionCase]:
    """One, two, and around p tokens, and as many as fit; every other one of extremes."""
    p, most = config.parallel, config.max_tokens
    rng = np.random.default_rng(seed)
    cases = []
    for number, tokens in enumerate(sorted({1, 2, max(1, p - 1), p, p + 1, most})):
        latency = min([1, 3, 64][number % 3], config.sum_queue - 1)
        x, weights = random_operands(rng, config.width, tokens, extreme=number % 2 == 1)
        cases.append(
            AttentionCase(
                config=replace(config, engine=replace(config.engine, dram_latency_cycles=latency)),
                x=x,
                weights=weights,
                gap_seed=seed + number,
                repeat="",
            )
        )
    return cases


def test_few_tokens_and_many_on_a_small_engine() -> None:
    agree(awkward(random_attention_engine(3), seed=3))


@pytest.mark.long
@pytest.mark.parametrize("index", [0, 1, 2, 4, 5, 8])
def test_awkward_tokens_at_all_port_widths(index: int) -> None:
    agree(awkward(random_attention_engine(index), seed=index))


@pytest.mark.long
def test_edge_moe_at_its_own_size() -> None:
    x, weights = random_operands(np.random.default_rng(0), 192, 129, extreme=False)
    case = AttentionCase(config=EDGE_MOE, x=x, weights=weights, gap_seed=1, repeat="")
    agree([case])
    run = case.simulate()
    # ceil((129 + 3) / 4) passes of 129 keys of 24 beats, for either product.
    assert run.events[Event.KEY_BEAT] == run.events[Event.VALUE_BEAT] == 33 * 129 * 24 == 102_168
    # Both at once, 128 tokens, a head and the pipelines apart; memory; three cycles of control.
    products = 102_168 + 128 * 24 + 8 + 2 * 4 + 59
    assert run.events[Event.ATTENTION_CYCLE] == products + 64 + 3
    # The map passes once, a token behind; then the first layer is offered.
    assert run.events[Event.NORM_CYCLE] == 64 + 130 * 24 + 12 + 2
    # 12 blocks of results of 12 steps each, of every token and layer, without a stall between.
    assert run.events[Event.STREAM] == 4 * 129 * 144
    assert run.cycles == sum(
        run.events[event]
        for event in (Event.NORM_CYCLE, Event.ATTENTION_CYCLE, Event.STREAM, *STALLS)
    )
