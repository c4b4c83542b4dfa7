# amaranth: UnusedElaboratable=no
"""Stimuli of a broadcast array's units: segments of quantised weights, step after step.

The unit gets the operands of one row and one column: tables of a token's activations, made by the
reference, and slices of a channel's weights.  A segment is a group of as many whole steps as 128 k
hold; the next one follows without a gap.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Any, Literal

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
from dovetail.rtl.dot.unit import SUM_CONTROL, UNIT_CONTROL
from dovetail.rtl.lut.design import DotDesign
from dovetail.rtl.skew import Skew
from dovetail.rtl.stimulus import Stimulus
from dovetail.stimuli.ports import structs, words
from dovetail.stimuli.tiles import ORIGINS, ROUND, Kind, float_tiles, reduction_length

Part = Literal["unit", "head", "row_register", "column_register"]
Ints = NDArray[np.int64]
Float = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Segment:
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


def dot_component(design: DotDesign, part: Part) -> Any:
    """The unit of ``design``, its head, or the registers of one row's or column's operand."""
    if part == "unit":
        return design.unit()
    if part == "head":
        return design.head()
    unit = design.unit()
    row = Shape.cast(unit.operand).width
    bits = row if part == "row_register" else unit.weight_bits
    return Skew(lanes=1, lane_bits=bits, extra=1)


def dot_stimulus(design: DotDesign, *, kind: Kind, part: Part, cycles: int = 2048) -> Stimulus:
    """Operands of :func:`dot_component` as it gets them inside an array, and its answers.

    An operation is one cycle with operands: a slice, or of a head a step.

    Parameters
    ----------
    design : DotDesign
    kind : str
        ``real``, ``random`` or ``zero``, as for other units.
    part : str
    cycles : int
    """
    segments = _segments(design, kind)
    if part == "head":
        return _head(design, segments, cycles, ORIGINS[kind])
    streams = _stream(design, segments, cycles)
    if part != "unit":
        bits = len(dot_component(design, part).i)
        values = streams["a_i" if part == "row_register" else "w_i"]
        return Stimulus(
            inputs={"i": words(values, bits)},
            expected={"o": words([values[0], *values[:-1]], bits)},
            check={"o": np.arange(cycles) > 0},
            operations=cycles,
            origin=ORIGINS[kind],
        )
    return _unit(design, streams, ORIGINS[kind])


def _unit(design: DotDesign, streams: dict[str, list[int]], origin: str) -> Stimulus:
    unit = design.unit()
    cycles = len(streams["a_i"])
    late = unit.product_cycles
    fields = {name: streams[name] for name in UNIT_CONTROL.members}
    at_end = _both(streams["last"], streams["plane_last"])
    if unit.per_table:
        adds = streams["plane_last"]
        first = streams["first"]
    else:
        adds = [1] * cycles
        first = _both(streams["first"], streams["plane_first"])
    sums = {"valid": adds, "first": first, "last": at_end, "plane": streams["plane"]}
    later = {name: [0] * late + values[: cycles - late] for name, values in sums.items()}
    done = 1 + late
    check = np.array([False] * done + [bool(end) for end in at_end])[:cycles]
    expected = ([0] * done + streams["total"])[:cycles]
    inputs = {
        "a_i": words(streams["a_i"], Shape.cast(unit.operand).width),
        "w_i": words(streams["w_i"], unit.weight_bits),
        "control_i": words(structs(UNIT_CONTROL, fields), UNIT_CONTROL.size),
        "sum_control_i": words(structs(SUM_CONTROL, later), SUM_CONTROL.size),
    }
    outputs = {"sum_o": words(expected, unit.sum_shape.width)}
    checks = {"sum_o": check}
    if design.drains:
        # The last row of a column: it shifts nothing, so its drain register holds the sum.
        still = np.zeros(cycles, dtype=np.uint64)
        inputs |= {"drain_i": still, "shift_i": still, "sum_i": still}
        outputs["shift_o"] = still
        checks["shift_o"] = np.arange(cycles) > 0
    return Stimulus(inputs=inputs, expected=outputs, check=checks, operations=cycles, origin=origin)


def _stream(design: DotDesign, segments: Iterator[_Segment], cycles: int) -> dict[str, list[int]]:
    """One value a cycle of each operand, each field of control, and the sum that ends with it."""
    streams: dict[str, list[int]] = {
        name: [] for name in ("a_i", "w_i", "total", *UNIT_CONTROL.members)
    }
    while len(streams["a_i"]) < cycles:
        segment = next(segments)
        steps = len(segment.operands)
        for step, (operand, slices) in enumerate(
            zip(segment.operands, segment.slices, strict=True)
        ):
            for plane, bits in enumerate(slices):
                now = {
                    "a_i": operand,
                    "w_i": bits,
                    "total": segment.total,
                    "valid": 1,
                    "first": int(step == 0),
                    "last": int(step == steps - 1),
                    "plane_first": int(plane == 0),
                    "plane_last": int(plane == len(slices) - 1),
                    "plane": plane,
                }
                for name, value in now.items():
                    streams[name].append(value)
    return {name: values[:cycles] for name, values in streams.items()}


def _head(design: DotDesign, segments: Iterator[_Segment], cycles: int, origin: str) -> Stimulus:
    head = design.head()
    entering: list[int] = []
    leaving: list[int] = []
    comparable: list[bool] = []
    while len(entering) < cycles:
        segment = next(segments)
        entering += segment.activations
        leaving += segment.operands
        comparable += segment.comparable
    late = head.cycles
    members = head.signature.members
    widths = {name: Shape.cast(members[name].shape).width for name in ("i", "o")}
    return Stimulus(
        inputs={"i": words(entering[:cycles], widths["i"])},
        expected={"o": words(([0] * late + leaving)[:cycles], widths["o"])},
        check={"o": np.array([False] * late + comparable)[:cycles]},
        operations=cycles,
        origin=origin,
    )


def _segments(design: DotDesign, kind: Kind) -> Iterator[_Segment]:
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


def _segment(design: DotDesign, a: Ints, codes: NDArray[np.uint8], weights: Float) -> _Segment:
    numbers = _numbers(design, a)
    k, steps = design.lut_k, len(a) // design.lut_k
    grouped = a.reshape(steps, k)
    activations = [_pack(step, design.activation_bits) for step in grouped]
    if design.kind == "mac":
        operands = [_pack(step, design.entry_bits) for step in _as_operand(design, grouped)]
        whole = _whole_weights(design, weights)
        slices = [[_pack(step, design.entry_bits)] for step in whole.reshape(steps, k)]
        total = _mac_total(design, a, whole)
        return _Segment(
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
    return _Segment(
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
    k = design.lut_k
    steps = len(numbers)
    if design.kind in ("add", "add_binary"):
        operands = [_pack(step, design.entry_bits) for step in _as_operand(design, grouped)]
        if design.floating:
            half = to_float(fp16_tables(numbers.ravel()[None], k, "pairs")[0], FP16)
            values = np.concatenate([half, -half[:, ::-1]], axis=1)
        else:
            values = _direct(numbers, k, binary=design.kind == "add_binary")
        return operands, [True] * steps, values
    if design.kind in ("full", "full_signed"):
        if design.floating:
            bits = _full_float_tables(numbers)
            values = to_float(bits, FP16)
            return (
                [_pack(row, FP16.bits) for row in bits.astype(np.int64)],
                [bool((row[1:] != 0).all()) for row in values],
                values,
            )
        values = _direct(numbers, k, binary=True)
        entry = _entry_bits(design)
        return [_pack(row, entry) for row in values.astype(np.int64)], [True] * steps, values
    if design.floating:
        tables: Any = fp16_tables(numbers.ravel()[None], k)
        half = to_float(tables[0], FP16)
        comparable = [bool((row != 0).all()) for row in half]
        operands = [_pack(row, FP16.bits) for row in tables[0].astype(np.int64)]
        quantize = quantize_fp16_tables
        origin = FP16.least_exponent
    else:
        tables = integer_tables(numbers.astype(np.int64).ravel()[None], k)
        half = tables[0].astype(np.float64)
        comparable = [True] * steps
        entry = 0 if design.kind == "quantised" else _entry_bits(design)
        operands = [_pack(row, entry) for row in tables[0]]
        quantize = quantize_integer_tables
        origin = 0
    if design.kind == "quantised":
        quantised = quantize(tables)
        offset = _operand(design)["exponent"].offset
        entries = quantised.entries[0].astype(np.int64)
        exponents = quantised.exponent[0]
        operands = [
            _pack(row, 8) | (int(exponent) - origin) << offset
            for row, exponent in zip(entries, exponents, strict=True)
        ]
        comparable = [True] * steps
        half = entries * np.ldexp(1.0, exponents)[:, None]
    return operands, comparable, np.concatenate([half, -half[:, ::-1]], axis=1)


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


def _both(x: list[int], y: list[int]) -> list[int]:
    return [a & b for a, b in zip(x, y, strict=True)]


def _pack(values: Sequence[int] | Ints, bits: int) -> int:
    mask = (1 << bits) - 1
    return sum((int(value) & mask) << (bits * lane) for lane, value in enumerate(values))
