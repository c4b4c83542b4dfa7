"""models/importers/hf_config.py and config_fields.py."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.errors import TraceError
from dovetail.models.importers.hf_config import hf_config, trace_from_hf_config
from dovetail.models.networks import network

# The fields that the published configs of these models hold, in so far as shapes need them.
LLAMA2_70B = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_act": "silu",
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "max_position_embeddings": 4096,
    "model_type": "llama",
    "num_attention_heads": 64,
    "num_hidden_layers": 80,
    "num_key_value_heads": 8,
    "rope_scaling": None,
    "tie_word_embeddings": False,
    "vocab_size": 32000,
}
OPT_6_7B = {
    "_remove_final_layer_norm": False,
    "activation_function": "relu",
    "do_layer_norm_before": True,
    "ffn_dim": 16384,
    "hidden_size": 4096,
    "max_position_embeddings": 2048,
    "model_type": "opt",
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "vocab_size": 50272,
    "word_embed_proj_dim": 4096,
}
OPT_350M = OPT_6_7B | {
    "do_layer_norm_before": False,
    "ffn_dim": 4096,
    "hidden_size": 1024,
    "num_attention_heads": 16,
    "num_hidden_layers": 24,
    "word_embed_proj_dim": 512,
}
VIT_B_16 = {
    "hidden_act": "gelu",
    "hidden_size": 768,
    "id2label": {str(k): f"label {k}" for k in range(1000)},
    "image_size": 224,
    "intermediate_size": 3072,
    "model_type": "vit",
    "num_attention_heads": 12,
    "num_channels": 3,
    "num_hidden_layers": 12,
    "patch_size": 16,
    "qkv_bias": True,
}


def written(folder: Path, values: object) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(values))
    return path


@pytest.mark.parametrize(
    ("values", "name"),
    [(LLAMA2_70B, "llama2-70b"), (OPT_6_7B, "opt-6.7b"), (VIT_B_16, "vit-b-16")],
)
def test_a_published_config_gives_the_named_network(
    tmp_path: Path, values: dict[str, Any], name: str
) -> None:
    trace = trace_from_hf_config(written(tmp_path, values))
    assert trace.ops == network(name).ops
    assert trace.seq == network(name).seq


@pytest.mark.parametrize(("values", "name"), [(LLAMA2_70B, "llama2-70b"), (OPT_6_7B, "opt-6.7b")])
def test_decode_batch_and_length_are_passed_on(
    tmp_path: Path, values: dict[str, Any], name: str
) -> None:
    trace = trace_from_hf_config(written(tmp_path, values), phase="decode", batch=4, seq=33)
    assert trace.ops == network(name, phase="decode", batch=4, seq=33).ops


@pytest.mark.parametrize(
    ("values", "parameters"),
    # The counts of the checkpoints; opt-125m ties its head and opt-350m projects its embedding.
    [
        (OPT_350M, 331_196_416),
        (
            OPT_6_7B
            | {
                "ffn_dim": 3072,
                "hidden_size": 768,
                "num_attention_heads": 12,
                "num_hidden_layers": 12,
                "word_embed_proj_dim": 768,
            },
            125_239_296,
        ),
        # TinyLlama-1.1B and SmolLM-135M (tied head), both with grouped queries.
        (
            LLAMA2_70B
            | {
                "hidden_size": 2048,
                "intermediate_size": 5632,
                "num_attention_heads": 32,
                "num_hidden_layers": 22,
                "num_key_value_heads": 4,
            },
            1_100_048_384,
        ),
        (
            LLAMA2_70B
            | {
                "hidden_size": 576,
                "intermediate_size": 1536,
                "num_attention_heads": 9,
                "num_hidden_layers": 30,
                "num_key_value_heads": 3,
                "tie_word_embeddings": True,
                "vocab_size": 49152,
            },
            134_515_008,
        ),
        # google/vit-base-patch16-224-in21k without its pooler of 768 x 768 + 768.
        ({k: v for k, v in VIT_B_16.items() if k != "id2label"}, 86_389_248 - 590_592),
    ],
)
def test_parameters_are_the_published_count(
    tmp_path: Path, values: dict[str, Any], parameters: int
) -> None:
    assert hf_config(written(tmp_path, values)).parameters == parameters


def test_an_embedding_of_another_width_is_projected(tmp_path: Path) -> None:
    trace = trace_from_hf_config(written(tmp_path, OPT_350M), seq=10)
    outside = {op.name: (op.m, op.n, op.k) for op in trace.gemms if op.layer == -1}
    assert outside == {
        "project_in": (10, 1024, 512),
        "project_out": (10, 512, 1024),
        "lm_head": (1, 50272, 512),
    }
    layer = [op.name for op in trace.ops if op.layer == 0]
    assert layer.index("attention_norm") == layer.index("attention_residual") + 1


def test_missing_key_value_heads_are_as_many_as_query_heads(tmp_path: Path) -> None:
    for absent in ({"num_key_value_heads": None}, {}):
        values = {k: v for k, v in LLAMA2_70B.items() if k != "num_key_value_heads"} | absent
        assert hf_config(written(tmp_path, values)).kv_heads == 64


def test_a_stated_head_dim_need_not_share_the_width(tmp_path: Path) -> None:
    values = LLAMA2_70B | {"head_dim": 96, "num_attention_heads": 40}
    trace = trace_from_hf_config(written(tmp_path, values), seq=4)
    shapes = {op.name: (op.n, op.k) for op in trace.gemms if op.layer == 0}
    assert shapes["q_proj"] == (40 * 96, 8192)
    assert shapes["k_proj"] == (8 * 96, 8192)
    assert shapes["o_proj"] == (8192, 40 * 96)


def test_biases_of_a_llama_are_counted(tmp_path: Path) -> None:
    values = LLAMA2_70B | {"attention_bias": True, "mlp_bias": True}
    biased = hf_config(written(tmp_path, values)).parameters
    plain = hf_config(written(tmp_path, LLAMA2_70B)).parameters
    assert biased - plain == 80 * (8192 + 2 * 1024 + 8192 + 2 * 28672 + 8192)


def test_the_name_is_that_of_the_models_folder(tmp_path: Path) -> None:
    folder = tmp_path / "Llama-2-70b-hf"
    folder.mkdir()
    path = written(folder, LLAMA2_70B)
    assert trace_from_hf_config(path).network == "Llama-2-70b-hf"
    assert trace_from_hf_config(path.rename(folder / "big.json")).network == "big"


def test_the_usual_length_is_at_most_the_networks_own(tmp_path: Path) -> None:
    short = written(tmp_path, LLAMA2_70B | {"max_position_embeddings": 512})
    assert trace_from_hf_config(short).seq == 512


def test_notes_list_the_fields_read_and_ignored(tmp_path: Path) -> None:
    notes = trace_from_hf_config(written(tmp_path, LLAMA2_70B)).notes
    assert "ignored in config.json: architectures, rope_scaling" in notes
    (read,) = [note for note in notes if note.startswith("read from config.json: ")]
    assert "num_key_value_heads" in read
    assert any(note.startswith("approximated: attention is computed in full") for note in notes)


def test_a_vit_without_labels_has_no_classifier_and_says_so(tmp_path: Path) -> None:
    values = {k: v for k, v in VIT_B_16.items() if k != "id2label"}
    trace = trace_from_hf_config(written(tmp_path, values))
    assert "classifier" not in {op.name for op in trace.gemms}
    assert "not modelled: classifier and pooler, for the config lists no id2label" in trace.notes


BAD_VALUES = [0, -1, True, 1.5, float("nan"), float("inf"), "64", [], {}, 1 << 40]


@pytest.mark.parametrize("value", BAD_VALUES, ids=str)
@pytest.mark.parametrize(
    ("values", "field"),
    [
        (LLAMA2_70B, "hidden_size"),
        (LLAMA2_70B, "intermediate_size"),
        (LLAMA2_70B, "num_hidden_layers"),
        (LLAMA2_70B, "num_key_value_heads"),
        (LLAMA2_70B, "head_dim"),
        (LLAMA2_70B, "vocab_size"),
        (OPT_6_7B, "ffn_dim"),
        (OPT_6_7B, "word_embed_proj_dim"),
        (OPT_6_7B, "max_position_embeddings"),
        (VIT_B_16, "image_size"),
        (VIT_B_16, "patch_size"),
        (VIT_B_16, "num_channels"),
    ],
)
def test_a_size_must_be_a_whole_number(
    tmp_path: Path, values: dict[str, Any], field: str, value: object
) -> None:
    path = written(tmp_path, values | {field: value})
    message = rf"^{path}: {field}=.* must be a whole number from 1 to [0-9]+; correct the config$"
    with pytest.raises(TraceError, match=message):
        trace_from_hf_config(path)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        (LLAMA2_70B, "hidden_size"),
        (LLAMA2_70B, "num_hidden_layers"),
        (LLAMA2_70B, "num_attention_heads"),
        (LLAMA2_70B, "vocab_size"),
        (OPT_6_7B, "ffn_dim"),
        (OPT_6_7B, "max_position_embeddings"),
        (VIT_B_16, "image_size"),
        (VIT_B_16, "intermediate_size"),
    ],
)
def test_a_missing_size_is_named(tmp_path: Path, values: dict[str, Any], field: str) -> None:
    path = written(tmp_path, {k: v for k, v in values.items() if k != field})
    message = rf"^{path}: {field} is missing; a config of this family must state it$"
    with pytest.raises(TraceError, match=message):
        trace_from_hf_config(path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            LLAMA2_70B | {"model_type": "mamba"},
            r"model_type='mamba' must be one of llama, opt, vit; write other networks as a CSV of "
            r"GEMMs",
        ),
        ({"hidden_size": 64}, r"model_type=None must be one of llama, opt, vit; write other .*"),
        (
            LLAMA2_70B | {"num_key_value_heads": 7},
            r"num_attention_heads=64 must be a multiple of num_key_value_heads=7; correct the con"
            r"fig",
        ),
        (
            OPT_6_7B | {"num_attention_heads": 33},
            r"hidden_size=4096 must be a multiple of num_attention_heads=33; correct the config",
        ),
        (
            VIT_B_16 | {"patch_size": 225},
            r"patch_size=225 must not exceed image_size=224; correct the config",
        ),
        (
            LLAMA2_70B | {"tie_word_embeddings": 1},
            r"tie_word_embeddings=1 must be true or false; correct the config",
        ),
        (
            LLAMA2_70B | {"hidden_act": "mystery"},
            r"hidden_act='mystery' must be one of gelu, gelu_new, .*, swish; correct the config",
        ),
        (VIT_B_16 | {"id2label": 7}, r"id2label=7 must be an object of labels; correct the config"),
        (
            [1, 2],
            r"holds \[1, 2\]; a config\.json holds one object with the model's fields; save it "
            r"again",
        ),
    ],
)
def test_refuses_what_it_cannot_mean(tmp_path: Path, values: object, message: str) -> None:
    path = written(tmp_path, values)
    with pytest.raises(TraceError, match=rf"^{path}: {message}$"):
        trace_from_hf_config(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        json.dumps(LLAMA2_70B)[:-1].encode(),
        json.dumps(LLAMA2_70B)[:57].encode(),
        b"hidden_size = 4096",
        b"\x89PNG\r\n\x1a\n\0\0",
        b"[" * 100_000,
        b'{"hidden_size": ' + b"9" * 5000 + b"}",
    ],
)
def test_a_file_that_is_not_json_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    message = rf"^{path}: not JSON, or cut short; save the model's config\.json again$"
    with pytest.raises(TraceError, match=message):
        trace_from_hf_config(path)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    message = rf"^{path}: No such file or directory; name a config\.json that exists$"
    with pytest.raises(TraceError, match=message):
        trace_from_hf_config(path)


JSON_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 70), st.floats(), st.text(max_size=3), st.just([])
)


@settings(max_examples=150)
@given(
    values=st.sampled_from([LLAMA2_70B, OPT_350M, VIT_B_16]),
    changes=st.dictionaries(
        st.sampled_from(sorted({*LLAMA2_70B, *OPT_350M, *VIT_B_16, "head_dim", "mlp_bias"})),
        JSON_VALUES,
        max_size=4,
    ),
)
def test_any_change_gives_a_trace_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any], changes: dict[str, object]
) -> None:
    path = written(tmp_path_factory.mktemp("hf"), values | changes)
    try:
        trace = trace_from_hf_config(path)
    except TraceError as error:
        assert "\n" not in str(error)
    else:
        assert trace.macs > 0
