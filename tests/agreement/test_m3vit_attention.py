"""Attention in Verilator at Edge-MoE's own size: values as the reference, times as simulated."""

from functools import partial

import pytest

from dovetail.arch.m3vit.attention import AttentionDesign
from dovetail.lockstep.m3vit_streams import Work, block_vectors
from dovetail.lockstep.vectors import VectorCase, compare_vectors
from dovetail.rtl.m3vit.attention_block import AttentionBlock
from dovetail.sim.m3vit_attention import block_times

EDGE_MOE = AttentionDesign(parallel=4, lanes=8, heads=3, head_dim=64, max_tokens=129)
HALF_PORTS = {"query": 2, "key": 2, "value": 2, "output": 2}


@pytest.mark.long
def test_edge_moe_at_its_own_size() -> None:
    works = [
        Work(tokens=129, intervals={}),
        Work(tokens=1, intervals={}),
        Work(tokens=129, intervals=HALF_PORTS),
    ]
    inputs, expected = block_vectors(EDGE_MOE, works)
    case = VectorCase(
        component=partial(AttentionBlock, EDGE_MOE), inputs=inputs, expected=expected, where=""
    )
    found = compare_vectors([case])
    assert found.mismatches == ()
    assert found.values == 24 * (129 + 1 + 129)
    whole, one, half_ports = (
        block_times(EDGE_MOE, work.tokens, **work.intervals).cycles for work in works
    )
    # Two products of 102,168 cycles, the second behind the first by a row: 128 tokens of 24 beats,
    # 8 beats of a head, and the pipelines.
    assert whole == 102_168 + 128 * 24 + 8 + 67
    assert one == 24 + 8 + 67
    assert half_ports == pytest.approx(2 * whole, rel=1e-3)
    assert found.cycles > whole + one + half_ports
