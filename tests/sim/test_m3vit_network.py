"""sim/m3vit_network.py: the halves of an encoder's blocks that an engine computes."""

import re
from dataclasses import replace

import pytest

from dovetail.arch.events import Event
from dovetail.arch.m3vit.design import preset
from dovetail.errors import ConfigError, TraceError
from dovetail.models.importers import load_workload
from dovetail.models.networks.m3vit_trace import routing_of
from dovetail.models.trace import Trace
from dovetail.sim.m3vit_attention_engine import simulate_attention
from dovetail.sim.m3vit_moe_engine import simulate_moe
from dovetail.sim.m3vit_network import simulate_encoder

EDGE_MOE = preset("attention-edge-moe")
MIXTURE = preset("moe-edge-moe")


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


def test_all_mixtures_of_the_trace(tiny: Trace) -> None:
    result = simulate_encoder(MIXTURE, tiny)
    halves = [op for op in tiny.ops if re.fullmatch(r"gate|expert_fc[12]_\d+", op.name)]
    assert result.macs == sum(op.macs for op in halves)
    assert result.runs == 6
    # Two experts a token and block, each adding 24 beats of eight features.
    assert result.events[Event.CHOICE] == 6 * 129 * 2
    assert result.events[Event.SCATTER_ADD] == 6 * 129 * 2 * 24
    one = simulate_moe(MIXTURE.engine, routing_of(tiny)[1].lengths.tolist())
    assert abs(result.cycles - 6 * one.cycles) < 0.02 * result.cycles


def test_norms_and_softmax_of_a_half_are_in_its_time(tiny: Trace) -> None:
    attention, mixture = (simulate_encoder(design, tiny) for design in (EDGE_MOE, MIXTURE))
    others = {(op.name, op.layer): op.operations for op in tiny.others}
    # Neither half: patches and positions, and the dense MLPs of even blocks with their norms.
    neither = sum(
        count
        for (name, layer), count in others.items()
        if layer < 0 or (layer % 2 == 0 and name.startswith(("ffn_", "fc")))
    )
    assert attention.other_operations + mixture.other_operations == sum(others.values()) - neither
    per_block = ("attention_norm", "softmax", "attention_residual", "q_proj_bias", "o_proj_bias")
    assert attention.other_operations > 12 * sum(others[name, 0] for name in per_block)


def test_refuses_what_is_not_its_network(tiny: Trace) -> None:
    with pytest.raises(
        ConfigError, match=r"^m3vit-small-balanced has 12 heads of 32, and the engine heads=3 of "
    ):
        simulate_encoder(EDGE_MOE, load_workload("m3vit-small-balanced"))
    with pytest.raises(TraceError, match=r"^network 'vit-b-16' has no routing of experts; "):
        simulate_encoder(EDGE_MOE, load_workload("vit-b-16"))
    with pytest.raises(
        ConfigError, match=r"^m3vit-small-balanced has width=384, and the engine width=192; "
    ):
        simulate_encoder(MIXTURE, load_workload("m3vit-small-balanced"))
    few = replace(EDGE_MOE, attention=replace(EDGE_MOE.attention, max_tokens=128))
    with pytest.raises(ConfigError, match=r"^tokens=129 must be from 1 to max_tokens=128; change"):
        simulate_encoder(few, tiny)
