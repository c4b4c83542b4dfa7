"""Reference GEMM of tensor cores: dot products of several k, aligned, summed, rounded once.

What the FP16 baseline of LUT cores computes; scales, groups and FP32 accumulators are those of
:mod:`dovetail.models.mpgemm_floating`.  Integers need no reference of their own, since their sums
are exact in any order.

Source: that tensor cores align the products of a dot product to the largest and truncate them was
measured by Fasi et al., "Numerical behavior of NVIDIA tensor cores", PeerJ Computer Science 7:e330,
2021.  How many bits are kept, and that the dot product is then added with one rounding half to
even, are Dovetail's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.number_formats import FP16, FP32, FloatFormat
from dovetail.errors import ShapeError
from dovetail.models.floating import add, multiply, round_output, sum_in_order, to_float
from dovetail.models.mpgemm import GemmOperands
from dovetail.models.mpgemm_floating import dequantize_to_fp16

GUARD_BITS = 3
"""Bits of an aligned product that are kept below the last one of the largest."""

# A product's significand is that of two FP16 numbers, 22 bits of which 20 are a fraction.
_FRACTION_BITS = 2 * FP16.fraction_bits


def mpgemm_dot(
    operands: GemmOperands, form: FloatFormat, *, lut_k: int, output_shift: int, weight_shift: int
) -> NDArray[np.uint16]:
    """The FP16 tensor core's GEMM: FP16 bits of shape (m, n)."""
    accumulators = accumulate_dot(operands, form, lut_k=lut_k, weight_shift=weight_shift)
    return round_output(accumulators, output_shift)


def accumulate_dot(
    operands: GemmOperands, form: FloatFormat, *, lut_k: int, weight_shift: int
) -> NDArray[np.uint32]:
    """FP32 accumulators: sum over groups of the units' sums, each ``lut_k`` products at a time.

    Parameters
    ----------
    operands : GemmOperands
        With FP16 activations; FP16 weights are taken as they are, others become FP16 first.
    form : FloatFormat
        Of the units' sums.
    lut_k : int
        Products of one dot product; the last of a group is filled with zeros.
    weight_shift : int
        Of :func:`dovetail.models.mpgemm_floating.dequantize_to_fp16`.

    Returns
    -------
    uint32, shape (m, n)
        Bits of FP32.
    """
    weights = dequantize_to_fp16(operands, weight_shift=weight_shift)
    activations = operands.activations
    total = np.zeros((len(activations), len(weights)), dtype=np.uint32)
    for start in range(0, weights.shape[1], operands.group):
        part = slice(start, start + operands.group)
        for row, sums in enumerate(total):
            terms = aligned_dots(activations[row, None, part], weights[:, part], lut_k)
            segment = to_float(sum_in_order(terms, form), form)
            total[row] = add(sums, segment, FP32)
    return total


def aligned_dots(a: NDArray[Any], w: NDArray[Any], lut_k: int) -> NDArray[np.float64]:
    """Dot products of ``lut_k`` FP16 numbers each, as an aligning tree of adders gives them.

    Each product is exact.  In one dot product all are truncated toward zero to
    :data:`GUARD_BITS` bits below the last one of the product of the largest exponent, and summed
    exactly.  An exponent is the sum of the operands', of which a subnormal number has that of the
    least normal ones; products of zero do not count.  An infinity or NaN is that of the sum of all
    products.

    Parameters
    ----------
    a : uint16, shape (1, k) or (n, k)
        Bits of FP16.
    w : uint16, shape (n, k)

    Returns
    -------
    float64, shape (steps, n)
        Which holds each exactly.
    """
    if a.ndim != 2 or w.ndim != 2 or a.shape[1] != w.shape[1] or len(a) not in (1, len(w)):
        raise ShapeError(
            f"a has shape {a.shape} and w {w.shape}; they must be (1 or n, k) and (n, k)"
        )
    products = _steps(multiply(to_float(a, FP16), to_float(w, FP16)), lut_k)
    exponents = _steps(_exponents(a) + _exponents(w), lut_k)
    counted = np.where(products == 0, np.iinfo(exponents.dtype).min, exponents)
    largest = counted.max(axis=2, keepdims=True)
    none = largest == np.iinfo(exponents.dtype).min
    last = np.where(none, 0, largest) - _FRACTION_BITS - GUARD_BITS
    with np.errstate(invalid="ignore"):  # infinity less infinity
        kept = np.trunc(np.ldexp(products, -last))
        return np.asarray(np.ldexp(kept.sum(axis=2), last[:, :, 0]).T)


def _exponents(bits: NDArray[Any]) -> NDArray[np.int64]:
    """Exponent of FP16 numbers; of zeros and subnormal ones, that of the least normal ones."""
    field = bits >> FP16.fraction_bits & FP16.special_field
    return np.asarray(np.maximum(field, 1).astype(np.int64) - FP16.bias)


def _steps(values: NDArray[Any], lut_k: int) -> NDArray[Any]:
    """Cut k into steps, zeros beyond: (n, k) to (n, steps, lut_k)."""
    n, k = values.shape
    padded = np.zeros((n, -(-k // lut_k) * lut_k), dtype=values.dtype)
    padded[:, :k] = values
    return padded.reshape(n, -1, lut_k)
