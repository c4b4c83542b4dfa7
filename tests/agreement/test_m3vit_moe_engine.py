"""The MoE engine, three ways in Verilator: every map, every cycle, every event."""

from dataclasses import replace

import numpy as np
import pytest

from dovetail.arch.events import Event
from dovetail.arch.m3vit.design import preset
from dovetail.arch.m3vit.moe_engine import MoeEngineConfig
from dovetail.lockstep.compare import compare
from dovetail.lockstep.m3vit_block import with_latency
from dovetail.lockstep.m3vit_moe import (
    MOE_PLAN,
    MoeCase,
    random_moe,
    random_moe_engine,
    random_moe_operands,
)

pytestmark = pytest.mark.cosim

EDGE_MOE = preset("moe-edge-moe").engine


def agree(cases: list[MoeCase]) -> None:
    found = compare(cases)
    assert found.mismatches == ()
    assert found.cases == len(cases)
    assert found.values == 2 * sum(case.outputs for case in cases)  # exactly, then under gaps


def case(config: MoeEngineConfig, tokens: int, *, seed: int = 0, **operands: object) -> MoeCase:
    rng = np.random.default_rng([tokens, seed])
    x, weights = random_moe_operands(rng, config, tokens, **operands)  # type: ignore[arg-type]
    return MoeCase(config=config, x=x, weights=weights, gap_seed=1 + seed, repeat="")


def awkward(config: MoeEngineConfig) -> list[MoeCase]:
    """Ties, everything on the first experts, extremes; one token, and as many as fit."""
    most = config.max_tokens
    return [
        case(config, 1),
        case(config, most, seed=1),
        case(config, most, seed=2, gate="tied"),
        case(config, most, seed=3, gate="same"),
        case(config, most, seed=4, extreme=True),
    ]


@pytest.fixture(scope="module")
def engine() -> MoeEngineConfig:
    """Five experts, two of which each token goes to, on a 4 x 4 linear unit with ample buffers."""
    some = random_moe_engine(0)
    buffers = ("activation", "weight", "scale", "accumulator")
    ample = replace(some.engine, **{f"{name}_buffer_bytes": 1 << 14 for name in buffers})
    config = replace(
        some, engine=ample, experts=5, top_k=2, max_tokens=9, width=12, hidden=8, sum_queue=80
    )
    return with_latency(config, 3)


def test_ties_and_everything_on_the_same_experts(engine: MoeEngineConfig) -> None:
    cases = awkward(engine)
    agree(cases)
    assert [length for length in cases[3].queues] == [9, 9, 0, 0, 0]
    assert any(0 in one.queues for one in cases)


def test_another_task_is_another_gate_and_takes_no_cycle_more(engine: MoeEngineConfig) -> None:
    x, weights = random_moe_operands(np.random.default_rng(5), engine, 9)
    gate = weights.gates[0]
    # The second task has the experts in the opposite order, the third as the first, elsewhere.
    tasks = weights._replace(gates=(gate, gate[::-1].copy(), gate.copy()))
    cases = [
        MoeCase(config=engine, x=x, weights=tasks, task=task, gap_seed=1, repeat="")
        for task in range(3)
    ]
    first, second, third = cases
    # All that another task changes is one register.
    for other in (second, third):
        assert replace(other.call, gate_address=first.call.gate_address) == first.call
        assert other.call != first.call
    assert second.queues == first.queues[::-1] != first.queues
    assert not np.array_equal(first.maps.x, second.maps.x)
    agree(cases)
    # One after the other in the RTL, without a reset between: equal queues take equal cycles.
    built = first.build()
    ran = built.run([one.rtl(cycles=one.simulate().cycles) for one in cases])
    assert ran[2].cycles == ran[0].cycles
    assert ran[2].events == ran[0].events
    assert ran[2].written_at == ran[0].written_at
    assert ran[1].events[Event.NORM_CYCLE] == ran[0].events[Event.NORM_CYCLE]


@pytest.mark.long
@pytest.mark.parametrize("index", range(1, 18))
def test_random_engines(index: int) -> None:
    config = random_moe_engine(index)
    agree([random_moe(config, 8 * index + place, repeat="") for place in range(8)])


@pytest.mark.long
def test_edge_moe_at_its_own_size() -> None:
    one = case(EDGE_MOE, 129)
    agree([one])
    run = one.simulate()
    # 12 x 24 steps of a token for each layer of its two experts, and 12 for its 16 logits.
    assert run.events[Event.STREAM] == 129 * (2 * 2 * 288 + 12)
    assert run.events[Event.CHOICE] == 258


def test_fifty_seeds_meet_every_kind_of_routing() -> None:
    """The fourth part of ``dovetail verify m3vit --seeds 200``."""
    cases = [random_moe(MOE_PLAN.engine(MOE_PLAN.build_index(n)), n, repeat="") for n in range(50)]
    many = [one for one in cases if one.config.experts > 1 and one.tokens > 1]
    # All tokens on one expert, some experts empty and none, logits that tie where it matters.
    assert sum(max(one.queues) == sum(one.queues) for one in many) >= 3
    assert sum(0 in one.queues for one in many) >= 10
    assert sum(0 not in one.queues for one in many) >= 3
    tied = [one for one in many if _ties_for_the_last_place(one)]
    assert len(tied) >= 3
    assert {1, 64} <= {one.config.experts for one in cases}
    assert {one.config.top_k for one in cases} >= {1, 2, 3, 4, 5}
    assert len({one.config.hidden for one in cases}) >= 6
    assert {1, 2} <= {one.tokens for one in cases}


def _ties_for_the_last_place(one: MoeCase) -> bool:
    """For some token an expert that is chosen and one that is not have the same logit."""
    logits = one.maps.logits
    least = np.take_along_axis(logits, one.maps.routing.experts, axis=1).min(axis=1)
    return bool(((logits >= least[:, None]).sum(axis=1) > one.config.top_k).any())
