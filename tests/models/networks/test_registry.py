"""models/networks/registry.py."""

import pytest

from dovetail.errors import ToolError, TraceError
from dovetail.models.minilm import minilm_folder
from dovetail.models.networks import network, network_names
from dovetail.models.networks.registry import REAL

FORWARD_PASS = ("m3vit-small", "m3vit-base")  # take seconds; benchmarks run the small one


@pytest.mark.parametrize(
    "name", [name for name in network_names() if name not in (REAL, *FORWARD_PASS)]
)
def test_every_name_gives_its_network(name: str) -> None:
    trace = network(name)
    assert trace.network == name
    assert trace.phase == "prefill"
    assert trace.macs > 0
    assert trace.notes


@pytest.mark.parametrize(
    ("name", "batch", "seq"),
    [
        ("llama2-7b", 1, 2048),
        ("opt-6.7b", 1, 2048),
        ("vit-b-16", 1, 197),
        ("opt-6.7b-authors", 64, 1),
    ],
)
def test_the_usual_batch_and_length(name: str, batch: int, seq: int) -> None:
    trace = network(name)
    assert (trace.batch, trace.seq) == (batch, seq)


def test_a_single_layer_is_the_first_of_its_network() -> None:
    for phase, batch, seq in (("prefill", 1, 4096), ("decode", 1024, 1)):
        whole = network("llama2-70b", phase=phase, batch=batch, seq=seq)
        layer = network("llama2-70b-layer", phase=phase, batch=batch, seq=seq)
        assert layer.network == "llama2-70b-layer"
        assert layer.ops == tuple(op for op in whole.ops if op.layer == 0)
        assert not any("lm_head" in note for note in layer.notes)


def test_a_vision_transformer_has_no_single_layer() -> None:
    assert "vit-b-16-layer" not in network_names()


def test_names_are_different() -> None:
    assert len(set(network_names())) == len(network_names()) == 49


def test_an_unknown_name_lists_the_names_and_the_closest() -> None:
    message = (
        r"^no network named 'llama-7b'; did you mean llama2-7b\? the networks are llama2-7b, "
        r"llama2-13b, .*, m3vit-base-same, codenet-a, .*, codenet-c-full-square, minilm-l6; "
        r"one of your own is a \.csv, \.json or \.npz file$"
    )
    with pytest.raises(TraceError, match=message):
        network("llama-7b")


def test_a_name_like_no_other_gets_no_guess() -> None:
    with pytest.raises(TraceError, match=r"^no network named 'zzz'; the networks are llama2-7b, "):
        network("zzz")


@pytest.fixture
def real_weights() -> None:
    try:
        minilm_folder()
    except ToolError as error:
        pytest.skip(str(error))


def test_the_network_with_real_weights_has_its_own_operands(real_weights: None) -> None:
    trace = network(REAL)
    assert trace.network == REAL
    assert trace.operands["0.q_proj.w"].shape == (384, 384)


@pytest.mark.parametrize(("field", "value"), [("phase", "decode"), ("batch", 1), ("seq", 128)])
def test_its_sentences_fix_batch_and_length(real_weights: None, field: str, value: object) -> None:
    message = rf"^{field}={value!r} cannot be had of minilm-l6, whose sentences fix it to "
    with pytest.raises(TraceError, match=message):
        network(REAL, **{field: value})
