"""The per-channel requantiser: a convolution's sum becomes an activation byte.

Source: github.com/hqjenny/CoDeNet, ``hls/top``, the integer path of the quantised network.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.deform import SCALE_BITS, SUM_BITS, ZERO
from dovetail.errors import ShapeError


def requantise(
    sums: NDArray[np.int64],
    scale: NDArray[np.int16],
    bias: NDArray[np.int16],
    *,
    relu: bool = False,
) -> NDArray[np.int8]:
    """Scale, round half up, add the bias, move the zero point to -128 and clamp.

    ``q = ((sum * scale + 2^15) >> 16) + bias``, with ``relu`` at least 0, and the byte stored is
    ``clamp(q - 128, -128, 127)``.  The shift rounds towards minus infinity, so a half goes up for
    either sign.  The clamp alone removes negative values, so ``relu`` changes no result.

    Parameters
    ----------
    sums : int64, shape (..., channels)
        Each within 24 signed bits.
    scale, bias : int16, shape (channels,)
    relu : bool

    Returns
    -------
    int8, shape of ``sums``
    """
    if scale.dtype != np.int16 or bias.dtype != np.int16:
        raise ShapeError(
            f"scale is {scale.dtype} and bias {bias.dtype}; both must be int16, so convert them"
        )
    if scale.shape != sums.shape[-1:] or bias.shape != scale.shape:
        raise ShapeError(
            f"scale has shape {scale.shape} and bias {bias.shape}; both must be "
            f"{sums.shape[-1:]}, one value for each channel"
        )
    limit = 1 << (SUM_BITS - 1)
    if sums.size and not (-limit <= sums.min() and sums.max() < limit):
        raise ShapeError(
            f"a sum lies outside the {SUM_BITS} bits of an accumulator; sum fewer channels"
        )
    half = 1 << (SCALE_BITS - 1)
    q = ((sums * scale.astype(np.int64) + half) >> SCALE_BITS) + bias
    if relu:
        q = np.maximum(q, 0)
    stored: NDArray[np.int8] = np.clip(q + ZERO, -128, 127).astype(np.int8)
    return stored
