"""The attention engine's simulator: what its steps add up to."""

from dataclasses import replace

import pytest

from dovetail.arch.events import ATTENTION_EVENTS, STALLS, Event
from dovetail.arch.m3vit.design import preset
from dovetail.arch.m3vit.schedule import schedule_preset
from dovetail.errors import ConfigError
from dovetail.lockstep.m3vit_attention import random_attention_engine
from dovetail.models.m3vit.config import TINY
from dovetail.sim.m3vit_attention import score_times
from dovetail.sim.m3vit_attention_engine import simulate_attention
from dovetail.sim.m3vit_schedule import simulate_schedule

EDGE_MOE = preset("attention-edge-moe").engine


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


def test_what_the_schedule_leaves_out() -> None:
    # The same unit, ports and order, but beats alone are counted: neither filling nor first beats.
    design = replace(
        schedule_preset("edge-moe-zcu102"), port_bits=256, prefetch="all", bus_gb_s=1e3
    )
    schedule = simulate_schedule(design, TINY.dense(), {})
    cycles = dict(
        zip(
            (step.name for step in schedule.steps),
            (schedule.end - schedule.begin).tolist(),
            strict=True,
        )
    )
    run = simulate_attention(EDGE_MOE, 129)
    query, value, output = (run.layers[name] for name in ("query", "value", "output"))
    assert cycles["norm"] == 129 * 24
    assert run.norm.cycles == cycles["norm"] + 24 + 64 + 12  # 3.2 % more
    # Two layers' weights have nothing to hide behind.  The rest: a layer's first activations are
    # asked for as the last tile before, a single token, frees its half, too late to hide.
    layers = sum(cycles[f"{name}_proj"] for name in "qkvo")
    exact = value.landed - query.accepted + output.landed - output.accepted
    assert layers == 4 * 129 * 144 < exact
    assert exact / layers == pytest.approx(1.081, abs=1e-3)
    first = sum(layer.weights_loaded - layer.accepted for layer in (query, output))
    assert exact / (layers + first) == pytest.approx(1.016, abs=1e-3)
    scores = score_times(EDGE_MOE.attention, 129).cycles
    assert scores / cycles["attention_scores"] == pytest.approx(1.0005, abs=1e-4)
