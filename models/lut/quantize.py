"""Quantiser of weights to 1 to 8 bits in groups along k, for every choice of levels.

Rounding to nearest, without calibration data: where few levels are left, a step that clips the
largest weights loses less than one that clips none, so the best of a few is taken for each group.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dovetail.models.lut.formats import Levels, LutFormat
from dovetail.models.lut.weights import check_group, recentre, recentred_zero
from dovetail.models.quantize import divide_or_zero, finite_matrix, integer_scales

Float = NDArray[np.float64]

STEPS_TRIED = 16
"""Steps tried for a group: so many equal parts of the one that clips none of its weights."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LutWeights:
    """Weights as codes: ``w[n, k] ~= base[n] * scale[n, g] * (q'[n, k] - z'[n, g])``.

    Attributes
    ----------
    codes : uint8, shape (n, k)
        Unsigned codes q of ``weight_bits``.
    scale, zero : int64, shape (n, groups)
        0..4095, and 0..``2^weight_bits - 1``; ``zero`` is 0 but for ``levels = "zero_point"``.
    base : float64, shape (n,)
        What one step of ``scale`` is worth in this output channel; applied once per output.
    group : int
    weight_bits : int
    levels : str
    """

    codes: NDArray[np.uint8]
    scale: NDArray[np.int64]
    zero: NDArray[np.int64]
    base: Float
    group: int
    weight_bits: int
    levels: Levels

    @property
    def recentred_zero(self) -> NDArray[np.int64]:
        """Return z', int64 of shape (n, groups)."""
        return recentred_zero(self.zero, self.levels, self.weight_bits)

    def integers(self) -> NDArray[np.int64]:
        """Return ``scale * (q' - z')``, int64 of shape (n, k): the weights in units of base."""
        group_of_k = np.arange(self.codes.shape[1]) // self.group
        difference = recentre(self.codes, self.weight_bits) - self.recentred_zero[:, group_of_k]
        return np.asarray(self.scale[:, group_of_k] * difference)

    def dequantize(self) -> Float:
        """Return the weights that the codes stand for, float64 of shape (n, k)."""
        return np.asarray(self.base[:, None] * self.integers())


def quantize_lut_weights(w: ArrayLike, form: LutFormat, *, group: int) -> LutWeights:
    """Quantise weights in groups along k.

    The widest step of a group is the smallest that clips none of its weights.  Of 1/16, 2/16 ..
    16/16 of it that with the least squared error is taken (the first of equals).  It becomes a
    12-bit multiple of a step per output channel, and codes and zero points are made with that.  All
    roundings are half to even.

    Parameters
    ----------
    w : float, shape (n, k)
        Weights, one row an output channel; finite.
    form : LutFormat
        Its ``weight_bits`` and ``levels``.
    group : int
        Length of a group along k, a multiple of ``form.lut_k``.  May exceed k.
    """
    weights = finite_matrix("w", w)
    check_group(group, form.lut_k)
    starts = np.arange(0, weights.shape[1], group)
    group_of_k = np.arange(weights.shape[1]) // group
    high = np.maximum(np.maximum.reduceat(weights, starts, axis=1), 0.0)
    low = np.minimum(np.minimum.reduceat(weights, starts, axis=1), 0.0)
    widest = _widest_step(high, low, form)

    best, least = widest, np.full(widest.shape, np.inf)
    for part in range(1, STEPS_TRIED + 1):
        step = widest * (part / STEPS_TRIED)
        centre = _centre(low * (part / STEPS_TRIED), step, form)
        codes = _codes(weights, step[:, group_of_k], centre[:, group_of_k], form)
        lost = weights - step[:, group_of_k] * (codes - centre[:, group_of_k])
        error = np.add.reduceat(lost**2, starts, axis=1)
        best = np.where(error < least, step, best)
        least = np.minimum(error, least)

    # q' - z' is twice the distance from the centre.
    base, scale = integer_scales(best / 2)
    step = 2 * base[:, None] * scale
    centre = _centre(low * divide_or_zero(best, widest), step, form)
    codes = _codes(weights, step[:, group_of_k], centre[:, group_of_k], form)
    zero = centre if form.levels == "zero_point" else np.zeros_like(centre)
    return LutWeights(
        codes=codes.astype(np.uint8),
        scale=scale.astype(np.int64),
        zero=zero.astype(np.int64),
        base=base,
        group=group,
        weight_bits=form.weight_bits,
        levels=form.levels,
    )


def _widest_step(high: Float, low: Float, form: LutFormat) -> Float:
    """The smallest step that clips no weight from ``low`` to ``high``."""
    most = (1 << form.weight_bits) - 1
    if form.levels == "zero_point":
        return (high - low) / most
    if form.levels == "odd":
        return 2 * np.maximum(high, -low) / most
    half = 1 << (form.weight_bits - 1)
    return np.maximum(high / max(1, half - 1), -low / half)


def _centre(low: Float, step: Float, form: LutFormat) -> Float:
    """The code, or the middle of two, that stands for 0."""
    most = (1 << form.weight_bits) - 1
    if form.levels == "zero_point":
        return np.clip(np.rint(divide_or_zero(-low, step)), 0, most)
    return np.full(step.shape, most / 2 if form.levels == "odd" else (most + 1) / 2)


def _codes(weights: Float, step: Float, centre: Float, form: LutFormat) -> Float:
    most = (1 << form.weight_bits) - 1
    return np.clip(np.rint(divide_or_zero(weights, step) + centre), 0, most)
