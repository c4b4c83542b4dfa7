"""The MoE engine's simulator: what its steps add up to, and what time does not depend on."""

from dataclasses import replace

import pytest

from dovetail.arch.events import MOE_EVENTS, STALLS, Event
from dovetail.arch.m3vit.design import preset
from dovetail.arch.m3vit.moe_engine import MoeEngineConfig
from dovetail.errors import ConfigError, ShapeError
from dovetail.lockstep.m3vit_moe import random_moe_engine
from dovetail.sim.m3vit_moe_engine import simulate_moe

EDGE_MOE = preset("moe-edge-moe").engine


def test_every_cycle_belongs_to_a_gemm_or_to_the_step_that_runs_instead() -> None:
    run = simulate_moe(replace(random_moe_engine(2), top_k=2), [3, 0, 2, 1] + [0] * 11 + [2])
    parts = (Event.STREAM, *STALLS, Event.NORM_CYCLE, Event.GATE_CYCLE)
    assert run.cycles == sum(run.events[part] for part in parts)
    assert run.cycles == run.experts[-1].second.landed
    assert [one.expert for one in run.experts] == [0, 2, 3, 15]
    assert set(run.events) == set(Event)
    assert all(run.events[event] == 0 for event in Event if event not in MOE_EVENTS)


def test_weights_of_the_next_layer_load_while_one_computes() -> None:
    """Either half of the buffer is filled as soon as it is free."""
    experts = simulate_moe(EDGE_MOE, [129, 129] + [0] * 14).experts
    for layer, following in (
        (experts[0].first, experts[0].second),
        (experts[0].second, experts[1].first),
        (experts[1].first, experts[1].second),
    ):
        assert following.ask_weights < layer.streamed
        assert following.weights_loaded <= layer.streamed  # 129 tokens compute for longer
        # Results of the layer before are fenced, weights are not.
        assert following.ask_weights < layer.landed


@pytest.mark.parametrize("experts", [16, 64])
def test_experts_without_tokens_take_no_cycle(experts: int) -> None:
    """Where the two with tokens stand among the others, or how many others there are."""
    engine = replace(EDGE_MOE, experts=experts)
    reference = simulate_moe(engine, _two(experts, 0, 1))
    moved = simulate_moe(engine, _two(experts, 7, experts - 1))
    assert moved.cycles == reference.cycles
    assert moved.events == reference.events


def _two(experts: int, *chosen: int) -> list[int]:
    return [129 if expert in chosen else 0 for expert in range(experts)]


def test_time_does_not_grow_with_the_experts_while_loads_hide() -> None:
    """As many tokens in as few queues: the gate apart, whose logits are more."""

    def mixture_cycles(experts: int) -> int:
        run = simulate_moe(replace(EDGE_MOE, experts=experts), _two(experts, 0, 1))
        return run.cycles - run.experts[0].first.accepted

    assert mixture_cycles(2) == mixture_cycles(16) == mixture_cycles(64)


def test_beats_are_those_of_the_maps() -> None:
    config: MoeEngineConfig = EDGE_MOE
    run = simulate_moe(config, [9, 1, 0, 0, 8] + [0] * 11)  # nine tokens
    x, hidden, logits = 9 * 24, 18 * 48, 9 * 2
    assert run.events[Event.NORM_BEAT] == x
    assert run.events[Event.LOGIT] == 9 * 16
    assert run.events[Event.CHOICE] == 18
    assert run.events[Event.EXPERT] == 3
    assert run.events[Event.SCATTER_ADD] == 18 * 24
    assert run.events[Event.DRAM_WRITE] == x + logits + hidden + 18 * 24
    weights = config.gate.weight_beats + 3 * config.expert_beats
    maps = x + x + logits + 18 * 24 + hidden + 18 * 24
    assert run.events[Event.DRAM_READ] == 24 + weights + maps


@pytest.mark.parametrize(
    ("queues", "message"),
    [
        ([2] * 15, r"^queues of 15 experts, and the engine has experts=16; give one length"),
        ([0] * 16, r"^queues of 0 tokens together, the longest 0: each token must stand in top_k"),
        ([1] + [0] * 15, r"^queues of 1 tokens together, the longest 1: each token must stand in"),
        ([2] + [0] * 15, r"^queues of 2 tokens together, the longest 2: each token must stand in"),
    ],
)
def test_queues_that_no_gate_makes_are_refused(queues: list[int], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        simulate_moe(EDGE_MOE, queues)


def test_more_tokens_than_the_engine_takes_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^tokens=130 must be from 1 to max_tokens=129; change"):
        simulate_moe(EDGE_MOE, [130, 130] + [0] * 14)
