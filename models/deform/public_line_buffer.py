"""What the public engine's line buffer really returns: rows that were overwritten too early.

The public HLS code keeps 2N + 1 rows and reads row r's windows while row r + N + 1 arrives, in the
place of row r - N.  A square offset of N needs row r - N, so it reads a row of which the left part
is the wrong one.  This states the defect, so that a test can show it; the engine of
``lead = "exact"`` does not have it.

Source: github.com/hqjenny/CoDeNet, ``hls/top/conv.h``, for N = 7.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.deform import ZERO
from dovetail.models.deform.windows import tap_positions


def public_square_windows(
    image: NDArray[np.int8], offsets: NDArray[np.uint8], *, bound: int, stride: int = 1
) -> NDArray[np.int8]:
    """Gather windows through a buffer in which the writer leads by ``bound + 1`` rows.

    Row y lies in bank y mod ``2 * bound + 1``.  When the window of input pixel (r, c) is read, all
    rows above r + bound + 1 have been written, and row r + bound + 1 up to column c, all channels
    of a pixel at once.  A bank returns what was written last.

    Parameters
    ----------
    image : int8, shape (height, width, channels)
    offsets : uint8, shape (out_height, out_width)
        Each from 0 to ``bound``.
    bound : int
        N, the largest square offset.
    stride : int
        1 or 2.

    Returns
    -------
    int8, shape (9, out_height, out_width, channels)
    """
    wanted, columns = tap_positions(offsets, stride=stride)
    height, width, _ = image.shape
    inside = (wanted >= 0) & (wanted < height) & (columns >= 0) & (columns < width)
    out_height, out_width = offsets.shape
    row = stride * np.arange(out_height)[None, :, None]
    column = stride * np.arange(out_width)[None, None, :]
    # The newest row written in a tap's column; below the image nothing arrives.
    newest = np.minimum(row + bound + (columns <= column), height - 1)
    found = newest - (newest - wanted) % (2 * bound + 1)
    values = image[np.clip(found, 0, height - 1), np.clip(columns, 0, width - 1)]
    return np.where(inside[..., None], values, np.int8(ZERO))
