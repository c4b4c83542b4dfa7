"""Reference table-lookup GEMM, group by group and bit plane by bit plane as LUT cores do it.

``Y[m, n] = sum_g scale * (P' - z' * S)`` over the groups g, with ``P' = sum_k q'_k a_k`` looked up
and ``S = sum_k a_k``.  With ``levels`` other than ``odd`` it is twice
``sum_g scale * sum_k (q - z) a_k``; that half, like the scales of tokens and channels, is a factor
that the reader of a row applies.

In integers with exact tables no sum is rounded, so the result is that of plain integer GEMM.  In
floating point a group's lookups, each times its plane's power of two (exactly), are added by
ascending step, in a step by ascending plane, rounding each addition to the format of the sums.
Quantised tables add the planes of a step as integers first: one rounded addition a step.  S adds
the sum of a step's activations as its exact table has it, step after step, so it has the roundings
of what it corrects; it is never taken from tables of 8 bits.  The rest is that of
:mod:`dovetail.models.mpgemm` and :mod:`dovetail.models.mpgemm_floating`.

Sources: LUT Tensor Core (DOI 10.1145/3695053.3731057), sections 3.1 and 3.2; the affine part and
the order of additions are Dovetail's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.number_formats import FP16, FP32, FloatFormat
from dovetail.errors import ShapeError
from dovetail.models import mpgemm, mpgemm_floating
from dovetail.models.floating import add, round_output, sum_in_order, to_float
from dovetail.models.fp8 import fp8_to_float
from dovetail.models.lut.formats import LutFormat
from dovetail.models.lut.tables import (
    fp16_tables,
    integer_tables,
    quantize_fp16_tables,
    quantize_integer_tables,
)
from dovetail.models.lut.weights import (
    bit_planes,
    check_codes,
    check_group,
    invert_beforehand,
    recentred_zero,
    step_indices,
)
from dovetail.models.mpgemm import GemmOperands


def mpgemm_lut(operands: GemmOperands, form: LutFormat, *, output_shift: int) -> NDArray[np.int16]:
    """The LUT GEMM of INT8 or INT16 activations: int16 of shape (m, n)."""
    return mpgemm.round_outputs(accumulate_lut(operands, form), output_shift=output_shift)


def mpgemm_lut_floating(
    operands: GemmOperands, form: LutFormat, sums: FloatFormat, *, output_shift: int
) -> NDArray[np.uint16]:
    """The LUT GEMM of FP16 or FP8 activations: FP16 bits of shape (m, n)."""
    return round_output(accumulate_lut_floating(operands, form, sums), output_shift)


def accumulate_lut(operands: GemmOperands, form: LutFormat) -> NDArray[np.int64]:
    """Integer accumulators of a LUT core.

    Parameters
    ----------
    operands : GemmOperands
        Activations int8 or int16; weights are codes; without scales every scale is 1.
    form : LutFormat

    Returns
    -------
    int64, shape (m, n)
    """
    a = operands.activations
    if a.dtype not in (np.int8, np.int16):
        raise ShapeError(f"activations are {a.dtype}; they must be int8 or int16 for integer sums")
    activations = a.astype(np.int64)
    total = np.zeros((len(a), len(operands.weights)), dtype=np.int64)
    for part, scale, zero in _groups(operands, form):
        tables, table_scale = integer_tables(activations[:, part], form.lut_k), None
        if form.table == "int8":
            quantized = quantize_integer_tables(tables)
            tables = quantized.entries.astype(np.int64)
            table_scale = 1 << quantized.exponent
        product_sum = np.empty_like(total)
        for row, looked_up in _look_up(tables, operands.weights[:, part], form):
            values = _sum_planes(looked_up)
            if table_scale is not None:
                values = values * table_scale[row, :, None]
            product_sum[row] = values.sum(axis=0)
        group_sum = activations[:, part].sum(axis=1)
        total += mpgemm.dequantize_after_group(product_sum, group_sum, scale, zero)
    return total


def accumulate_lut_floating(
    operands: GemmOperands, form: LutFormat, sums: FloatFormat
) -> NDArray[np.uint32]:
    """FP32 accumulators of a LUT core.

    Parameters
    ----------
    operands : GemmOperands
        Activations are bits of FP16 (uint16) or of FP8 (uint8); weights are codes; without scales
        every scale is 1.
    form : LutFormat
    sums : FloatFormat
        Of the sums of a group.

    Returns
    -------
    uint32, shape (m, n)
        Bits of FP32.
    """
    activations = activation_numbers(operands.activations)
    shape = (len(activations), len(operands.weights))
    total = np.zeros(shape, dtype=np.uint32)
    for part, scale, zero in _groups(operands, form):
        tables = fp16_tables(activations[:, part], form.lut_k, form.additions)
        numbers, table_scale = to_float(tables, FP16), None
        if form.table == "int8":
            quantized = quantize_fp16_tables(tables)
            numbers, table_scale = quantized.entries.astype(np.float64), quantized.scale
        product_sum: NDArray[Any] = np.empty(shape, dtype=np.uint32)
        for row, looked_up in _look_up(numbers, operands.weights[:, part], form):
            if table_scale is None:
                planes = 2.0 ** np.arange(form.weight_bits)[:, None, None]
                terms = (looked_up * planes).swapaxes(0, 1).reshape(-1, shape[1])
            else:
                terms = _sum_planes(looked_up) * table_scale[row, :, None]
            product_sum[row] = sum_in_order(terms, sums)
        # Entry 0 of an exact table has every activation of its step subtracted.
        group_sum = sum_in_order(-to_float(tables[:, :, 0], FP16).T, sums)[:, None]
        scaled = mpgemm_floating.dequantize_after_group(product_sum, group_sum, scale, zero, sums)
        total = add(total, scaled, FP32)
    return total


def activation_numbers(activations: NDArray[Any]) -> NDArray[np.float64]:
    """Numbers of FP16 bits (uint16) or FP8 codes (uint8); FP16 holds all of them."""
    if activations.dtype == np.uint16:
        return to_float(activations, FP16)
    if activations.dtype == np.uint8:
        return fp8_to_float(activations)
    raise ShapeError(
        f"activations are {activations.dtype}; they must be bits of FP16 (uint16) or of FP8 "
        f"(uint8) for floating-point sums"
    )


def _groups(
    operands: GemmOperands, form: LutFormat
) -> Iterator[tuple[slice, NDArray[np.int64], NDArray[np.int64]]]:
    """Each group: its k, and the scale and z' of every output channel."""
    check_codes(operands.weights, form.weight_bits)
    check_group(operands.group, form.lut_k)
    n, k = operands.weights.shape
    if operands.scale is None or operands.zero is None:
        if form.levels == "zero_point":
            raise ShapeError(
                "levels=zero_point needs scale and zero; give them or choose other levels"
            )
        scales = np.ones((n, -(-k // operands.group)), dtype=np.int64)
        zeros = recentred_zero(scales, form.levels, form.weight_bits)
    else:
        scales = operands.scale
        zeros = recentred_zero(operands.zero, form.levels, form.weight_bits)
    for index, start in enumerate(range(0, k, operands.group)):
        yield slice(start, start + operands.group), scales[:, index], zeros[:, index]


def _look_up(
    tables: NDArray[Any], codes: NDArray[Any], form: LutFormat
) -> Iterator[tuple[int, NDArray[Any]]]:
    """Each row of activations, and what every bit plane of the weights finds in its tables.

    Yields
    ------
    row : int
    looked_up : as ``tables``, shape (planes, steps, n)
        Entries with their signs.
    """
    indices = step_indices(bit_planes(codes, form.weight_bits), form.lut_k)
    stored = invert_beforehand(indices, form.lut_k).swapaxes(1, 2)
    entries = 1 << (form.lut_k - 1)
    place = (stored & (entries - 1)).astype(np.int64)
    # Equation 5: a set sign bit takes minus the entry at the inverted place, which is stored.
    sign = np.where(stored >= entries, -1, 1).astype(tables.dtype)
    steps = np.arange(place.shape[1])[:, None]
    for row, table in enumerate(tables):
        yield row, table[steps, place] * sign


def _sum_planes(looked_up: NDArray[Any]) -> NDArray[Any]:
    """Sum ``2^i`` times plane i, exactly: (planes, steps, n) to (steps, n)."""
    weight = 1 << np.arange(len(looked_up))
    return np.asarray((looked_up * weight[:, None, None].astype(looked_up.dtype)).sum(axis=0))
