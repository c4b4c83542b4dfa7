"""What the weights of a tile's one column look like where units receive them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.engine import SCALE_BITS, WEIGHT_BITS
from dovetail.models.mpgemm import GemmOperands
from dovetail.models.quantize import dequantize_to_int8, natural_weight_shift


def word_bytes(tile: GemmOperands) -> NDArray[np.int64]:
    """Code of each k and, above it, the high nibble of its scratchpad word.

    A word holds two k, so that nibble is the odd one's.
    """
    codes = tile.weights[0].astype(np.int64) & ((1 << WEIGHT_BITS) - 1)
    word: NDArray[np.int64] = codes | np.repeat(codes[1::2], 2) << WEIGHT_BITS
    return word


def scale_lanes(tile: GemmOperands) -> NDArray[np.int64]:
    """Scale and zero point of the group of each k, as one lane."""
    assert tile.scale is not None and tile.zero is not None
    lane = tile.scale[0] | tile.zero[0] << SCALE_BITS
    return np.repeat(lane, tile.group)[: tile.weights.shape[1]]


def dequantized(tile: GemmOperands, zero_point: bool) -> NDArray[np.int8]:
    """The weights in INT8, with the shift that fills it."""
    assert tile.scale is not None and tile.zero is not None
    weights = dequantize_to_int8(
        tile.weights,
        tile.scale,
        tile.zero,
        group=tile.group,
        weight_shift=natural_weight_shift(zero_point),
    )
    column: NDArray[np.int8] = weights[0]
    return column
