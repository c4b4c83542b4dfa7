"""Reference mixed-precision GEMM with FP16 activations, bit by bit as floating-point cores do it.

A PE sums the products of one group, k ascending, each exact and each addition rounded; an FP32
accumulator adds the groups' results, first group first.  Scales are unsigned 12-bit integers in
units of the channel's base, as for integers (:mod:`dovetail.models.mpgemm`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.number_formats import FP16, FP32, FloatFormat
from dovetail.models.floating import add, dot, int_to_fp16, multiply, round_output, to_float
from dovetail.models.mpgemm import GemmOperands

Floats = NDArray[np.float64]


def _groups(operands: GemmOperands) -> Iterator[tuple[int, slice]]:
    k = operands.activations.shape[1]
    for index, start in enumerate(range(0, k, operands.group)):
        yield index, slice(start, start + operands.group)


def dequantize_after_group(
    product_sum: NDArray[Any],
    group_sum: NDArray[Any],
    scale: NDArray[np.int64],
    zero: NDArray[np.int64],
    form: FloatFormat,
) -> Floats:
    """Correct one group's sums by its zero points, rounded once, and scale them, exactly.

    A zero point of 0 corrects nothing, even where the sum of activations is infinite or NaN.

    Parameters
    ----------
    product_sum : bits of ``form``, shape (m, n)
    group_sum : bits of ``form``, shape (m, 1)
    scale, zero : int64, shape (n,)
    form : FloatFormat

    Returns
    -------
    float64, shape (m, n)
    """
    correction = -multiply(to_float(group_sum, form), zero[None, :].astype(np.float64))
    corrected = np.where(zero[None, :] == 0, product_sum, add(product_sum, correction, form))
    return multiply(to_float(corrected, form), scale[None, :].astype(np.float64))


def accumulate_after_group(operands: GemmOperands, form: FloatFormat) -> NDArray[np.uint32]:
    """FP32 accumulators of MixPE W4A16: sum over groups of ``RN(P - zero * S) * scale``.

    INT8 weights have no groups and scale 1; each segment's signed high nibbles, times 16, go before
    its unsigned low ones.

    Parameters
    ----------
    operands : GemmOperands
        With FP16 activations.
    form : FloatFormat
        Of the PEs' sums.

    Returns
    -------
    uint32, shape (m, n)
        Bits of FP32.
    """
    a = to_float(operands.activations, FP16)
    w = operands.weights.astype(np.int64)
    total = np.zeros((len(a), len(w)), dtype=np.uint32)
    for index, part in _groups(operands):
        if operands.scale is None or operands.zero is None:
            for nibbles, weight in ((w[:, part] >> 4, 16.0), (w[:, part] & 15, 1.0)):
                sums = dot(a[:, part], nibbles.astype(np.float64), form)
                total = add(total, multiply(to_float(sums, form), weight), FP32)
            continue
        codes = w[:, part].astype(np.float64)
        sums = dot(a[:, part], codes, form)
        activations = dot(a[:, part], np.ones((1, codes.shape[1])), form)
        scaled = dequantize_after_group(
            sums, activations, operands.scale[:, index], operands.zero[:, index], form
        )
        total = add(total, scaled, FP32)
    return total


def accumulate_before_loop(
    operands: GemmOperands, form: FloatFormat, *, weight_shift: int
) -> NDArray[np.uint32]:
    """FP32 accumulators of cores that multiply FP16 by FP16: sum over groups of the PEs' sums.

    Parameters
    ----------
    operands : GemmOperands
        With FP16 activations; FP16 weights are taken as they are, others become FP16 first.
    form : FloatFormat
        Of the PEs' sums.
    weight_shift : int
        Of :func:`dequantize_to_fp16`.

    Returns
    -------
    uint32, shape (m, n)
        Bits of FP32.
    """
    a = to_float(operands.activations, FP16)
    w = to_float(dequantize_to_fp16(operands, weight_shift=weight_shift), FP16)
    total = np.zeros((len(a), len(w)), dtype=np.uint32)
    for _, part in _groups(operands):
        total = add(total, to_float(dot(a[:, part], w[:, part], form), form), FP32)
    return total


def dequantize_to_fp16(operands: GemmOperands, *, weight_shift: int) -> NDArray[np.uint16]:
    """Weights as FP16 bits, shape (n, k): ``RN((w - zero) * scale / 2**weight_shift)``.

    Those without scales are converted as they are.
    """
    if operands.weights.dtype == np.uint16:
        return operands.weights.astype(np.uint16)
    weights = operands.weights.astype(np.int64)
    if operands.scale is None or operands.zero is None:
        return int_to_fp16(weights, 0)
    group_of = np.arange(weights.shape[1]) // operands.group
    scaled = (weights - operands.zero[:, group_of]) * operands.scale[:, group_of]
    return int_to_fp16(scaled, weight_shift)


def mpgemm_after_group(
    operands: GemmOperands, form: FloatFormat, *, output_shift: int
) -> NDArray[np.uint16]:
    """MixPE's W4A16 GEMM: FP16 bits of shape (m, n)."""
    return round_output(accumulate_after_group(operands, form), output_shift)


def mpgemm_before_loop(
    operands: GemmOperands, form: FloatFormat, *, output_shift: int, weight_shift: int
) -> NDArray[np.uint16]:
    """The FP16 baselines' GEMM: FP16 bits of shape (m, n)."""
    accumulators = accumulate_before_loop(operands, form, weight_shift=weight_shift)
    return round_output(accumulators, output_shift)
