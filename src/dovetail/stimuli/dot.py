# amaranth: UnusedElaboratable=no
"""Stimuli of a broadcast array's units: segments of quantised weights, step after step.

The unit gets the operands of one row and one column: tables of a token's activations, made by the
reference, and slices of a channel's weights.  A segment is a group of as many whole steps as 128 k
hold; the next one follows without a gap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from amaranth import Shape

from dovetail.rtl.dot.unit import SUM_CONTROL, UNIT_CONTROL
from dovetail.rtl.lut.array import DotArray
from dovetail.rtl.lut.design import DotDesign
from dovetail.rtl.skew import Skew
from dovetail.rtl.stimulus import Stimulus
from dovetail.stimuli.dot_operands import DotSegment, dot_segments
from dovetail.stimuli.ports import structs, words
from dovetail.stimuli.tiles import ORIGINS, Kind

Part = Literal["unit", "head", "row_register", "column_register", "array"]

ARRAY_ROWS, ARRAY_COLS = 2, 8
"""Of the small array that is looked at as a whole."""


def dot_component(design: DotDesign, part: Part) -> Any:
    """The unit of ``design``, its head, registers of a row's or column's operand, or an array."""
    if part == "array":
        return DotArray(design, rows=ARRAY_ROWS, cols=ARRAY_COLS, makes_tables=False)
    if part == "unit":
        return design.unit()
    if part == "head":
        return design.head()
    unit = design.unit()
    row = Shape.cast(unit.operand).width
    bits = row if part == "row_register" else unit.weight_bits
    return Skew(lanes=1, lane_bits=bits, extra=1)


def dot_stimulus(
    design: DotDesign,
    *,
    kind: Kind,
    part: Part,
    cycles: int = 2048,
    weight_bits: int | None = None,
) -> Stimulus:
    """Operands of :func:`dot_component` as it gets them inside an array, and its answers.

    An operation is one cycle with operands: a slice, or of a head a step.

    Parameters
    ----------
    design : DotDesign
    kind : str
        ``real``, ``random`` or ``zero``, as for other units.
    part : str
    cycles : int
    weight_bits : int, optional
        Of the weights that are run, where fewer than a unit of ``design`` can take.
    """
    if part == "array":
        return _array(design, kind=kind, rows=ARRAY_ROWS, cols=ARRAY_COLS, cycles=cycles)
    segments = dot_segments(design, kind)
    if weight_bits is not None:
        narrow = replace(design, weight_bits=weight_bits)
        segments = dot_segments(narrow, kind)
        if not design.floating:
            segments = (_widened(s, narrow, design) for s in segments)
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


def _array(design: DotDesign, *, kind: Kind, rows: int, cols: int, cycles: int) -> Stimulus:
    """All rows get the same operand and all columns the same slices, which no logic knows."""
    unit = design.unit()
    streams = _stream(design, dot_segments(design, kind), cycles)
    operand, total = Shape.cast(unit.operand).width, unit.sum_shape.width
    late = 2 + unit.product_cycles
    ends = _both(streams["last"], streams["plane_last"])
    fields = {name: streams[name] for name in UNIT_CONTROL.members}
    sums = _beside(([0] * late + streams["total"])[:cycles], total, rows * cols)
    return Stimulus(
        inputs={
            "a": words(_beside(streams["a_i"], operand, rows), operand * rows),
            "w": words(_beside(streams["w_i"], unit.weight_bits, cols), unit.weight_bits * cols),
            "control": words(structs(UNIT_CONTROL, fields), UNIT_CONTROL.size),
        },
        expected={"sums": words(sums, total * rows * cols)},
        check={"sums": np.array([False] * late + [bool(end) for end in ends])[:cycles]},
        operations=cycles,
        origin=ORIGINS[kind],
    )


def _widened(segment: DotSegment, narrow: DotDesign, design: DotDesign) -> DotSegment:
    """The same segment, its sum in the wider accumulator."""
    negative = segment.total >> (narrow.sum_bits - 1)
    total = segment.total - (negative << narrow.sum_bits)
    return replace(segment, total=total % (1 << design.sum_bits))


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


def _stream(design: DotDesign, segments: Iterator[DotSegment], cycles: int) -> dict[str, list[int]]:
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


def _head(design: DotDesign, segments: Iterator[DotSegment], cycles: int, origin: str) -> Stimulus:
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


def _beside(values: list[int], bits: int, count: int) -> list[int]:
    """Each value ``count`` times, side by side."""
    ones = sum(1 << (bits * place) for place in range(count))
    return [value * ones for value in values]


def _both(x: list[int], y: list[int]) -> list[int]:
    return [a & b for a, b in zip(x, y, strict=True)]
