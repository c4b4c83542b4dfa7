"""The photograph on which routing is measured: one that matplotlib ships, at a data set's size."""

from __future__ import annotations

from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray

from dovetail.errors import ShapeError

Pixels = NDArray[np.uint8]

PHOTOGRAPH = "grace_hopper.jpg"
"""Rear Admiral Grace Hopper, US Navy, public domain; 512 x 600 pixels."""


def photograph(height: int, width: int) -> Pixels:
    """The photograph, cut to the proportions asked for and resampled.

    Returns
    -------
    uint8, shape (height, width, 3)
    """
    # Imported on use: drawing takes a second to load.
    from matplotlib.image import imread

    with as_file(files("matplotlib") / "mpl-data" / "sample_data" / PHOTOGRAPH) as path:
        return resampled(np.asarray(imread(path), dtype=np.uint8), height, width)


def resampled(image: Pixels, height: int, width: int) -> Pixels:
    """Cut ``image`` about its middle to ``height : width`` and interpolate between pixels.

    Parameters
    ----------
    image : uint8, shape (rows, columns, 3)

    Returns
    -------
    uint8, shape (height, width, 3)
    """
    if image.ndim != 3 or image.shape[2] != 3:
        raise ShapeError(f"image has shape {image.shape}; it must be (rows, columns, 3)")
    rows, columns = image.shape[:2]
    scale = min(rows / height, columns / width)
    vertical = _interpolation(height, scale, rows)
    horizontal = _interpolation(width, scale, columns)
    mixed = np.einsum("yr,rcx->ycx", vertical, image.astype(np.float64))
    mixed = np.einsum("xc,yck->yxk", horizontal, mixed)
    sampled: Pixels = np.rint(mixed).astype(np.uint8)
    return sampled


def _interpolation(count: int, scale: float, available: int) -> NDArray[np.float64]:
    """Weights of the two nearest pixels of each sample, shape (count, available)."""
    centre = (np.arange(count) - (count - 1) / 2) * scale + (available - 1) / 2
    left = np.clip(np.floor(centre).astype(int), 0, available - 2)
    right_part = np.clip(centre - left, 0, 1)
    weights = np.zeros((count, available))
    at = np.arange(count)
    weights[at, left] = 1 - right_part
    weights[at, left + 1] = right_part
    return weights
