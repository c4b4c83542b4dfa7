# amaranth: UnusedElaboratable=no
"""What a unit of a broadcast array gets and must sum: tiles as tables, slices and sums."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Any

import numpy as np
from amaranth import Shape
from numpy.typing import NDArray

from dovetail.arch.number_formats import FP16, FloatFormat, float_format
from dovetail.models.floating import add, from_float, sum_in_order, to_float
from dovetail.models.fp8 import float_to_fp8, fp8_to_float
from dovetail.models.lut.formats import LutFormat
from dovetail.models.lut.quantize import quantize_lut_weights
from dovetail.models.lut.tables import (
    fp16_tables,
    integer_tables,
    quantize_fp16_tables,
    quantize_integer_tables,
)
from dovetail.models.lut.weights import bit_planes, invert_beforehand, recentre, step_indices
from dovetail.models.mpgemm_dot import aligned_dots
from dovetail.models.quantize import quantize_activations
from dovetail.rtl.lut.design import DotDesign
from dovetail.stimuli.tiles import ROUND, Kind, float_tiles, reduction_length

Ints = NDArray[np.int64]
Float = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class DotSegment:
    """One group: raw activations, what a row broadcasts, what a column streams, and the sum.

    Attributes
    ----------
    activations, operands : list of int
        Packed, of each step.
    comparable : list of bool
        The head answers with exactly these operands: no entry is a zero, whose sign is open.
    slices : list of list of int
        Of each step, plane after plane.
    total : int
        Bit pattern.
    """

    activations: list[int]
    operands: list[int]
    comparable: list[bool]
    slices: list[list[int]]
    total: int


def dot_segments(design: DotDesign, kind: Kind) -> Iterator[DotSegment]:
    """Segments of whole steps, of 128 k or as many as fit it, without end."""
    length = design.lut_k * (128 // design.lut_k)
    for activations, codes, weights in _operands(design, kind):
        for start in range(0, len(activations) - length + 1, length):
            part = slice(start, start + length)
            yield _segment(design, activations[part], codes[part], weights[part])


def _operands(design: DotDesign, kind: Kind) -> Iterator[tuple[Ints, NDArray[np.uint8], Float]]:
    """Activations as bits or integers, codes of weights, and the weights, one row and column."""
    most = 1 << design.weight_bits
    if kind == "real":
        yield from _real_operands(design)
    rng = np.random.default_rng(1)
    for index in count():
        k = reduction_length(ROUND[index % len(ROUND)])
        if design.activation == "fp16":
            sign = rng.integers(0, 2, k) << 15
            a = sign | rng.integers(0, int(np.float16(2).view(np.uint16)), k)
        elif design.activation == "fp8":
            a = rng.integers(0, 256, k)
            a[(a & 127) == 127] = 0
        else:
            half = 1 << (design.activation_bits - 1)
            a = rng.integers(-half, half, k)
        codes = rng.integers(0, most, k).astype(np.uint8)
        w = rng.uniform(-1, 1, k)
        if kind == "zero":
            a, codes, w = np.zeros_like(a), np.zeros_like(codes), np.zeros_like(w)
        yield a, codes, w


def _real_operands(design: DotDesign) -> Iterator[tuple[Ints, NDArray[np.uint8], Float]]:
    for number, (a, w) in enumerate(float_tiles(rows=1, cols=1)):
        bits, codes, weights = _quantised(
            design.activation, design.weight_bits, design.lut_k, number, a.tobytes(), w.tobytes()
        )
        yield bits, codes, weights


@cache
def _quantised(
    activation: str, weight_bits: int, lut_k: int, number: int, a: bytes, w: bytes
) -> tuple[Ints, NDArray[np.uint8], Float]:
    """Quantise one row and one column; the walk is the same for all units, so keep it."""
    row = np.frombuffer(a, dtype=np.float32)[None]
    column = np.frombuffer(w, dtype=np.float32)[None]
    form = LutFormat(weight_bits=weight_bits, lut_k=lut_k)
    weights = quantize_lut_weights(column, form, group=lut_k * (128 // lut_k))
    bits: Any
    if activation == "fp16":
        bits = row.astype(np.float16).view(np.uint16)
    elif activation == "fp8":
        bits = float_to_fp8(row)
    else:
        bits = quantize_activations(row, bits=16 if activation == "int16" else 8).codes
    return bits[0].astype(np.int64), weights.codes[0], weights.dequantize()[0]


def _segment(design: DotDesign, a: Ints, codes: NDArray[np.uint8], weights: Float) -> DotSegment:
    numbers = _numbers(design, a)
    k, steps = design.lut_k, len(a) // design.lut_k
    grouped = a.reshape(steps, k)
    activations = [_pack(step, design.activation_bits) for step in grouped]
    if design.kind == "mac":
        operands = [_pack(step, design.entry_bits) for step in _as_operand(design, grouped)]
        whole = _whole_weights(design, weights)
        slices = [[_pack(step, design.entry_bits)] for step in whole.reshape(steps, k)]
        total = _mac_total(design, a, whole)
        return DotSegment(
            activations=activations,
            operands=operands,
            comparable=[True] * steps,
            slices=slices,
            total=total,
        )
    planes = bit_planes(codes, design.weight_bits)
    if design.kind == "full_signed":
        planes[-1] ^= 1  # two's complement of q - 2^(b-1)
    indices = step_indices(planes, k)
    if design.kind in ("lookup", "quantised"):
        stored = invert_beforehand(indices, k)
    else:
        stored = indices
    operands, comparable, values = _tables(design, numbers.reshape(steps, k), grouped)
    slices = stored.T.tolist()
    looked_up = _values(design, values, indices)
    return DotSegment(
        activations=activations,
        operands=operands,
        comparable=comparable,
        slices=slices,
        total=_total(design, looked_up, numbers, codes),
    )


def _numbers(design: DotDesign, a: Ints) -> Float:
    if design.activation == "fp16":
        return to_float(a.astype(np.uint16), FP16)
    if design.activation == "fp8":
        return fp8_to_float(a.astype(np.uint8))
    return a.astype(np.float64)


def _as_operand(design: DotDesign, grouped: Ints) -> Ints:
    if design.activation != "fp8":
        return grouped
    return from_float(fp8_to_float(grouped.astype(np.uint8)), FP16).astype(np.int64)


def _tables(
    design: DotDesign, numbers: Float, grouped: Ints
) -> tuple[list[int], list[bool], Float]:
    """What a row broadcasts in each step, and the number that each index stands for."""
    if design.kind in ("add", "add_binary"):
        return _no_tables(design, numbers, grouped)
    if design.kind in ("full", "full_signed"):
        return _full_tables(design, numbers)
    tables: Any
    if design.floating:
        tables, origin = fp16_tables(numbers.ravel()[None], design.lut_k), FP16.least_exponent
        half = to_float(tables[0], FP16)
    else:
        tables, origin = integer_tables(numbers.astype(np.int64).ravel()[None], design.lut_k), 0
        half = tables[0].astype(np.float64)
    if design.kind == "quantised":
        made = quantize_fp16_tables(tables) if design.floating else quantize_integer_tables(tables)
        entries, exponents = made.entries[0].astype(np.int64), made.exponent[0]
        offset = _operand(design)["exponent"].offset
        operands = [
            _pack(row, 8) | (int(exponent) - origin) << offset
            for row, exponent in zip(entries, exponents, strict=True)
        ]
        comparable = [True] * len(operands)
        half = entries * np.ldexp(1.0, exponents)[:, None]
    else:
        operands = [_pack(row, _entry_bits(design)) for row in tables[0].astype(np.int64)]
        comparable = [not design.floating or bool((row != 0).all()) for row in half]
    return operands, comparable, np.concatenate([half, -half[:, ::-1]], axis=1)


def _no_tables(
    design: DotDesign, numbers: Float, grouped: Ints
) -> tuple[list[int], list[bool], Float]:
    operands = [_pack(step, design.entry_bits) for step in _as_operand(design, grouped)]
    if design.floating:
        half = to_float(fp16_tables(numbers.ravel()[None], design.lut_k, "pairs")[0], FP16)
        values = np.concatenate([half, -half[:, ::-1]], axis=1)
    else:
        values = _direct(numbers, design.lut_k, binary=design.kind == "add_binary")
    return operands, [True] * len(operands), values


def _full_tables(design: DotDesign, numbers: Float) -> tuple[list[int], list[bool], Float]:
    if design.floating:
        bits = _full_float_tables(numbers)
        values = to_float(bits, FP16)
        operands = [_pack(row, FP16.bits) for row in bits.astype(np.int64)]
        return operands, [bool((row[1:] != 0).all()) for row in values], values
    values = _direct(numbers, design.lut_k, binary=True)
    operands = [_pack(row, _entry_bits(design)) for row in values.astype(np.int64)]
    return operands, [True] * len(operands), values


def _direct(numbers: Float, k: int, *, binary: bool) -> Float:
    """Sums of each choice of bits, for integers."""
    bits = np.arange(1 << k)[:, None] >> np.arange(k) & 1
    digits = bits if binary else 2 * bits - 1
    return np.asarray(numbers @ digits.T)


def _full_float_tables(numbers: Float) -> NDArray[np.uint16]:
    steps, k = numbers.shape
    table = np.zeros((steps, 1 << k), dtype=np.uint16)
    for j in range(k):
        lower = table[:, : 1 << j]
        table[:, 1 << j : 2 << j] = add(lower, numbers[:, j, None], FP16)
    return table


def _values(design: DotDesign, values: Float, indices: NDArray[np.uint8]) -> Float:
    """What each plane of each step adds but for its power of two; shape (planes, steps)."""
    steps = np.arange(len(values))
    looked_up = np.stack([values[steps, plane] for plane in indices])
    if design.kind == "full_signed":
        looked_up[-1] *= -1
    return looked_up


def _total(design: DotDesign, looked_up: Float, numbers: Float, codes: NDArray[np.uint8]) -> int:
    powers = 2.0 ** np.arange(design.weight_bits)[:, None]
    if design.floating:
        form = float_format(design.sums)
        terms = looked_up * powers
        ordered = terms.sum(axis=0) if design.kind == "quantised" else terms.T.ravel()
        return _sum(ordered, form)
    if design.kind == "quantised":
        total = int((looked_up * powers).sum())
    else:  # from the operands, not from the tables
        levels = recentre(codes, design.weight_bits)
        if design.kind in ("full", "add_binary"):
            levels = codes.astype(np.int64)
        elif design.kind == "full_signed":
            levels = codes.astype(np.int64) - (1 << (design.weight_bits - 1))
        total = int(numbers.astype(np.int64) @ levels)
    return total & ((1 << design.sum_bits) - 1)


def _sum(terms: Float, form: FloatFormat) -> int:
    return int(sum_in_order(terms[:, None], form)[0])


def _whole_weights(design: DotDesign, weights: Float) -> Ints:
    """Dequantised weights in the format of the activations."""
    if design.floating:
        return from_float(weights, FP16).astype(np.int64)
    most = (1 << (design.activation_bits - 1)) - 1
    largest = max(float(np.abs(weights).max()), 1e-30)
    return np.rint(weights / largest * most).astype(np.int64)


def _mac_total(design: DotDesign, a: Ints, whole: Ints) -> int:
    if not design.floating:
        return int(a @ whole) & ((1 << design.sum_bits) - 1)
    activations = _as_operand(design, a).astype(np.uint16)
    dots = aligned_dots(activations[None], whole.astype(np.uint16)[None], design.lut_k)
    return _sum(dots.ravel(), float_format(design.sums))


@cache
def _operand(design: DotDesign) -> Any:
    return design.unit().operand


def _entry_bits(design: DotDesign) -> int:
    return int(Shape.cast(_operand(design).elem_shape).width)


def _pack(values: Sequence[int] | Ints, bits: int) -> int:
    mask = (1 << bits) - 1
    return sum((int(value) & mask) << (bits * lane) for lane, value in enumerate(values))
