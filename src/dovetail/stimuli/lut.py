"""Stimuli of the units that a LUT core of the GEMM engine is made of.

Weights have 2 bits, as of a network for which such a core is built, in units that take up to 8.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dovetail.models.lut.tables import integer_tables
from dovetail.rtl.dot.unit import SUM_CONTROL
from dovetail.rtl.lut.design import DotDesign
from dovetail.rtl.stimulus import Stimulus
from dovetail.stimuli.dot import dot_stimulus
from dovetail.stimuli.ports import lanes, raw, structs, words
from dovetail.stimuli.request import Request
from dovetail.stimuli.tiles import ORIGINS

LUT_K = 4
WEIGHT_BITS = 2

_INT8 = DotDesign(kind="lookup", activation="int8", lut_k=LUT_K, drains=True)


def lookup_int8_stimulus(request: Request) -> Stimulus:
    """Tables of a row's activations and a column's weights, plane after plane."""
    return dot_stimulus(
        _INT8, kind=request.kind, part="unit", cycles=request.cycles, weight_bits=WEIGHT_BITS
    )


def precompute_int8_stimulus(request: Request) -> Stimulus:
    """A row's activations, a step a cycle."""
    return dot_stimulus(_INT8, kind=request.kind, part="head", cycles=request.cycles)


def add_int8_stimulus(request: Request) -> Stimulus:
    """A row's activations and a column's weights, plane after plane."""
    return dot_stimulus(
        replace(_INT8, kind="add"),
        kind=request.kind,
        part="unit",
        cycles=request.cycles,
        weight_bits=WEIGHT_BITS,
    )


def mac_int8_stimulus(request: Request) -> Stimulus:
    """A row's activations and a column's weights of 8 bits, a step a cycle."""
    return dot_stimulus(
        replace(_INT8, kind="mac"), kind=request.kind, part="unit", cycles=request.cycles
    )


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
