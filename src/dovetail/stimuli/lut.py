"""Stimuli of the units that a LUT core of the GEMM engine is made of.

Weights have 2 bits, as of a network for which such a core is built, in units that take up to 8.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dovetail.arch.dot_units import Activation
from dovetail.arch.dot_units import Kind as Unit
from dovetail.arch.number_formats import FP16, float_format
from dovetail.models.floating import sum_in_order, to_float
from dovetail.models.lut.tables import integer_tables
from dovetail.rtl.dot.unit import SUM_CONTROL
from dovetail.rtl.lut.design import DotDesign
from dovetail.rtl.stimulus import Stimulus
from dovetail.rtl.units import axis
from dovetail.stimuli.dot import dot_stimulus
from dovetail.stimuli.dot_operands import dot_segments
from dovetail.stimuli.ports import lanes, raw, structs, words
from dovetail.stimuli.request import Request
from dovetail.stimuli.tiles import ORIGINS

LUT_K = 4
WEIGHT_BITS = 2


def unit_stimulus(request: Request, *, kind: Unit, activation: Activation) -> Stimulus:
    """A row's tables or activations and a column's weights, plane after plane; or whole ones."""
    design = _design(request, kind, activation)
    return dot_stimulus(
        design,
        kind=request.kind,
        part="unit",
        cycles=request.cycles,
        weight_bits=WEIGHT_BITS if design.bit_serial else None,
    )


def head_stimulus(request: Request, *, activation: Activation) -> Stimulus:
    """A row's activations, a step a cycle."""
    design = _design(request, "lookup", activation)
    return dot_stimulus(design, kind=request.kind, part="head", cycles=request.cycles)


def _design(request: Request, kind: Unit, activation: Activation) -> DotDesign:
    sums = str(request.size) if axis(request.unit) == "sum_format" else "fp32"
    return DotDesign(kind=kind, activation=activation, lut_k=LUT_K, sums=sums, drains=True)


def table_sum_stimulus(request: Request, *, activation: Activation) -> Stimulus:
    """A row's tables, of which the first entry has every activation subtracted, one a cycle."""
    cycles, width = request.cycles, request.widths["a_i"]
    design = replace(_design(request, "lookup", activation), weight_bits=WEIGHT_BITS)
    entries: list[int] = []
    ends: list[bool] = []
    totals: list[int] = []
    for segment in dot_segments(design, request.kind):
        firsts = np.array([operand & ((1 << width) - 1) for operand in segment.operands])
        entries += firsts.tolist()
        ends += [False] * (len(firsts) - 1) + [True]
        if design.floating:
            terms = -to_float(firsts.astype(np.uint16), FP16)
            total = int(sum_in_order(terms[:, None], float_format(design.sums))[0])
        else:
            total = sum(_signed_lanes(step, design.activation_bits) for step in segment.activations)
        totals += [0] * (len(firsts) - 1) + [total]
        if len(entries) >= cycles:
            break
    return _step_sums(request, entries, ends, totals)


def step_sum_int8_stimulus(request: Request, *, table: bool) -> Stimulus:
    """A row's steps, one a cycle, and the sum of their activations where a group ends.

    Parameters
    ----------
    request : Request
    table : bool
        A step comes as the first entry of its table; else as its activations.
    """
    cycles, width = request.cycles, request.widths["a_i"]
    entries: list[int] = []
    ends: list[bool] = []
    totals: list[int] = []
    for tile in request.tiles(rows=1):
        for start in range(0, tile.activations.shape[1], tile.group):
            part = tile.activations[:, start : start + tile.group]
            firsts = integer_tables(part, LUT_K)[0, :, 0]
            if table:
                entries += raw(firsts, width).tolist()
            else:
                steps = np.zeros((len(firsts), LUT_K), dtype=np.int64)
                steps.reshape(-1)[: part.shape[1]] = part[0]
                entries += lanes(steps, 8)
            ends += [False] * (len(firsts) - 1) + [True]
            totals += np.cumsum(-firsts).tolist()
        if len(entries) >= cycles:
            break
    return _step_sums(request, entries, ends, totals)


def _signed_lanes(step: int, bits: int) -> int:
    """Sum of the integers that are packed into ``step``."""
    values = [step >> (bits * place) & ((1 << bits) - 1) for place in range(LUT_K)]
    return sum(value - (value >> (bits - 1) << bits) for value in values)


def _step_sums(
    request: Request, entries: list[int], ends: list[bool], totals: list[int]
) -> Stimulus:
    """A step's operand each cycle; ``totals`` counts where a segment ends."""
    cycles, width = request.cycles, request.widths["a_i"]
    starts = [True, *ends[:-1]]
    fields = {
        "valid": [1] * cycles,
        "first": [int(first) for first in starts[:cycles]],
        "last": [int(last) for last in ends[:cycles]],
    }
    still = np.zeros(cycles, dtype=np.uint64)
    return Stimulus(
        inputs={
            "a_i": words(entries[:cycles], width),
            "control_i": words(structs(SUM_CONTROL, fields), SUM_CONTROL.size),
            "drain_i": still,
            "shift_i": still,
            "sum_i": still,
        },
        expected={
            "sum_o": raw(np.array([0, *totals[: cycles - 1]]), request.widths["sum_o"]),
            "shift_o": still,
        },
        check={
            "sum_o": np.array([False, *ends[: cycles - 1]]),
            "shift_o": np.arange(cycles) > 0,
        },
        operations=cycles,
        origin=ORIGINS[request.kind],
    )
