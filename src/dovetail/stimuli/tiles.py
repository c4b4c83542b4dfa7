"""Array tiles whose operands the stimuli stream: of the network with real weights, random, or zero.

The real ones are a definite walk over the network: one round visits nine array tiles in all six
layers, each linear layer in proportion to its MACs (four of the FFN's first, whose n is four times
the others'; one of its second, whose k is).  Later rounds take other tokens and other channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import count
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dovetail.models.minilm import FFN, HIDDEN, float_linear, minilm_forward, minilm_sentences
from dovetail.models.mpgemm import GemmOperands
from dovetail.models.quantize import SCALE_MAX, quantize_activations, quantize_weights

Kind = Literal["real", "random", "zero"]
Matrix = NDArray[np.float32]
Bits = NDArray[np.uint16]

ROUND = (
    "0.q_proj",
    "0.fc1",
    "1.k_proj",
    "2.fc1",
    "3.fc2",
    "3.v_proj",
    "4.fc1",
    "5.o_proj",
    "5.fc1",
)
"""Linear layer of each tile of a round."""

ORIGINS: Mapping[Kind, str] = {
    "real": "all-MiniLM-L6-v2 on 32 sentences: array tiles of the linear layers of its six layers, "
    "in proportion to their MACs",
    "random": "random operands, uniform over their formats",
    "zero": "zeros",
}
"""Where operands come from, in words."""

# From one tile to the next, in blocks; odd, so that later rounds come to other blocks.
_TOKEN_STRIDE = 5
_CHANNEL_STRIDE = 7
_SEED = 1


def reduction_length(name: str) -> int:
    """k of the linear layer ``name``, such as ``3.fc2``."""
    return FFN if name.endswith("fc2") else HIDDEN


def float_tiles(*, rows: int, cols: int) -> Iterator[tuple[Matrix, Matrix]]:
    """Walk over the network without end: activations (rows, k) and weights (cols, k) of each tile.

    Raises
    ------
    ToolError
        Where the package of the network with real weights is missing.
    """
    operands = _linear_operands()
    for index in count():
        a, w = operands[ROUND[index % len(ROUND)]]
        first_row = rows * (_TOKEN_STRIDE * index % (a.shape[0] // rows))
        first_col = cols * (_CHANNEL_STRIDE * index % (w.shape[0] // cols))
        yield a[first_row : first_row + rows], w[first_col : first_col + cols]


@cache
def _linear_operands() -> Mapping[str, tuple[Matrix, Matrix]]:
    operands: dict[str, tuple[Matrix, Matrix]] = {}

    def recording(name: str, a: Matrix, w: Matrix) -> Matrix:
        if name in ROUND:
            operands[name] = a, w
        return float_linear(name, a, w)

    minilm_forward(minilm_sentences(), linear=recording)
    return operands


def tiles(
    kind: Kind,
    *,
    rows: int,
    cols: int,
    group: int,
    zero_point: bool,
    activation_bits: Literal[4, 8, 16] = 8,
    floating: bool = False,
) -> Iterator[GemmOperands]:
    """Quantised tiles without end; random and zero ones have the shapes of the real walk.

    Random operands are uniform over the whole range of their formats, FP16 over the patterns of
    numbers below 2, whose sums no format overflows.

    Parameters
    ----------
    kind : str
    rows, cols : int
        Of the array.
    group : int
        Length of a quantisation group along k.
    zero_point : bool
        Weights 0..15 with a zero point; else -8..7.
    activation_bits : int
    floating : bool
        Activations are bits of FP16.
    """
    if kind == "real":
        for a, w in float_tiles(rows=rows, cols=cols):
            weights = quantize_weights(w, group=group, zero_point=zero_point)
            yield GemmOperands(
                activations=(
                    fp16_bits(a)
                    if floating
                    else quantize_activations(a, bits=activation_bits).codes
                ),
                weights=weights.codes,
                scale=weights.scale.astype(np.int64),
                zero=weights.zero.astype(np.int64),
                group=group,
            )
    rng = np.random.default_rng(_SEED)
    most = 1 << (activation_bits - 1)
    for index in count():
        k = reduction_length(ROUND[index % len(ROUND)])
        shape = (cols, -(-k // group))
        activations: NDArray[np.int8] | NDArray[np.int16] | NDArray[np.uint16]
        if floating:
            activations = _random_fp16(rng, (rows, k))
        else:
            drawn = rng.integers(-most, most, (rows, k))
            activations = drawn.astype(np.int8) if activation_bits <= 8 else drawn.astype(np.int16)
        weights_ = rng.integers(0, 16, (cols, k)) - (0 if zero_point else 8)
        scale = rng.integers(0, SCALE_MAX + 1, shape)
        zero = rng.integers(0, 16 if zero_point else 1, shape)
        keep = int(kind == "random")
        yield GemmOperands(
            activations=activations if keep else np.zeros_like(activations),
            weights=(keep * weights_).astype(np.int8),
            scale=keep * scale,
            zero=keep * zero,
            group=group,
        )


def fp16_tiles(kind: Kind, *, rows: int, cols: int) -> Iterator[tuple[Bits, Bits]]:
    """Tiles without end whose activations (rows, k) and weights (cols, k) are bits of FP16."""
    if kind == "real":
        for a, w in float_tiles(rows=rows, cols=cols):
            yield fp16_bits(a), fp16_bits(w)
    rng = np.random.default_rng(_SEED)
    keep = np.uint16(kind == "random")
    for index in count():
        k = reduction_length(ROUND[index % len(ROUND)])
        yield keep * _random_fp16(rng, (rows, k)), keep * _random_fp16(rng, (cols, k))


def fp16_bits(values: Matrix) -> Bits:
    """Bits of the values rounded to FP16."""
    bits: Bits = values.astype(np.float16).view(np.uint16)
    return bits


def _random_fp16(rng: np.random.Generator, shape: tuple[int, int]) -> Bits:
    two = int(np.float16(2).view(np.uint16))
    sign = rng.integers(0, 2, shape, dtype=np.uint16) << np.uint16(15)
    bits: Bits = sign | rng.integers(0, two, shape, dtype=np.uint16)
    return bits
