"""sim/gpu_steps.py: every activation that a GEMM reads was made by a kernel before it."""

import pytest

from dovetail.errors import TraceError
from dovetail.models.networks import network
from dovetail.models.trace import GemmOp
from dovetail.sim.gpu_steps import steps_of


def test_makers_of_a_llama_layer_by_hand() -> None:
    """3 tokens of LLaMA-2-70B: hidden 8192, queries 8192, ffn 28672."""
    steps = {step.op.name: step for step in steps_of(network("llama2-70b-layer", seq=3))}
    feeds = {name: step.feeds for name, step in steps.items() if step.feeds}
    assert feeds == {
        "attention_norm": 3 * 8192,
        "rope": 3 * 8192,
        "softmax": 64 * 3 * 3,
        "attention_values": 3 * 8192,
        "ffn_norm": 3 * 8192,
        "activation": 3 * 28672,
    }
    reads = {name: step.reads for name, step in steps.items() if step.reads}
    assert reads == {
        "q_proj": 3 * 8192,
        "attention_scores": 3 * 8192,
        "attention_values": 64 * 3 * 3,
        "o_proj": 3 * 8192,
        "gate_proj": 3 * 8192,
        "down_proj": 3 * 28672,
    }


def test_without_rope_the_projections_make_the_queries_together() -> None:
    steps = {step.op.name: step for step in steps_of(network("opt-175b-layer", seq=3))}
    assert "q_proj_bias" not in steps
    parts = [steps[name].feeds for name in ("q_proj", "k_proj", "v_proj")]
    assert parts == pytest.approx([12288, 12288, 12288])


@pytest.mark.parametrize("name", ["llama2-7b", "bitnet-3b", "opt-6.7b", "bloom-176b", "vit-b-16"])
def test_all_that_is_read_was_made(name: str) -> None:
    """Only the first GEMM of a vision transformer reads what no kernel made, its patches."""
    steps = steps_of(network(name))
    read = sum(step.reads for step in steps)
    assert all(step.reads == 0 for step in steps if not isinstance(step.op, GemmOp))
    first = steps[0].reads
    assert sum(step.feeds for step in steps) == pytest.approx(read - first)
    assert (first > 0) == (name == "vit-b-16")


def test_refuses_operators_of_another_kind() -> None:
    with pytest.raises(
        TraceError, match=r"^\w+: the GPU model runs GEMMs and the work between them, and this is "
    ):
        steps_of(network("codenet-c"))
