"""The attention engine's simulator: what its steps add up to."""

import pytest

from dovetail.arch.events import ATTENTION_EVENTS, STALLS, Event
from dovetail.errors import ConfigError
from dovetail.lockstep.m3vit_attention import random_attention_engine
from dovetail.sim.m3vit_attention_engine import simulate_attention


@pytest.mark.parametrize("tokens", [1, 2, 3, 4, 11])
def test_every_cycle_belongs_to_a_gemm_or_to_the_step_that_runs_instead(tokens: int) -> None:
    run = simulate_attention(random_attention_engine(4), tokens)
    parts = (Event.STREAM, *STALLS, Event.NORM_CYCLE, Event.ATTENTION_CYCLE)
    assert run.cycles == sum(run.events[part] for part in parts)
    assert run.cycles == run.layers["output"].landed
    assert set(run.events) == set(Event)
    assert all(run.events[event] == 0 for event in Event if event not in ATTENTION_EVENTS)


def test_steps_follow_each_other_and_weights_run_ahead() -> None:
    run = simulate_attention(random_attention_engine(4), 9)
    query, key, value, output = run.layers.values()
    assert run.norm.cycles < query.accepted < key.accepted < value.accepted
    # The next layer's weights are there before the one before has streamed; activations wait.
    assert key.weights_loaded < query.streamed <= key.stream
    assert value.landed < run.products_start
    assert run.products_start + run.products.cycles < output.accepted


@pytest.mark.parametrize("tokens", [1, 4, 5, 13])
def test_beats_are_those_of_the_maps(tokens: int) -> None:
    config = random_attention_engine(4)  # five queries held; 16 features in beats of two
    run = simulate_attention(config, tokens)
    beats = 8 * tokens
    slots = min(5, tokens)
    a, r = divmod(tokens + slots - 1, slots)
    passed = 8 * (a * tokens + r)
    assert run.events[Event.KEY_BEAT] == run.events[Event.VALUE_BEAT] == passed
    for event in (Event.NORM_BEAT, Event.QUERY_BEAT, Event.SCATTER_ADD):
        assert run.events[event] == beats
    assert run.events[Event.DRAM_WRITE] == 6 * beats
    weights = 4 * config.layer_beats
    # The norm's map and parameters, four layers' activations, queries, and what is added to.
    assert run.events[Event.DRAM_READ] == 8 + weights + (1 + 4 + 1 + 1) * beats + 2 * passed


def test_tokens_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^tokens=0 must be from 1 to max_tokens="):
        simulate_attention(random_attention_engine(4), 0)
