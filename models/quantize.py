"""Quantisers: INT4 weights in groups along k, integer activations per token.

Also the second step that only the INT8 baseline needs, weights dequantised to INT8 before the
loop, as integer arithmetic that hardware repeats to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dovetail.arch.engine import SCALE_BITS
from dovetail.arch.spad import is_power_of_two
from dovetail.errors import ConfigError, ShapeError
from dovetail.models.rounding import round_half_even_shift

SCALE_MAX = (1 << SCALE_BITS) - 1


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedWeights:
    """INT4 weights: ``w[n, k] ~= base[n] * scale[n, g] * (codes[n, k] - zero[n, g])``.

    Group ``g`` holds ``k`` from ``g * group`` on; the last group may be short.

    Attributes
    ----------
    codes : int8, shape (n, k)
        -8..7 when symmetric, 0..15 with a zero point.
    scale : uint16, shape (n, groups)
        0..4095; 0 only where the whole group is zero.
    zero : uint8, shape (n, groups)
        0..15; all 0 when symmetric.
    base : float64, shape (n,)
        What one step of ``scale`` is worth in this output channel; applied once per output.
    group : int
        Length of a group along k, a power of two.
    zero_point : bool
    """

    codes: NDArray[np.int8]
    scale: NDArray[np.uint16]
    zero: NDArray[np.uint8]
    base: NDArray[np.float64]
    group: int
    zero_point: bool

    def integers(self) -> NDArray[np.int64]:
        """Return ``scale * (codes - zero)``, int64 of shape (n, k): the weights in units of base.

        At most 15 * 4095 in magnitude.
        """
        return _scaled_codes(self.codes, self.scale, self.zero, self.group)

    def dequantize(self) -> NDArray[np.float64]:
        """Return the weights that the codes stand for, float64 of shape (n, k)."""
        return self.base[:, None] * self.integers()


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedActivations:
    """Integer activations: ``a[m, k] ~= scale[m] * codes[m, k]``.

    Attributes
    ----------
    codes : int8 or int16, shape (m, k)
        -127..127, -7..7 or -32767..32767; symmetric.
    scale : float64, shape (m,)
        One per token (row); 0 where the whole row is zero.
    """

    codes: NDArray[Any]
    scale: NDArray[np.float64]

    def dequantize(self) -> NDArray[np.float64]:
        """Return the activations that the codes stand for, float64 of shape (m, k)."""
        return np.asarray(self.scale[:, None] * self.codes)


def quantize_weights(w: ArrayLike, *, group: int, zero_point: bool) -> QuantizedWeights:
    """Quantise weights to INT4 in groups along k, by rounding to nearest.

    The ideal step of a group is the smallest that clips none of its weights: symmetric,
    ``max(max(w) / 7, -min(w) / 8)``, so that the whole range -8..7 is used; with a zero point,
    ``(max(w, 0) - min(w, 0)) / 15``, which keeps 0 representable.  The largest step of a channel
    is 4095 of its ``base``; the other steps are rounded to integer multiples of ``base``, at least
    1, and codes and zero points are made with these rounded steps.  All roundings are half to even.

    Parameters
    ----------
    w : float, shape (n, k)
        Weights, one row an output channel; finite.
    group : int
        Length of a group along k, a power of two.  May exceed k.
    zero_point : bool
        Codes 0..15 with a zero point per group; else -8..7.
    """
    weights = finite_matrix("w", w)
    _check_group(group)
    starts = np.arange(0, weights.shape[1], group)
    high = np.maximum(np.maximum.reduceat(weights, starts, axis=1), 0.0)
    low = np.minimum(np.minimum.reduceat(weights, starts, axis=1), 0.0)
    ideal = high / 15 - low / 15 if zero_point else np.maximum(high / 7, np.abs(low) / 8)
    base, scale = integer_scales(ideal)
    step = base[:, None] * scale
    zero = (
        np.clip(np.rint(divide_or_zero(-low, step)), 0, 15) if zero_point else np.zeros_like(scale)
    )

    group_of_k = np.arange(weights.shape[1]) // group
    code = np.rint(divide_or_zero(weights, step[:, group_of_k])) + zero[:, group_of_k]
    least, most = (0, 15) if zero_point else (-8, 7)
    return QuantizedWeights(
        codes=np.clip(code, least, most).astype(np.int8),
        scale=scale.astype(np.uint16),
        zero=zero.astype(np.uint8),
        base=base,
        group=group,
        zero_point=zero_point,
    )


def integer_scales(ideal: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Round steps to 12-bit multiples of one ``base`` an output channel, at least 1, half to even.

    Parameters
    ----------
    ideal : float64, shape (n, groups)
        0 or more.

    Returns
    -------
    base : float64, shape (n,)
        The largest step of the channel is 4095 of it.
    scale : float64, shape (n, groups)
        Whole numbers; 0 where the step is 0.
    """
    base = ideal.max(axis=1) / SCALE_MAX
    scale = np.rint(divide_or_zero(ideal, base[:, None]))
    return base, np.where(ideal > 0, np.clip(scale, 1, SCALE_MAX), 0.0)


def quantize_activations(a: ArrayLike, *, bits: Literal[4, 8, 16] = 8) -> QuantizedActivations:
    """Quantise activations, one symmetric scale a token: ``max(abs(a)) / (2^(bits-1) - 1)``.

    Parameters
    ----------
    a : float, shape (m, k)
        Activations, one row a token; finite.
    bits : int
        8, 4 or 16.
    """
    activations = finite_matrix("a", a)
    most = (1 << (bits - 1)) - 1
    scale = np.abs(activations).max(axis=1) / most
    codes = np.clip(np.rint(divide_or_zero(activations, scale[:, None])), -most, most)
    return QuantizedActivations(
        codes=codes.astype(np.int16 if bits == 16 else np.int8), scale=scale
    )


def natural_weight_shift(zero_point: bool) -> int:
    """Return the ``weight_shift`` that fills INT8 without clipping: 8, or 9 with a zero point.

    Symmetric weights reach ``-8 * 4095 / 2**8 = -127.97``; with a zero point ``code - zero``
    reaches +-15 and the weights ``15 * 4095 / 2**9 = 119.97``.
    """
    return 9 if zero_point else 8


def dequantize_to_int8(
    codes: NDArray[np.integer],
    scale: NDArray[np.integer],
    zero: NDArray[np.integer],
    *,
    group: int,
    weight_shift: int,
) -> NDArray[np.int8]:
    """Turn INT4 weights into INT8 ones before the loop, as the INT8 core does: integers only.

    ``clip(round_half_even((codes - zero) * scale / 2**weight_shift), -128, 127)``.  One step of
    the result is worth ``base * 2**weight_shift``.

    Parameters
    ----------
    codes : int, shape (n, k)
    scale, zero : int, shape (n, groups)
        As in :class:`QuantizedWeights`.
    group : int
        Length of a group along k, a power of two.
    weight_shift : int
        0 to 62; see :func:`natural_weight_shift`.

    Returns
    -------
    int8, shape (n, k)
    """
    _check_group(group)
    if codes.ndim != 2:
        raise ShapeError(f"codes has shape {codes.shape}; it must be (n, k)")
    expected = (codes.shape[0], -(-codes.shape[1] // group))
    for name, array in (("scale", scale), ("zero", zero)):
        if array.shape != expected:
            raise ShapeError(
                f"{name} has shape {array.shape}; codes of shape {codes.shape} in groups of "
                f"{group} need (n, groups) = {expected}"
            )
    rounded = round_half_even_shift(_scaled_codes(codes, scale, zero, group), weight_shift)
    return np.clip(rounded, -128, 127).astype(np.int8)


def _scaled_codes(
    codes: NDArray[np.integer],
    scale: NDArray[np.integer],
    zero: NDArray[np.integer],
    group: int,
) -> NDArray[np.int64]:
    group_of_k = np.arange(codes.shape[1]) // group
    difference = codes.astype(np.int64) - zero.astype(np.int64)[:, group_of_k]
    return difference * scale.astype(np.int64)[:, group_of_k]


def divide_or_zero(value: NDArray[np.float64], step: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide, with 0 where the step is 0: an all-zero group, or one that underflows."""
    shape = np.broadcast_shapes(value.shape, step.shape)
    return np.divide(value, step, out=np.zeros(shape), where=step > 0)


def _check_group(group: int) -> None:
    if not isinstance(group, int) or not is_power_of_two(group):
        raise ConfigError(f"group={group!r} must be a power of two; set it to 32, 64 or 128")


def finite_matrix(name: str, value: ArrayLike) -> NDArray[np.float64]:
    matrix = np.asarray(value, dtype=np.float64)
    if matrix.ndim != 2 or matrix.size == 0:
        raise ShapeError(
            f"{name} has shape {matrix.shape}; it must have two dimensions of length 1 or more"
        )
    if not np.isfinite(matrix).all():
        row, column = np.argwhere(~np.isfinite(matrix))[0]
        raise ShapeError(
            f"{name}[{row}, {column}] = {matrix[row, column]}; every value must be finite, "
            f"so remove NaN and infinity first"
        )
    return matrix
