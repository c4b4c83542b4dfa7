"""models/networks/transformer_trace.py: shapes and counts by independent formulas."""

from collections import Counter

import pytest

from dovetail.errors import TraceError
from dovetail.models.networks.published import PUBLISHED
from dovetail.models.networks.transformer_trace import transformer_trace
from dovetail.models.trace import GemmOp, Phase, Trace

LANGUAGE = (
    "llama2-7b",
    "llama2-13b",
    "llama2-70b",
    "opt-6.7b",
    "llama-3b",
    "bitnet-3b",
    "opt-175b",
    "bloom-176b",
)
# Layers, hidden, width of all queries, of all keys, of the ffn, matrices of the ffn, vocabulary.
SIZES = {
    "llama2-7b": (32, 4096, 4096, 4096, 11008, 3, 32000),
    "llama2-13b": (40, 5120, 5120, 5120, 13824, 3, 32000),
    "llama2-70b": (80, 8192, 8192, 1024, 28672, 3, 32000),
    "opt-6.7b": (32, 4096, 4096, 4096, 16384, 2, 50272),
    "llama-3b": (26, 3200, 3200, 3200, 8640, 3, 32000),
    "bitnet-3b": (26, 3200, 3200, 3200, 8640, 3, 32002),
    "opt-175b": (96, 12288, 12288, 12288, 49152, 2, 50272),
    "bloom-176b": (70, 14336, 14336, 14336, 57344, 2, 250880),
}


def shape(trace: Trace, name: str) -> tuple[int, int, int, int]:
    """m, n, k and count of the first operator of that name."""
    op = next(op for op in trace.gemms if op.name == name)
    return op.m, op.n, op.k, op.count


@pytest.mark.parametrize("name", LANGUAGE)
@pytest.mark.parametrize(
    ("phase", "batch", "seq"),
    [("prefill", 1, 2048), ("prefill", 3, 1), ("decode", 1, 2048), ("decode", 16, 511)],
)
def test_macs_of_a_language_model(name: str, phase: Phase, batch: int, seq: int) -> None:
    layers, hidden, queries, keys, ffn, matrices, vocab = SIZES[name]
    tokens, context = (seq, seq) if phase == "prefill" else (1, seq + 1)
    weights = 2 * hidden * queries + 2 * hidden * keys + matrices * hidden * ffn
    attention = 2 * queries * context
    per_layer = batch * tokens * (weights + attention)
    trace = transformer_trace(PUBLISHED[name], phase=phase, batch=batch, seq=seq)
    assert trace.macs == layers * per_layer + batch * vocab * hidden


def test_macs_of_a_vision_transformer() -> None:
    """torchvision's table gives ViT-B/16 17.56 G multiply-accumulates for one image."""
    trace = transformer_trace(PUBLISHED["vit-b-16"])
    assert round(trace.macs / 1e9, 2) == 17.56
    per_token = 12 * (12 * 768**2 + 2 * 197 * 768)
    assert trace.macs == 197 * per_token + 196 * 768 * 768 + 768 * 1000


@pytest.mark.parametrize("name", PUBLISHED)
def test_weights_biases_and_tables_add_up_to_the_parameters(name: str) -> None:
    """Parameters that no GEMM reads: input tables, norms; biases are added once a row."""
    config = PUBLISHED[name]
    trace = transformer_trace(config, batch=5)
    matrices = sum(op.n * op.k for op in trace.gemms if op.weights == "parameter")
    rows = {(op.layer, f"{op.name}_bias"): op.m for op in trace.gemms}
    biases = sum(
        op.operations // rows[op.layer, op.name] for op in trace.others if op.kind == "bias"
    )
    rows_of_norms = 5 * config.usual_seq
    norms = sum(op.values_read // rows_of_norms for op in trace.others if op.kind == "norm")
    vectors = {"rms_norm": 1, "layer_norm": 2}[config.norm]
    tables = config.positions * config.hidden
    if config.patch_input is not None:
        tables += config.hidden  # the class token
    elif not config.tied_head:
        tables += config.vocab * config.hidden
    assert matrices + biases + norms * vectors + tables == config.parameters


def test_shapes_of_llama2_7b_in_prefill() -> None:
    trace = transformer_trace(PUBLISHED["llama2-7b"], batch=2, seq=100)
    assert shape(trace, "q_proj") == (200, 4096, 4096, 1)
    assert shape(trace, "k_proj") == (200, 4096, 4096, 1)
    assert shape(trace, "attention_scores") == (100, 100, 128, 64)
    assert shape(trace, "attention_values") == (100, 128, 100, 64)
    assert shape(trace, "gate_proj") == (200, 11008, 4096, 1)
    assert shape(trace, "down_proj") == (200, 4096, 11008, 1)
    assert shape(trace, "lm_head") == (2, 32000, 4096, 1)


def test_query_heads_that_share_keys_are_rows_of_one_gemm() -> None:
    prefill = transformer_trace(PUBLISHED["llama2-70b"], batch=2, seq=100)
    assert shape(prefill, "k_proj") == (200, 1024, 8192, 1)
    assert shape(prefill, "attention_scores") == (800, 100, 128, 16)
    assert shape(prefill, "attention_values") == (800, 128, 100, 16)
    decode = transformer_trace(PUBLISHED["llama2-70b"], phase="decode", batch=2, seq=100)
    assert shape(decode, "q_proj") == (2, 8192, 8192, 1)
    assert shape(decode, "attention_scores") == (8, 101, 128, 16)
    assert shape(decode, "attention_values") == (8, 128, 101, 16)
    assert shape(decode, "lm_head") == (2, 32000, 8192, 1)


def test_shapes_of_vit_h_16() -> None:
    trace = transformer_trace(PUBLISHED["vit-h-16"], batch=3)
    assert trace.seq == 197
    assert shape(trace, "patch_embedding") == (588, 1280, 768, 1)
    assert shape(trace, "attention_scores") == (197, 197, 80, 48)
    assert shape(trace, "fc1") == (591, 5120, 1280, 1)
    assert shape(trace, "classifier") == (3, 1000, 1280, 1)


def test_operators_of_a_layer_in_program_order() -> None:
    trace = transformer_trace(PUBLISHED["llama2-7b"])
    assert [op.name for op in trace.ops if op.layer == 31] == [
        "attention_norm",
        "q_proj",
        "k_proj",
        "v_proj",
        "rope",
        "attention_scores",
        "softmax",
        "attention_values",
        "o_proj",
        "attention_residual",
        "ffn_norm",
        "gate_proj",
        "up_proj",
        "activation",
        "down_proj",
        "ffn_residual",
    ]
    assert [op.name for op in trace.ops if op.layer == -1] == [
        "token_embedding",
        "final_norm",
        "lm_head",
    ]


def test_only_attention_reads_weights_that_are_computed_at_run_time() -> None:
    kinds = Counter(
        (op.name, op.weights)
        for op in transformer_trace(PUBLISHED["opt-6.7b"]).gemms
        if op.weights == "activation"
    )
    assert kinds == {("attention_scores", "activation"): 32, ("attention_values", "activation"): 32}


def test_scalar_operations_of_one_llama_layer() -> None:
    """Counted by hand for 3 tokens: hidden 4096, 32 heads of 128, ffn 11008."""
    trace = transformer_trace(PUBLISHED["llama2-7b"], seq=3)
    operations = {op.name: op.operations for op in trace.others if op.layer == 0}
    norm = 3 * (4096 + 4095 + 3 + 4096 + 4096)  # squares, sum, mean + eps and root, two products
    row = 3 + 3 + 2 + 3 + 3 + 2 + 1 + 3  # scale, mask, max, subtract, exp, sum, reciprocal, product
    assert operations == {
        "attention_norm": norm,
        "rope": 3 * 2 * 4096 * 3,
        "softmax": 3 * 32 * row,
        "attention_residual": 3 * 4096,
        "ffn_norm": norm,
        "activation": 3 * 11008 * (5 + 1),
        "ffn_residual": 3 * 4096,
    }


def test_scalar_operations_of_one_vit_layer() -> None:
    """Counted by hand for 197 tokens; nothing is masked."""
    trace = transformer_trace(PUBLISHED["vit-b-16"])
    operations = {op.name: op.operations for op in trace.others if op.layer == 0}
    mean, root, affine = 767 + 1, 768 + 768 + 767 + 3, 3 * 768
    row = 197 + 196 + 197 + 197 + 196 + 1 + 197
    assert operations["ffn_norm"] == 197 * (mean + root + affine)
    assert operations["softmax"] == 197 * 12 * row
    assert operations["activation"] == 197 * 3072 * 5
    assert operations["fc1_bias"] == 197 * 3072
    assert "rope" not in operations


def test_values_that_a_kernel_of_each_other_operator_moves() -> None:
    """By hand for 3 tokens of LLaMA-2-70B: hidden 8192, 64 heads, 8 of keys, ffn 28672."""
    trace = transformer_trace(PUBLISHED["llama2-70b"], seq=3)
    moved = {op.name: (op.values_read, op.values_written) for op in trace.others if op.layer == 0}
    hidden, ffn, rotated, scores = 3 * 8192, 3 * 28672, 3 * (8192 + 1024), 64 * 3 * 3
    assert moved == {
        "attention_norm": (hidden, hidden),
        "rope": (rotated, rotated),
        "softmax": (scores, scores),
        "attention_residual": (2 * hidden, hidden),
        "ffn_norm": (hidden, hidden),
        "activation": (2 * ffn, ffn),
        "ffn_residual": (2 * hidden, hidden),
    }


def test_every_other_operator_of_a_network_moves_values() -> None:
    for name in PUBLISHED:
        for op in transformer_trace(PUBLISHED[name]).others:
            assert op.values_written > 0 and op.values_read >= op.values_written, (name, op)


def test_bloom_has_its_own_norm_and_biases_scores_instead_of_rotating() -> None:
    trace = transformer_trace(PUBLISHED["bloom-176b"], seq=3)
    operations = {op.name: op.operations for op in trace.others if op.layer < 1}
    assert "rope" not in operations and "position_embedding" not in operations
    assert operations["embedding_norm"] == operations["attention_norm"]
    assert operations["softmax"] == 112 * 3 * (8 * 3 - 1)  # scale, bias, mask, and the five
    assert any("not modelled: norm, softmax" in note for note in trace.notes)


def test_bitnet_has_a_norm_before_each_output_projection() -> None:
    trace = transformer_trace(PUBLISHED["bitnet-3b"], seq=5)
    names = [op.name for op in trace.ops if op.layer == 0]
    assert names[names.index("o_proj") - 1] == "output_norm"
    assert names[names.index("down_proj") - 1] == "inner_norm"
    read = {op.name: op.values_read for op in trace.others}
    assert (read["output_norm"], read["inner_norm"]) == (5 * 3200, 5 * 8640)
    assert any("run at 2 bits as published" in note for note in trace.notes)


def test_decode_masks_nothing() -> None:
    decode = transformer_trace(PUBLISHED["llama2-7b"], phase="decode", seq=2)
    softmax = next(op for op in decode.others if op.kind == "softmax")
    assert softmax.operations == 32 * (3 + 2 + 3 + 3 + 2 + 1 + 3)


def test_notes_say_what_is_approximated() -> None:
    prefill = transformer_trace(PUBLISHED["llama2-70b"]).notes
    assert any("causal mask discards, are not skipped" in note for note in prefill)
    assert any("last token of each sequence only" in note for note in prefill)
    assert any("the 8 query heads that share" in note for note in prefill)
    assert any("rope, norm, softmax" in note and "cost no time" in note for note in prefill)
    decode = transformer_trace(PUBLISHED["opt-6.7b"], phase="decode").notes
    assert not any("causal" in note or "rope" in note for note in decode)
    assert any("2049 tokens are more than the 2048 the network was made" in n for n in decode)


def test_sizes_one_are_possible() -> None:
    trace = transformer_trace(PUBLISHED["llama2-7b"], phase="decode", batch=1, seq=1)
    assert shape(trace, "attention_scores") == (1, 2, 128, 32)
    assert all(isinstance(op, GemmOp) and op.m == 1 for op in trace.gemms)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("llama2-7b", {"phase": "train"}, r"^phase='train' must be prefill or decode; change pha"),
        ("llama2-7b", {"batch": 0}, r"^batch=0 must be a whole number from 1 to 1048576; change b"),
        ("llama2-7b", {"batch": True}, r"^batch=True must be a whole number from 1 to 1048576; ch"),
        (
            "llama2-7b",
            {"seq": -1},
            r"^seq=-1 must be a whole number from 1 to 1048576; change seq$",
        ),
        ("llama2-7b", {"seq": 2.5}, r"^seq=2\.5 must be a whole number from 1 to 1048576; change"),
        (
            "vit-b-16",
            {"phase": "decode"},
            r"^vit-b-16: phase='decode' needs a language model, and this is a vision transformer; "
            r"use prefill$",
        ),
        (
            "vit-b-16",
            {"seq": 2048},
            r"^vit-b-16: seq=2048 must be 197, one token for each of the 196 patches and a class "
            r"token; leave seq out$",
        ),
    ],
)
def test_refuses_impossible_runs(name: str, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(TraceError, match=message):
        transformer_trace(PUBLISHED[name], **arguments)
