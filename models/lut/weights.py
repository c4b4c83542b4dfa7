"""Weights as a LUT core reads them: re-centred codes, bit planes, indices inverted beforehand.

A weight ``s (q - z)`` with an unsigned code ``q`` of b bits is ``s/2 (q' - z')`` with
``q' = 2q - (2^b - 1)`` and ``z' = 2z + 1 - 2^b``.  Then ``q' = sum_i 2^i (2 b_i - 1)`` over the
bits ``b_i`` of q: every plane is a plane of signs, and none is special.

Sources: LUT Tensor Core (DOI 10.1145/3695053.3731057), equations 2 and 4 to 6.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dovetail.errors import ConfigError, ShapeError
from dovetail.models.lut.formats import Levels, check_lut_k, check_weight_bits

Codes = NDArray[np.uint8]


def recentre(codes: Codes, weight_bits: int) -> NDArray[np.int64]:
    """Return ``q' = 2q - (2^b - 1)``, int64 of the shape of ``codes``: odd, around 0."""
    return 2 * check_codes(codes, weight_bits).astype(np.int64) - ((1 << weight_bits) - 1)


def recentred_zero(zero: ArrayLike, levels: Levels, weight_bits: int) -> NDArray[np.int64]:
    """Return ``z'``, what remains to be subtracted times the sum of activations.

    Parameters
    ----------
    zero : integer, any shape
        Zero points z; of no effect but for ``levels = "zero_point"``.
    levels : str
    weight_bits : int

    Returns
    -------
    int64, shape of ``zero``
        0 for ``odd``, 1 for ``twos_complement``.
    """
    check_weight_bits(weight_bits)
    zeros = np.asarray(zero).astype(np.int64)
    if levels == "odd":
        return np.zeros_like(zeros)
    if levels == "twos_complement":
        return np.ones_like(zeros)
    if zeros.size and not (0 <= zeros.min() and zeros.max() < 1 << weight_bits):
        wrong = zeros[(zeros < 0) | (zeros >= 1 << weight_bits)].flat[0]
        raise ShapeError(
            f"zero={wrong} must be from 0 to {(1 << weight_bits) - 1} for weight_bits="
            f"{weight_bits}; change the zero points"
        )
    return 2 * zeros + 1 - (1 << weight_bits)


def codes_of_signed(weights: NDArray[np.integer], weight_bits: int) -> Codes:
    """Codes of weights ``-2^(b-1) .. 2^(b-1) - 1``, for ``levels = "twos_complement"``.

    They are two's complement with the top bit inverted.
    """
    check_weight_bits(weight_bits)
    half = 1 << (weight_bits - 1)
    signed = np.asarray(weights).astype(np.int64)
    if signed.size and not (-half <= signed.min() and signed.max() < half):
        wrong = signed[(signed < -half) | (signed >= half)].flat[0]
        raise ShapeError(
            f"weight={wrong} must be from {-half} to {half - 1} for weight_bits={weight_bits}; "
            f"quantise it or use more bits"
        )
    return (signed + half).astype(np.uint8)


def signed_of_codes(codes: Codes, weight_bits: int) -> NDArray[np.int64]:
    """Return ``q - 2^(b-1)``: the inverse of :func:`codes_of_signed`."""
    return check_codes(codes, weight_bits).astype(np.int64) - (1 << (weight_bits - 1))


def bit_planes(codes: Codes, weight_bits: int) -> NDArray[np.uint8]:
    """Split codes into planes of bits, the lowest first.

    Returns
    -------
    uint8, shape (weight_bits, *codes.shape)
        0 or 1.
    """
    checked = check_codes(codes, weight_bits)
    shifts = np.arange(weight_bits, dtype=np.uint8).reshape(-1, *[1] * checked.ndim)
    return np.asarray(checked >> shifts & 1, dtype=np.uint8)


def codes_of_planes(planes: NDArray[np.uint8]) -> Codes:
    """Put planes of bits together again: the inverse of :func:`bit_planes`."""
    check_weight_bits(len(planes))
    shifts = np.arange(len(planes), dtype=np.uint8).reshape(-1, *[1] * (planes.ndim - 1))
    codes: Codes = np.bitwise_or.reduce(planes << shifts, axis=0)
    return codes


def step_indices(planes: NDArray[np.uint8], lut_k: int) -> NDArray[np.uint8]:
    """Gather the bits of each step of ``lut_k`` weights along k into an index.

    The step's first k is bit 0; its last k is the top bit, the sign.  Weights beyond k are 0.

    Parameters
    ----------
    planes : uint8, shape (..., k)
        0 or 1.
    lut_k : int

    Returns
    -------
    uint8, shape (..., steps)
        0 to ``2^lut_k - 1``.
    """
    check_lut_k(lut_k)
    k = planes.shape[-1]
    padded = np.zeros((*planes.shape[:-1], -(-k // lut_k) * lut_k), dtype=np.uint8)
    padded[..., :k] = planes
    bits = padded.reshape(*planes.shape[:-1], -1, lut_k)
    indices: NDArray[np.uint8] = np.bitwise_or.reduce(
        bits << np.arange(lut_k, dtype=np.uint8), axis=-1
    )
    return indices


def bits_of_indices(indices: NDArray[np.uint8], lut_k: int, k: int) -> NDArray[np.uint8]:
    """Return the first ``k`` bits along the last axis: the inverse of :func:`step_indices`."""
    check_lut_k(lut_k)
    bits = indices[..., None] >> np.arange(lut_k, dtype=np.uint8) & 1
    return np.asarray(bits.reshape(*indices.shape[:-1], -1)[..., :k], dtype=np.uint8)


def invert_beforehand(indices: NDArray[np.uint8], lut_k: int) -> NDArray[np.uint8]:
    """Invert the low bits of an index whose sign is set, offline, so that hardware need not.

    An index then reads as a sign and the place of a table entry.  Applied twice it gives the index
    back, so it is its own inverse.  Equation 6 of the paper.
    """
    check_lut_k(lut_k)
    low = np.uint8((1 << (lut_k - 1)) - 1)
    negative = indices >> np.uint8(lut_k - 1) & 1 == 1
    return np.where(negative, indices ^ low, indices)


def check_codes(codes: NDArray[Any], weight_bits: int) -> Codes:
    """Return codes if they are uint8 below ``2^weight_bits``; else raise ShapeError."""
    check_weight_bits(weight_bits)
    array = np.asarray(codes)
    if array.dtype != np.uint8:
        raise ShapeError(
            f"weights are {array.dtype}; codes of a LUT core must be uint8, "
            f"so convert them (codes_of_signed)"
        )
    if array.size and array.max() >> weight_bits:
        raise ShapeError(
            f"code={array.max()} must be from 0 to {(1 << weight_bits) - 1} for weight_bits="
            f"{weight_bits}; use more bits"
        )
    return array


def check_group(group: int, lut_k: int) -> None:
    """Raise ConfigError unless a group consists of whole steps."""
    check_lut_k(lut_k)
    if group < 1 or group % lut_k:
        raise ConfigError(
            f"group={group} must be a multiple of lut_k={lut_k}; "
            f"set it to {max(1, -(-group // lut_k)) * lut_k}"
        )
