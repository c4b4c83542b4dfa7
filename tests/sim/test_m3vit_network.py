"""sim/m3vit_network.py: the attention halves of an encoder."""

from dataclasses import replace

import pytest

from dovetail.arch.events import Event
from dovetail.arch.m3vit.design import preset
from dovetail.errors import ConfigError, TraceError
from dovetail.models.importers import load_workload
from dovetail.models.trace import Trace
from dovetail.sim.m3vit_attention_engine import simulate_attention
from dovetail.sim.m3vit_network import simulate_encoder

EDGE_MOE = preset("attention-edge-moe")


@pytest.fixture(scope="module")
def tiny() -> Trace:
    return load_workload("m3vit-tiny-balanced")


def test_all_attention_halves_of_the_trace(tiny: Trace) -> None:
    result = simulate_encoder(EDGE_MOE, tiny)
    # By the trace's own operators: what does not belong to an MLP, the experts or the embedding.
    layers = ("q_proj", "k_proj", "v_proj", "o_proj")
    parts = (*layers, "attention_scores", "attention_values")
    halves = [op for op in tiny.ops if op.name in parts]
    assert result.macs == sum(op.macs for op in halves)
    assert result.runs == 12
    one = simulate_attention(EDGE_MOE.engine, 129)
    assert result.cycles == 12 * one.cycles == 12 * one.events[Event.CYCLE]
    # A 16 x 16 unit, and four queries that meet eight features in each of two products.
    assert result.peak_macs_per_cycle == 256 + 2 * 4 * 8
    assert result.utilization == result.macs / (320 * result.cycles)
    assert 0 < result.stall_cycles < result.cycles


def test_refuses_what_is_not_its_network(tiny: Trace) -> None:
    with pytest.raises(
        ConfigError, match=r"^m3vit-small-balanced has 12 heads of 32, and the engine heads=3 of "
    ):
        simulate_encoder(EDGE_MOE, load_workload("m3vit-small-balanced"))
    with pytest.raises(TraceError, match=r"^network 'vit-b-16' has no routing of experts; "):
        simulate_encoder(EDGE_MOE, load_workload("vit-b-16"))
    few = replace(EDGE_MOE, engine=replace(EDGE_MOE.engine, max_tokens=128))
    with pytest.raises(ConfigError, match=r"^tokens=129 must be from 1 to max_tokens=128; change"):
        simulate_encoder(few, tiny)
