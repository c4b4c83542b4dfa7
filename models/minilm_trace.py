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
    norm = tokens * layer_norm_operations(HIDDEN)
    softmax = sum(HEADS * n * softmax_operations(n, masked=False) for n in lengths)
    # Token, position and segment embedding are added; pooling is a mean and a division by the
    # root of the sum of squares.
    ops: list[GemmOp | OtherOp] = [
        OtherOp(name="embedding", layer=-1, kind="embedding", operations=2 * tokens * HIDDEN),
        OtherOp(name="embedding_norm", layer=-1, kind="norm", operations=norm),
    ]
    for layer in range(LAYERS):
        ops += [
            op for name in ("q_proj", "k_proj", "v_proj") for op in _linear(name, layer, tokens)
        ]
        ops += _attention("attention_scores", layer, lengths)
        ops.append(OtherOp(name="softmax", layer=layer, kind="softmax", operations=softmax))
        ops += _attention("attention_values", layer, lengths)
        ops += _linear("o_proj", layer, tokens)
        ops += _residual_and_norm("attention", layer, tokens)
        ops += _linear("fc1", layer, tokens)
        gelu = tokens * FFN * ACTIVATION_OPERATIONS["gelu"]
        ops.append(OtherOp(name="activation", layer=layer, kind="activation", operations=gelu))
        ops += _linear("fc2", layer, tokens)
        ops += _residual_and_norm("ffn", layer, tokens)
    pooling = tokens * HIDDEN + len(lengths) * 3 * HIDDEN
    ops.append(OtherOp(name="pooling", layer=-1, kind="pooling", operations=pooling))
    return ops


def _linear(name: str, layer: int, tokens: int) -> tuple[GemmOp, OtherOp]:
    n, k = _SHAPES[name]
    return (
        GemmOp(name=name, layer=layer, m=tokens, n=n, k=k),
        OtherOp(name=f"{name}_bias", layer=layer, kind="bias", operations=tokens * n),
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
    norm = tokens * layer_norm_operations(HIDDEN)
    return (
        OtherOp(name=f"{name}_residual", layer=layer, kind="residual", operations=tokens * HIDDEN),
        OtherOp(name=f"{name}_norm", layer=layer, kind="norm", operations=norm),
    )
