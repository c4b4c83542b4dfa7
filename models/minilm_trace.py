"""The trace of the network with real weights, with real operands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from dovetail.errors import TraceError
from dovetail.models.minilm import (
    FFN,
    HEAD_WIDTH,
    HEADS,
    HIDDEN,
    LAYERS,
    float_linear,
    minilm_forward,
)
from dovetail.models.networks.other_work import (
    ACTIVATION_OPERATIONS,
    layer_norm_operations,
    softmax_operations,
)
from dovetail.models.trace import GemmOp, OtherOp, Trace

_SHAPES = {
    "q_proj": (HIDDEN, HIDDEN),
    "k_proj": (HIDDEN, HIDDEN),
    "v_proj": (HIDDEN, HIDDEN),
    "o_proj": (HIDDEN, HIDDEN),
    "fc1": (FFN, HIDDEN),
    "fc2": (HIDDEN, FFN),
}
"""(n, k) of each linear layer."""


def minilm_trace(sentences: Sequence[str], *, operand_layers: Collection[int] = (0,)) -> Trace:
    """Run the network and record its trace, with real operands of some layers.

    Sentences are packed without padding, so there is one attention GEMM for each sentence length;
    its name ends in that length.

    Parameters
    ----------
    sentences : sequence of str
        At least one.
    operand_layers : collection of int
        Layers, 0 to 5, of which the operands of all six linear layers are kept: 7 MB of weights
        a layer and 14 KB a token.  Operands of attention are not kept.
    """
    unknown = sorted(set(operand_layers) - set(range(LAYERS)))
    if unknown:
        raise TraceError(
            f"operand_layers holds {unknown[0]}; the layers are 0 to {LAYERS - 1}, "
            f"so remove it from operand_layers"
        )
    operands: dict[str, NDArray[np.float32]] = {}

    def recording(name: str, a: NDArray[np.float32], w: NDArray[np.float32]) -> NDArray[np.float32]:
        if int(name.split(".")[0]) in operand_layers:
            operands[f"{name}.a"], operands[f"{name}.w"] = a, w
        return float_linear(name, a, w)

    lengths = minilm_forward(sentences, linear=recording).lengths
    return Trace(
        network="minilm-l6",
        phase="prefill",
        batch=len(lengths),
        seq=max(lengths),
        ops=tuple(_operators(lengths)),
        notes=(
            "modelled: every linear layer and both attention products, as GEMMs of true shape",
            f"modelled: sentences packed without padding, {sum(lengths)} tokens, {min(lengths)} to "
            f"{max(lengths)} a sentence; the longest stands as seq",
            "modelled: one attention GEMM for each sentence length, which ends its name",
            "not modelled: norm, softmax, activation function, residual, embedding, bias and "
            "pooling are counted as scalar operations and cost no time",
        ),
        operands=operands,
    )


def _operators(lengths: Sequence[int]) -> list[GemmOp | OtherOp]:
    tokens = sum(lengths)
    softmax = sum(HEADS * n * softmax_operations(n, masked=False) for n in lengths)
    scores = HEADS * sum(n * n for n in lengths)
    hidden, inner = tokens * HIDDEN, tokens * FFN
    # Token, position and segment embedding are added; pooling is a mean and a division by the
    # root of the sum of squares.
    ops: list[GemmOp | OtherOp] = [
        _other("embedding", -1, "embedding", 2 * hidden, reads=3 * hidden, writes=hidden),
        _norm("embedding_norm", -1, tokens),
    ]
    for layer in range(LAYERS):
        ops += [
            op for name in ("q_proj", "k_proj", "v_proj") for op in _linear(name, layer, tokens)
        ]
        ops += _attention("attention_scores", layer, lengths)
        ops.append(_other("softmax", layer, "softmax", softmax, reads=scores, writes=scores))
        ops += _attention("attention_values", layer, lengths)
        ops += _linear("o_proj", layer, tokens)
        ops += _residual_and_norm("attention", layer, tokens)
        ops += _linear("fc1", layer, tokens)
        gelu = inner * ACTIVATION_OPERATIONS["gelu"]
        ops.append(_other("activation", layer, "activation", gelu, reads=inner, writes=inner))
        ops += _linear("fc2", layer, tokens)
        ops += _residual_and_norm("ffn", layer, tokens)
    pooled = len(lengths) * HIDDEN
    ops.append(_other("pooling", -1, "pooling", hidden + 3 * pooled, reads=hidden, writes=pooled))
    return ops


def _other(
    name: str, layer: int, kind: str, operations: int, *, reads: int, writes: int
) -> OtherOp:
    return OtherOp(
        name=name,
        layer=layer,
        kind=kind,
        operations=operations,
        values_read=reads,
        values_written=writes,
    )


def _norm(name: str, layer: int, tokens: int) -> OtherOp:
    values = tokens * HIDDEN
    operations = tokens * layer_norm_operations(HIDDEN)
    return _other(name, layer, "norm", operations, reads=values, writes=values)


def _linear(name: str, layer: int, tokens: int) -> tuple[GemmOp, OtherOp]:
    n, k = _SHAPES[name]
    results = tokens * n
    return (
        GemmOp(name=name, layer=layer, m=tokens, n=n, k=k),
        _other(f"{name}_bias", layer, "bias", results, reads=results, writes=results),
    )


def _attention(name: str, layer: int, lengths: Sequence[int]) -> list[GemmOp]:
    scores = name == "attention_scores"
    return [
        GemmOp(
            name=f"{name}_{length}",
            layer=layer,
            m=length,
            n=length if scores else HEAD_WIDTH,
            k=HEAD_WIDTH if scores else length,
            count=HEADS * sentences,
            weights="activation",
        )
        for length, sentences in sorted(Counter(lengths).items())
    ]


def _residual_and_norm(name: str, layer: int, tokens: int) -> tuple[OtherOp, OtherOp]:
    values = tokens * HIDDEN
    return (
        _other(f"{name}_residual", layer, "residual", values, reads=2 * values, writes=values),
        _norm(f"{name}_norm", layer, tokens),
    )
