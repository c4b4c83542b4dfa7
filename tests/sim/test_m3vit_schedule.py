"""sim/m3vit_steps.py and m3vit_schedule.py: counts by hand, schedules against each other."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.arch.m3vit.schedule import (
    ScheduleDesign,
    schedule_design,
    schedule_preset,
    schedule_presets,
)
from dovetail.errors import ConfigError, TraceError
from dovetail.models.m3vit.config import CITYSCAPES, SMALL, TINY, M3vitConfig
from dovetail.models.m3vit.routing import Routing, drawn_routing
from dovetail.models.networks.m3vit_trace import drawn_trace, routing_of
from dovetail.sim.m3vit_schedule import ScheduleResult, simulate_schedule
from dovetail.sim.m3vit_steps import StepMaker, attention_steps

EDGE_MOE = schedule_preset("edge-moe-zcu102")
BIG = replace(EDGE_MOE, weight_buffer_bytes=1 << 21)


def routed(config: M3vitConfig, skew: float = 0.0) -> dict[int, Routing]:
    return routing_of(drawn_trace(config, skew=skew, seed=3))


def diagonal_batches(tokens: int, parallel: int) -> int:
    """Keys that pass until every query, sliding through its slot, has met every key."""
    met: dict[int, set[int]] = {query: set() for query in range(tokens)}
    slots: dict[int, int] = {}
    passed = 0
    while True:
        batch, key = divmod(passed, tokens)
        if key < parallel:
            slots[key] = batch * parallel + key
        for query in slots.values():
            if query < tokens:
                met[query].add(key)
        passed += 1
        if all(len(keys) == tokens for keys in met.values()):
            return passed


@given(st.integers(1, 23), st.integers(1, 23))
def test_reordered_attention_takes_as_many_keys_as_sliding_does(tokens: int, parallel: int) -> None:
    assert attention_steps(tokens, parallel) == diagonal_batches(tokens, min(parallel, tokens))


def test_an_attention_product_of_edge_moe_takes_102_168_cycles() -> None:
    maker = StepMaker(EDGE_MOE, TINY)
    assert attention_steps(129, 4) == 33 * 129 == 4257
    for step in (maker.attention_scores(), maker.attention_values()):
        assert step.compute_cycles == 33 * 129 * 24 == 102_168
        assert (step.stream_cycles, step.bound) == (2 * 102_168, "port")
        assert step.macs == 129 * 129 * 192


@pytest.mark.parametrize("parallel", [1, 2, 4, 8, 129])
def test_without_reordering_each_query_reads_each_key(parallel: int) -> None:
    design = replace(EDGE_MOE, attention_parallel=parallel, attention_reordered=False)
    step = StepMaker(design, TINY).attention_scores()
    assert step.compute_cycles == -(-129 * 129 // parallel) * 24
    assert step.stream_cycles == 129 * 129 * 24 * 2  # however many queries there are


def test_linear_layers_by_hand() -> None:
    step = StepMaker(EDGE_MOE, TINY).linear(
        "fc1", "dense", rows=129, inputs=192, outputs=768, read="tmp1", write="hidden"
    )
    assert step.compute_cycles == step.stream_cycles == 129 * 12 * 48
    # 768 rows of 12 beats, and 48 of biases, each for two cycles of its port.
    assert step.load_cycles == (768 * 12 + 48) * 2
    assert step.weight_bytes == (768 * 192 + 768) * 2
    narrow = StepMaker(replace(EDGE_MOE, linear_units=2), TINY).linear(
        "fc1", "dense", rows=129, inputs=192, outputs=768, read="tmp1", write="hidden"
    )
    assert narrow.compute_cycles == 2 * step.compute_cycles


def test_macs_are_exact() -> None:
    for config, design in ((TINY, EDGE_MOE), (SMALL, BIG)):
        for schedule in ("expert_by_expert", "resident", "cached"):
            result = simulate_schedule(
                replace(design, schedule=schedule, cache_experts=2), config, routed(config, 1.0)
            )
            assert result.macs == config.macs


def test_a_plain_vit_needs_no_routing() -> None:
    result = simulate_schedule(EDGE_MOE, TINY.dense(), {})
    assert result.macs == TINY.dense().macs and result.part_cycles().keys() == {
        "other",
        "attention_linear",
        "attention",
        "dense",
    }
    assert result.memory_bytes["queues"] == result.memory_bytes["gate"] == 0


def test_experts_by_hand() -> None:
    """Edge-MoE's loop: each phase takes as long as its load or its computing."""
    config = replace(TINY, experts=4, top_k=1)
    experts = np.array([[0]] * 100 + [[2]] * 29, np.int16)
    one = Routing(experts=experts, scores=np.ones((129, 1), np.float32), count=4)
    result = simulate_schedule(EDGE_MOE, config, dict.fromkeys(config.moe_layers, one))
    first, second = 2 * (384 * 12 + 24), 2 * (192 * 24 + 12)  # loads of the two layers
    phases = max(100 * 288, second) + max(100 * 288, first) + max(29 * 288, second) + 29 * 288
    clear = 129 * 24 * 2  # runs while the first matrix loads
    begin = [at for at, name in enumerate(result.steps) if name.name == "gate"]
    ends = [at for at, expert in enumerate(result.experts) if expert == 2]
    for gate, last in zip(begin, ends[1::2], strict=True):
        assert result.end[last] - result.end[gate] == max(first, clear) + phases
    assert (result.misses, result.uses) == (12, 6 * 129)


def test_edge_moe_s_parts_by_hand() -> None:
    """Counts of the source's loops, each part with the loads that nothing hides."""
    parts = simulate_schedule(EDGE_MOE, TINY, routed(TINY)).part_cycles()
    assert parts["attention"] == 24 * 2 * 102_168
    square = 2 * (192 * 12 + 12)  # beats of a 192 x 192 matrix and its biases, two cycles each
    assert parts["attention_linear"] == 48 * (129 * 144 + square)
    narrow, wide = 2 * (768 * 12 + 48), 2 * (192 * 48 + 12)
    assert parts["dense"] == 6 * (2 * 129 * 576 + narrow + wide)
    token_map = 129 * 24 * 2
    assert 3 * 129 * 192 * 4 / 57 < token_map  # an addition's three maps fit the bus
    embedding = 8 * 3 * 16 * 8 * 24
    norm_parameters, gate_parameters = 2 * 4 * 12, 2 * 192
    other = embedding + 24 * (token_map + token_map) + 12 * norm_parameters
    assert parts["other"] == other + 6 * (gate_parameters + token_map)


def test_latency_does_not_grow_with_experts_until_loads_do() -> None:
    """M3ViT-small, 4,804 uses a block: 300 a queue at 16 experts, where computing hides loads."""
    cycles, memory, stalls = {}, set(), {}
    for experts in (4, 8, 16, 32, 64, 256, 1024):
        config = replace(SMALL, experts=experts)
        result = simulate_schedule(BIG, config, routed(config))
        cycles[experts] = result.part_cycles()["moe"]
        stalls[experts] = cycles[experts] - sum(
            step.stream_cycles for step in result.steps if step.part == "moe"
        )
        memory.add(sum(size for name, size in result.memory_bytes.items() if name != "gate"))
    assert len(memory) == 1  # only the gate's own weights grow
    # One exposed load a block, whatever the number of experts, while queues are long.
    assert stalls[4] == stalls[8] == stalls[16] == stalls[32]
    # Queues of 75 take 75 x 576 cycles, a matrix 18,480: still hidden.  Those of 19 take 10,800.
    assert stalls[64] == stalls[4]
    assert stalls[256] > 10 * stalls[4]
    assert stalls[1024] > stalls[256]


def test_a_token_by_token_cache_loads_for_most_uses() -> None:
    routing = routed(TINY)
    results = {
        size: simulate_schedule(
            replace(EDGE_MOE, schedule="cached", cache_experts=size), TINY, routing
        )
        for size in (1, 4, 8, 16)
    }
    misses = [result.misses for result in results.values()]
    assert misses == sorted(misses, reverse=True) and misses[-1] == 6 * 16
    reordered = simulate_schedule(EDGE_MOE, TINY, routing)
    assert reordered.misses == 6 * 16
    assert results[1].cycles > 3 * reordered.cycles
    assert results[1].on_chip_bytes > reordered.on_chip_bytes


def test_experts_resident_take_memory_that_grows_with_them() -> None:
    resident = replace(EDGE_MOE, schedule="resident")
    sizes = {}
    for experts in (4, 16):
        config = replace(TINY, experts=experts)
        sizes[experts] = simulate_schedule(resident, config, routed(config)).memory_bytes["experts"]
    assert sizes == {4: 4 * 148_032 * 2, 16: 16 * 148_032 * 2}


def test_switching_the_task_costs_nothing() -> None:
    """Another gate's routing with the same queue lengths takes the same cycles and memory."""
    first = routed(TINY)
    other = {
        layer: replace(one, experts=np.roll(one.experts, 7, axis=0)) for layer, one in first.items()
    }
    assert any((first[layer].experts != one.experts).any() for layer, one in other.items())
    a, b = (simulate_schedule(EDGE_MOE, TINY, routing) for routing in (first, other))
    assert (a.cycles, a.dram_bytes) == (b.cycles, b.dram_bytes)


def test_prefetch_hides_loads() -> None:
    routing = routed(TINY)
    none, experts, every = (
        simulate_schedule(replace(EDGE_MOE, prefetch=kind), TINY, routing)
        for kind in ("none", "experts", "all")
    )
    assert none.load_stall_cycles == sum(step.load_cycles for step in none.steps)
    assert none.cycles > experts.cycles > every.cycles


def test_a_narrow_bus_is_shared_by_all_ports() -> None:
    routing = routed(TINY)
    wide, narrow = (
        simulate_schedule(replace(EDGE_MOE, bus_gb_s=bus), TINY, routing) for bus in (1e3, 2.0)
    )
    assert not any(step.bound == "bus" for step in wide.steps)
    assert narrow.cycles * 2.0e9 / 300e6 > narrow.dram_bytes > wide.cycles * 2.0e9 / 300e6
    assert narrow.dram_bytes == wide.dram_bytes


def test_parts_add_up() -> None:
    for schedule in ("expert_by_expert", "resident", "cached"):
        result: ScheduleResult = simulate_schedule(
            replace(EDGE_MOE, schedule=schedule, cache_experts=3), TINY, routed(TINY, 1.0)
        )
        assert sum(result.part_cycles().values()) == result.cycles
        assert result.time_ms == result.cycles / 300e3
        assert result.energy_mj == pytest.approx(14.54 * result.time_ms)


@pytest.mark.parametrize("name", schedule_presets())
def test_every_preset_is_a_design_and_comes_back_from_plain_data(name: str) -> None:
    design = schedule_preset(name)
    assert schedule_design(design.to_dict()) == design
    assert schedule_design(design.to_dict()).design_id == design.design_id


def test_a_matrix_too_large_for_the_buffer_is_refused() -> None:
    design = replace(EDGE_MOE, weight_buffer_bytes=100_000)
    with pytest.raises(
        ConfigError,
        match=r"^fc1: its matrix of 294912 bytes must fit one half of the weight buffer, "
        r"weight_buffer_bytes=100000; enlarge the buffer or make the layer smaller$",
    ):
        simulate_schedule(design, TINY, routed(TINY))
    config = replace(TINY, expert_hidden=4096)
    with pytest.raises(ConfigError, match=r"^expert_fc1: its matrix of 1572864 bytes must fit one"):
        simulate_schedule(EDGE_MOE, config, routed(config))


def test_a_routing_for_another_number_of_experts_is_refused() -> None:
    other = routed(replace(TINY, experts=8))
    with pytest.raises(
        TraceError,
        match=r"^m3vit-tiny: the routing of block 1 has experts=8, the network 16; make the",
    ):
        simulate_schedule(EDGE_MOE, TINY, other)


def test_no_tokens_are_refused() -> None:
    with pytest.raises(TraceError, match=r"^tokens=0 must be a whole number from 1 to 1048576"):
        drawn_routing(0, experts=16, top_k=2)
    empty = replace(TINY, dataset=replace(CITYSCAPES, height=8))  # one token: no patch fits
    one = drawn_routing(129, experts=16, top_k=2)
    with pytest.raises(
        TraceError, match=r"^m3vit-tiny: the routing of block 1 has tokens=129, the"
    ):
        simulate_schedule(EDGE_MOE, empty, dict.fromkeys(TINY.moe_layers, one))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"master_bits": 100},
            r"^<dict>: master_bits=100 must be a multiple of 32, the width of a",
        ),
        ({"linear_units": 17}, r"^<dict>: linear_units=17 must be at most linear_outputs=16, whic"),
        ({"schedule": "lazy"}, r"^<dict>: schedule: 'lazy' must be 'resident', 'cached' or "),
        ({"bus_gb_s": 0}, r"^<dict>: bus_gb_s: 0 must be greater than 0; change it$"),
    ],
)
def test_refuses_a_design(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        schedule_design(EDGE_MOE.to_dict() | changes)


def test_refuses_an_unknown_preset() -> None:
    with pytest.raises(
        ConfigError, match=r"^no preset named 'tpu'; the presets are edge-moe-zcu102, m3vit-zcu1"
    ):
        schedule_preset("tpu")


def test_a_design_is_one_of_its_fields() -> None:
    assert isinstance(EDGE_MOE, ScheduleDesign)
    assert (EDGE_MOE.lanes, EDGE_MOE.beat_cycles, EDGE_MOE.macs_per_cycle) == (8, 2, 256)
