"""Integer rounding that the reference operators, the simulator's checks and the RTL share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dovetail.errors import ConfigError, ShapeError

MAX_SHIFT = 62  # 2^62 is the largest power of two in an int64


def round_half_even_shift(value: NDArray[np.int64], shift: int) -> NDArray[np.int64]:
    """Divide by ``2**shift`` and round to the nearest integer, ties to the even one.

    Exact for every int64: no intermediate leaves the 64 bits.

    Parameters
    ----------
    value : int64, any shape
    shift : int
        0 to 62.

    Returns
    -------
    int64, shape of ``value``
    """
    value = np.asarray(value)
    if value.dtype != np.int64:
        raise ShapeError(f"value is {value.dtype}; it must be int64, so convert it first")
    if not 0 <= shift <= MAX_SHIFT:
        raise ConfigError(f"shift={shift} must be from 0 to {MAX_SHIFT}; change shift")
    if shift == 0:
        return value.copy()
    quotient = value >> shift
    remainder = value & ((1 << shift) - 1)
    half = 1 << (shift - 1)
    # On a tie the odd quotient goes up to its even neighbour.
    up = (remainder > half) | ((remainder == half) & (quotient & 1 == 1))
    rounded: NDArray[np.int64] = quotient + up
    return rounded
