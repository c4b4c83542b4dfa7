"""The nine values under a 3x3 window whose taps lie a pixel's own square offset apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.deform import TAPS, ZERO


def tap_positions(
    offsets: NDArray[np.integer], *, stride: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column that each tap of each output pixel reads; outside the map is allowed.

    Parameters
    ----------
    offsets : integers, shape (out_height, out_width)
        Square offset ``s`` of each output pixel.
    stride : int
        Input pixels from one output pixel's centre to the next.

    Returns
    -------
    rows, columns : int64, shape (9, out_height, out_width)
        Taps row by row: tap ``3 * i + j`` lies ``s * (i - 1)`` rows and ``s * (j - 1)`` columns
        from the centre.
    """
    height, width = offsets.shape
    s = offsets.astype(np.int64)
    tap = np.arange(TAPS)
    rows = stride * np.arange(height)[:, None] + s * (tap // 3 - 1)[:, None, None]
    columns = stride * np.arange(width)[None, :] + s * (tap % 3 - 1)[:, None, None]
    return rows, columns


def square_windows(
    image: NDArray[np.int8], offsets: NDArray[np.integer], *, stride: int = 1
) -> NDArray[np.int8]:
    """Gather the window of every output pixel; a tap outside the map reads -128, a zero.

    Parameters
    ----------
    image : int8, shape (height, width, channels)
    offsets : integers, shape (out_height, out_width)
    stride : int
        1 or 2.

    Returns
    -------
    int8, shape (9, out_height, out_width, channels)
    """
    rows, columns = tap_positions(offsets, stride=stride)
    height, width, _ = image.shape
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    values = image[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)]
    return np.where(inside[..., None], values, np.int8(ZERO))
