"""Reference mixed-precision GEMM in integers: dequantise after each group, or before the loop.

``Y[m, n] = round(sum_k A[m, k] * W[n, k] / 2**output_shift)`` with INT8 activations and INT4
weights of integer group scales.  What an output is worth in real numbers (token scale, channel
base, ``2**output_shift``) is a factor of its row and column that the reader of the row applies.

Sources: arXiv 2411.16158, abstract, for pulling scale and zero point out of the loop; the formats
are Dovetail's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.cores import OUTPUT_BITS
from dovetail.errors import ShapeError
from dovetail.models.quantize import dequantize_to_int8
from dovetail.models.rounding import round_half_even_shift


@dataclass(frozen=True, kw_only=True, eq=False)
class GemmOperands:
    """Integer operands of one GEMM.

    Attributes
    ----------
    activations : int8, int16, int32, uint16 or uint8, shape (m, k)
        Integers, or bits of FP16, or of FP8.
    weights : int8, int16, uint16 or uint8, shape (n, k)
        INT4 codes (-8..7, or 0..15 with a zero point), INT8, INT16, or bits of FP16; of a LUT core,
        unsigned codes (:mod:`dovetail.models.lut.weights`).
    scale, zero : int64, shape (n, groups)
        0..4095, and 0..15 (of a LUT core, any code); None for weights without scales, which have no
        groups.
    group : int
        Length of a group along k.
    bias : int64, shape (n,), optional
        Of an output channel, in 16 bits; in the place of scales, so there are none beside it.
    """

    activations: (
        NDArray[np.int8]
        | NDArray[np.int16]
        | NDArray[np.int32]
        | NDArray[np.uint16]
        | NDArray[np.uint8]
    )
    weights: NDArray[np.int8] | NDArray[np.int16] | NDArray[np.uint16] | NDArray[np.uint8]
    scale: NDArray[np.int64] | None
    zero: NDArray[np.int64] | None
    group: int
    bias: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.activations.ndim != 2 or self.weights.ndim != 2:
            raise ShapeError(
                f"activations of shape {self.activations.shape} and weights of shape "
                f"{self.weights.shape} must be (m, k) and (n, k)"
            )
        if self.activations.shape[1] != self.weights.shape[1]:
            raise ShapeError(
                f"activations have k={self.activations.shape[1]}, weights have "
                f"k={self.weights.shape[1]}; the two must be equal"
            )
        if (self.scale is None) != (self.zero is None):
            raise ShapeError(
                "scale and zero must both be given, or both be None for weights without scales"
            )
        channels = self.weights.shape[0]
        if self.bias is not None and (self.scale is not None or self.bias.shape != (channels,)):
            raise ShapeError(
                f"bias of shape {self.bias.shape} must be ({channels},), without scales beside it"
            )
        expected = (channels, self.groups)
        for name in ("scale", "zero"):
            array = getattr(self, name)
            if array is not None and array.shape != expected:
                raise ShapeError(f"{name} has shape {array.shape}; it must be {expected}")

    @property
    def groups(self) -> int:
        """Groups along k."""
        return -(-int(self.weights.shape[1]) // self.group)


def accumulate_after_group(operands: GemmOperands) -> NDArray[np.int64]:
    """Sum of ``(P - zero * S) * scale`` over groups: MixPE's 48-bit accumulators.

    ``P = sum A * q`` and ``S = sum A`` over one group.  INT8 weights have no groups and scale 1.

    Returns
    -------
    int64, shape (m, n)
    """
    a = operands.activations.astype(np.int64)
    w = operands.weights.astype(np.int64)
    if operands.scale is None or operands.zero is None:
        return a @ w.T
    total = np.zeros((a.shape[0], w.shape[0]), dtype=np.int64)
    for g in range(operands.scale.shape[1]):
        part = slice(g * operands.group, (g + 1) * operands.group)
        product_sum = a[:, part] @ w[:, part].T
        group_sum = a[:, part].sum(axis=1)
        total += dequantize_after_group(
            product_sum, group_sum, operands.scale[:, g], operands.zero[:, g]
        )
    return total


def dequantize_after_group(
    product_sum: NDArray[np.int64],
    group_sum: NDArray[np.int64],
    scale: NDArray[np.int64],
    zero: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Correct one group's result by its zero point and scale it: ``(P - zero * S) * scale``.

    Parameters
    ----------
    product_sum : int64, shape (m, n)
    group_sum : int64, shape (m,)
    scale, zero : int64, shape (n,)

    Returns
    -------
    int64, shape (m, n)
    """
    return (product_sum - group_sum[:, None] * zero[None, :]) * scale[None, :]


def accumulate_before_loop(operands: GemmOperands, *, weight_shift: int) -> NDArray[np.int64]:
    """Sum of ``A * W8`` with weights dequantised to INT8 first: the baseline's accumulators.

    Parameters
    ----------
    operands : GemmOperands
    weight_shift : int
        Of :func:`dovetail.models.quantize.dequantize_to_int8`; INT8 weights ignore it.

    Returns
    -------
    int64, shape (m, n)
    """
    weights = operands.weights
    if operands.scale is not None and operands.zero is not None:
        weights = dequantize_to_int8(
            weights,
            operands.scale,
            operands.zero,
            group=operands.group,
            weight_shift=weight_shift,
        )
    return operands.activations.astype(np.int64) @ weights.astype(np.int64).T


def round_outputs(accumulators: NDArray[np.int64], *, output_shift: int) -> NDArray[np.int16]:
    """Round accumulators to 16 bits, half to even, saturated: the one rounding of an output."""
    low, high = -(1 << (OUTPUT_BITS - 1)), (1 << (OUTPUT_BITS - 1)) - 1
    rounded = round_half_even_shift(accumulators, output_shift)
    return np.clip(rounded, low, high).astype(np.int16)


def mpgemm_after_group(operands: GemmOperands, *, output_shift: int) -> NDArray[np.int16]:
    """MixPE's GEMM: int16 of shape (m, n)."""
    return round_outputs(accumulate_after_group(operands), output_shift=output_shift)


def mpgemm_before_loop(
    operands: GemmOperands, *, output_shift: int, weight_shift: int
) -> NDArray[np.int16]:
    """The INT8 baseline's GEMM: int16 of shape (m, n)."""
    accumulators = accumulate_before_loop(operands, weight_shift=weight_shift)
    return round_outputs(accumulators, output_shift=output_shift)
