"""What co-design does to offsets: rounding, bounding and squaring, each a switch of its own.

A *square offset* ``s`` is one number for a pixel; its nine taps lie at ``s * {-1, 0, 1}`` rows and
columns from the centre, so ``s`` is a dilation, 1 is a plain convolution, and an integer ``s`` from
0 to N is what the engine takes.  The public code holds several others (fractional and from -7 to
8; anchor times 0 to 8; an unsigned byte); this is the one that the hardware computes.

Source: arXiv 2006.08357, sections 3.2 and 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dovetail.errors import ConfigError, ShapeError
from dovetail.models.deform.deform_conv import check_finite

ANCHORS = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)], dtype=np.float64)
"""Rows and columns of the nine taps from the centre; shape (9, 2)."""


@dataclass(frozen=True, kw_only=True)
class OffsetRule:
    """Which restrictions apply; they do so in the order square, bound, round.

    Attributes
    ----------
    square : bool
        One dilation a pixel takes the place of its 18 offsets: the one nearest to them in squares.
    bound : int or None
        Offsets are clipped to -N..N; square offsets, as dilations, to 0..N.
    round : bool
        Offsets become integers, halves upwards, so nothing is interpolated.
    """

    square: bool = False
    bound: int | None = None
    round: bool = False

    def __post_init__(self) -> None:
        if self.bound is not None and self.bound < 1:
            raise ConfigError(f"bound={self.bound} must be 1 or more; change it")

    def apply(self, offsets: NDArray[np.floating]) -> NDArray[np.float64]:
        """Restrict the offsets of a 3x3 convolution with one offset group.

        Parameters
        ----------
        offsets : float, shape (n, 18, height, width)

        Returns
        -------
        float64, same shape
        """
        if offsets.ndim != 4 or offsets.shape[1] != ANCHORS.size:
            raise ShapeError(
                f"offsets have shape {offsets.shape}; they must be (n, {ANCHORS.size}, height, "
                f"width)"
            )
        if self.square:
            s = nearest_square(offsets)
            if self.bound is not None:
                s = np.clip(s, 0, self.bound)
            return square_offsets(round_half_up(s) if self.round else s)
        check_finite(offsets)
        restricted = offsets.astype(np.float64)
        if self.bound is not None:
            restricted = np.clip(restricted, -self.bound, self.bound)
        return round_half_up(restricted) if self.round else restricted


def square_offsets(s: NDArray[np.floating]) -> NDArray[np.float64]:
    """The 18 offsets that put the taps of a 3x3 convolution with padding 1 at dilation ``s``.

    Parameters
    ----------
    s : float, shape (n, height, width)

    Returns
    -------
    float64, shape (n, 18, height, width)
    """
    moved: NDArray[np.float64] = ANCHORS.reshape(1, -1, 1, 1) * (s[:, None] - 1.0)
    return moved


def nearest_square(offsets: NDArray[np.floating]) -> NDArray[np.float64]:
    """The dilation whose 18 offsets differ least from given ones, in squares.

    ``s - 1 = sum(anchor * offset) / sum(anchor^2)``, and the denominator is 12.

    Parameters
    ----------
    offsets : float, shape (n, 18, height, width)

    Returns
    -------
    float64, shape (n, height, width)
    """
    check_finite(offsets)
    along = np.einsum("k,nkyx->nyx", ANCHORS.reshape(-1), offsets.astype(np.float64))
    s: NDArray[np.float64] = 1.0 + along / (ANCHORS**2).sum()
    return s


def integer_square(s: NDArray[np.floating], *, bound: int) -> NDArray[np.uint8]:
    """Square offsets as the engine takes them: clipped to 0..N, then rounded, halves upwards.

    Raises
    ------
    TraceError
        Where one is NaN or infinite.
    """
    check_finite(s)
    return round_half_up(np.clip(s, 0, bound)).astype(np.uint8)


def round_half_up(values: NDArray[np.floating]) -> NDArray[np.float64]:
    rounded: NDArray[np.float64] = np.floor(values.astype(np.float64) + 0.5)
    return rounded
