"""Square offsets of a whole map: drawn from distributions that match the published histogram.

The published histogram of sampling distances, over 5,000 COCO images, has mean 3.81 and standard
deviation 2.76 pixels and a tail that ends at 15 to 17 (CoDeNet talk, FPGA 2021, slide 31).  Its
shape beyond these is not published, so there are two candidates, and what depends on the tail can
be seen to.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dovetail.errors import TraceError

MEAN_PIXELS = 3.81
DEVIATION_PIXELS = 2.76
TAIL_PIXELS = 17.0

Distribution = Literal["gamma", "lognormal"]


def synthetic_offsets(
    shape: tuple[int, int],
    *,
    distribution: Distribution = "gamma",
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Draw independent offsets with the published mean and deviation.

    Parameters
    ----------
    shape : (int, int)
    distribution : str
        ``gamma``: 0.2 % lie above 17 pixels.  ``lognormal``: 0.4 %.  What lies above is set to
        17, which takes 1 % and 4 % of the deviation.
    rng : numpy.random.Generator

    Returns
    -------
    float32, shape ``shape``
    """
    variation = (DEVIATION_PIXELS / MEAN_PIXELS) ** 2
    if distribution == "gamma":
        drawn = rng.gamma(1 / variation, MEAN_PIXELS * variation, shape)
    elif distribution == "lognormal":
        sigma = np.sqrt(np.log1p(variation))
        drawn = rng.lognormal(np.log(MEAN_PIXELS) - sigma**2 / 2, sigma, shape)
    else:
        raise TraceError(
            f"distribution={distribution!r} must be one of "
            f"{', '.join(get_args(Distribution))}; change it"
        )
    return np.minimum(drawn, TAIL_PIXELS).astype(np.float32)


def with_published_histogram(
    values: NDArray[np.floating], *, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Replace values by draws from the gamma distribution that stand in the same order.

    So what an untrained generator says about where offsets are large stays, and how large they
    are is as published.

    Parameters
    ----------
    values : float, shape (height, width)
    rng : numpy.random.Generator

    Returns
    -------
    float32, same shape
    """
    drawn = np.sort(synthetic_offsets((1, values.size), rng=rng)[0])
    placed = np.empty(values.size, dtype=np.float32)
    placed[np.argsort(values, axis=None, kind="stable")] = drawn
    return placed.reshape(values.shape)


def sampling_positions(
    shape: tuple[int, int], *, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Whole pixels that nine freely displaced taps of each output pixel read.

    Each tap lies in a direction of its own at a distance from the gamma distribution, from the
    pixel's centre; rounding is to the nearest pixel.

    Parameters
    ----------
    shape : (int, int)
    rng : numpy.random.Generator

    Returns
    -------
    rows, columns : int64, shape (9, height, width)
        Some lie outside the map.
    """
    height, width = shape
    distance = synthetic_offsets((height, width * 9), rng=rng).reshape(9, height, width)
    angle = rng.uniform(0, 2 * np.pi, distance.shape)
    rows = np.arange(height)[:, None] + distance * np.sin(angle)
    columns = np.arange(width)[None, :] + distance * np.cos(angle)
    return np.rint(rows).astype(np.int64), np.rint(columns).astype(np.int64)
