"""Ternary weights (BitNet b1.58): run as 2 bits, stored as 2 bits or packed three in five.

Three ternary weights have 27 values, which five bits hold: 5/3 of a bit a weight instead of 2.  A
table core reads planes of bits, so packed weights are unpacked between DRAM and the planes.

Sources: arXiv 2402.17764 (BitNet b1.58) for the quantiser; LUT Tensor Core (DOI
10.1145/3695053.3731057), section 5, for three in five; which five bits is Dovetail's choice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dovetail.errors import ShapeError
from dovetail.models.lut.quantize import LutWeights
from dovetail.models.lut.weights import codes_of_signed, signed_of_codes
from dovetail.models.quantize import divide_or_zero, finite_matrix

WEIGHT_BITS = 2
"""Of a code, whose levels are two's complement; -2 does not occur."""

_TRITS, _BITS = 3, 5
_POWERS = 3 ** np.arange(_TRITS)


def quantize_ternary(w: ArrayLike, *, group: int) -> LutWeights:
    """Round weights to -1, 0, +1 of their mean magnitude: BitNet b1.58's quantiser.

    One scale for the whole matrix, ``mean(abs(w))``; half to even.

    Parameters
    ----------
    w : float, shape (n, k)
        Finite.
    group : int
        Length of the groups that hardware sees; all have the same scale, 1.
    """
    weights = finite_matrix("w", w)
    mean = np.full((1, 1), np.abs(weights).mean())
    ternary = np.clip(np.rint(divide_or_zero(weights, mean)), -1, 1).astype(np.int64)
    groups = (len(weights), -(-weights.shape[1] // group))
    return LutWeights(
        codes=codes_of_signed(ternary, WEIGHT_BITS),
        scale=np.ones(groups, dtype=np.int64),
        zero=np.zeros(groups, dtype=np.int64),
        base=np.full(len(weights), mean.item() / 2),  # q' - z' is twice the weight
        group=group,
        weight_bits=WEIGHT_BITS,
        levels="twos_complement",
    )


def pack_ternary(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pack each row's weights, three in five bits, little end first.

    ``(w_0 + 1) + 3 (w_1 + 1) + 9 (w_2 + 1)`` are the five bits of three weights.  Missing weights
    of the last three are 0, missing bits of the last byte too.

    Parameters
    ----------
    codes : uint8, shape (n, k)
        Codes of 2 bits that stand for -1, 0 and +1.

    Returns
    -------
    uint8, shape (n, packed_row_bytes(k))
    """
    weights = signed_of_codes(codes, WEIGHT_BITS)
    if weights.ndim != 2:
        raise ShapeError(f"codes have shape {weights.shape}; they must be (n, k)")
    if weights.size and weights.min() < -1:
        raise ShapeError("a weight is -2; only -1, 0 and +1 are packed three in five bits")
    n, k = weights.shape
    trits = np.zeros((n, -(-k // _TRITS), _TRITS), dtype=np.int64)
    trits.reshape(n, -1)[:, :k] = weights
    values = (trits + 1) @ _POWERS
    bits = values[:, :, None] >> np.arange(_BITS) & 1
    return np.packbits(bits.reshape(n, -1).astype(np.uint8), axis=1, bitorder="little")


def unpack_ternary(packed: NDArray[np.uint8], k: int) -> NDArray[np.uint8]:
    """Return the 2-bit codes of ``k`` weights a row: the inverse of :func:`pack_ternary`.

    Parameters
    ----------
    packed : uint8, shape (n, packed_row_bytes(k))
    k : int

    Returns
    -------
    uint8, shape (n, k)
    """
    if packed.ndim != 2 or packed.shape[1] != packed_row_bytes(k):
        raise ShapeError(
            f"packed has shape {packed.shape}; k={k} ternary weights need "
            f"(n, {packed_row_bytes(k)})"
        )
    triples = -(-k // _TRITS)
    bits = np.unpackbits(packed, axis=1, count=triples * _BITS, bitorder="little")
    values = bits.reshape(len(packed), triples, _BITS) @ (1 << np.arange(_BITS))
    if values.size and values.max() >= 3**_TRITS:
        raise ShapeError(
            f"five bits hold {values.max()}; three ternary weights are 0 to 26, so the weights "
            f"are damaged or not packed"
        )
    trits = values[:, :, None] // _POWERS % 3 - 1
    return codes_of_signed(trits.reshape(len(packed), -1)[:, :k], WEIGHT_BITS)


def packed_row_bytes(k: int) -> int:
    """Bytes that ``k`` ternary weights take, three in five bits: 5/6 of those of 2 bits."""
    return -(-(-(-k // _TRITS) * _BITS) // 8)
