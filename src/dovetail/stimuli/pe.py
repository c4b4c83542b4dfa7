"""Stimuli of output-stationary PEs: one PE in the middle of an array, segment after segment.

The PE stands in the middle row of a column of :data:`~dovetail.stimuli.request.ROWS` rows.  Each
cycle brings one k; where segments are shorter than the column is high, the stream pauses until the
column has drained, as the engine's does.  The drain chain behaves as in that column: once the last
row is done, ``drain_i`` rises for one cycle and ``shift_i`` for as many as rows lie above, while
``sum_i`` brings the sums of the PEs above, computed from the activations of their own rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dovetail.models.mpgemm import GemmOperands
from dovetail.models.quantize import natural_weight_shift
from dovetail.rtl.gemm.pe import PE_CONTROL
from dovetail.rtl.int8.dequant_pe import SCALED_WEIGHT
from dovetail.rtl.stimulus import Stimulus
from dovetail.stimuli.ports import Raw, raw, structs, words
from dovetail.stimuli.request import ROWS, Request
from dovetail.stimuli.weights import dequantized, scale_lanes, word_bytes

ROW = ROWS // 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Segment:
    """What one column multiplies and sums before it drains, as raw bits.

    Attributes
    ----------
    activations : uint64, shape (rows, k)
        Of the PE's row, the last, and of all rows above it.
    weights : uint64, shape (k,)
    sums : uint64, shape (rows,)
        What the PEs of these rows must have summed, k ascending.
    """

    activations: Raw
    weights: Raw
    sums: Raw


Segments = Callable[[Request], Iterator[Segment]]


def pe_stimulus(request: Request, segments: Segments) -> Stimulus:
    """Stream ``segments`` through the PE of ``request``; one operation is one k."""
    chosen, starts = _schedule(segments(request), request.cycles)
    cycles = request.cycles
    a, w = np.zeros(cycles, dtype=np.uint64), np.zeros(cycles, dtype=np.uint64)
    valid, first, last = (np.zeros(cycles, dtype=np.int64) for _ in range(3))
    drain, shift = np.zeros(cycles, dtype=np.uint64), np.zeros(cycles, dtype=np.uint64)
    above, own = np.zeros(cycles, dtype=np.uint64), np.zeros(cycles, dtype=np.uint64)
    known = np.zeros(cycles, dtype=np.bool_)
    for segment, start in zip(chosen, starts, strict=True):
        end = start + len(segment.weights)
        a[start:end] = segment.activations[-1][: cycles - start]
        w[start:end] = segment.weights[: cycles - start]
        # Operand registers hold until the next segment.
        a[end:], w[end:] = segment.activations[-1, -1], segment.weights[-1]
        valid[start:end] = 1
        first[start] = 1
        last[end - 1 : end] = 1
        done = end - 1 + request.product_cycles  # the last product is added
        drains = done + ROWS - ROW  # the column's last row is done
        drain[drains : drains + 1] = 1
        shift[drains + 1 : drains + 1 + ROW] = 1
        upwards = segment.sums[::-1]
        _place(above, done, [*[upwards[1]] * (ROWS - ROW), *upwards[1:]])
        _place(own, done + 1, [*[upwards[0]] * (ROWS - ROW), *upwards[1:]])
        known[done + 1 :] = True
    control = structs(
        PE_CONTROL,
        {
            "valid": valid.tolist(),
            "first": first.tolist(),
            "last": last.tolist(),
            "signed": [int(not request.zero_point)] * cycles,
        },
    )
    inputs = {
        "a_i": a,
        "w_i": w,
        "control_i": words(control, request.widths["control_i"]),
        "drain_i": drain,
        "shift_i": shift,
        "sum_i": above,
        "weight_shift": np.full(cycles, natural_weight_shift(request.zero_point), dtype=np.uint64),
    }
    expected = {
        "a_o": _later(a),
        "w_o": _later(w),
        "control_o": _later(inputs["control_i"]),
        "shift_o": _later(drain | shift),
        "sum_o": own,
    }
    loaded = np.arange(cycles) > 0
    return Stimulus(
        inputs={name: value for name, value in inputs.items() if name in request.widths},
        expected={name: value for name, value in expected.items() if name in request.widths},
        check={
            name: known if name == "sum_o" else loaded
            for name in expected
            if name in request.widths
        },
        operations=int(valid.sum()),
        origin=request.origin,
    )


def _schedule(segments: Iterable[Segment], cycles: int) -> tuple[list[Segment], list[int]]:
    """As many segments as start within ``cycles``, and the cycle of each one's first k."""
    chosen: list[Segment] = []
    starts: list[int] = []
    end = last_done = -ROWS
    for segment in segments:
        length = len(segment.weights)
        start = max(end, last_done + ROWS - length + 1, 0)
        if start >= cycles:
            break
        chosen.append(segment)
        starts.append(start)
        end, last_done = start + length, start + length - 1
    return chosen, starts


def _place(trace: Raw, start: int, values: list[np.uint64]) -> None:
    """Set ``trace`` from ``start`` on: ``values``, then the zeros that enter at the chain's top."""
    trace[start:] = 0
    fitting = values[: max(0, len(trace) - start)]
    trace[start : start + len(fitting)] = fitting


def _later(values: Raw) -> Raw:
    """One cycle later; the first cycle, which nothing has loaded yet, is not compared."""
    return np.concatenate([values[:1], values[:-1]])


def group_segments(request: Request) -> Iterator[Segment]:
    """Integer activations times INT4 codes, summed over each group."""
    for tile in request.tiles():
        w = tile.weights[0]
        yield from _integer_segments(request, tile, request.port("w_i", w), w, tile.group)


def group_sum_segments(request: Request) -> Iterator[Segment]:
    """Integer activations alone."""
    for tile in request.tiles():
        ones = np.ones_like(tile.weights[0])
        yield from _integer_segments(request, tile, raw(ones, 1), ones, tile.group)


def int8_segments(request: Request) -> Iterator[Segment]:
    """INT8 activations times INT8 weights that were dequantised before, summed over the whole k."""
    rng = np.random.default_rng(2)
    for tile in request.tiles():
        w = dequantized(tile, request.zero_point)
        if request.kind == "random":
            w = rng.integers(-128, 128, len(w)).astype(np.int8)
        yield from _integer_segments(request, tile, request.port("w_i", w), w, len(w))


def dequant_segments(request: Request) -> Iterator[Segment]:
    """INT8 activations times INT4 weights that come with their scales, over the whole k."""
    for tile in request.tiles():
        w = dequantized(tile, request.zero_point)
        fields = {"w": word_bytes(tile).tolist(), "lane": scale_lanes(tile).tolist()}
        weights = words(structs(SCALED_WEIGHT, fields), SCALED_WEIGHT.size)
        yield from _integer_segments(request, tile, weights, w, len(w))


def _integer_segments(
    request: Request, tile: GemmOperands, weights: Raw, w: NDArray[np.int8], length: int
) -> Iterator[Segment]:
    """Cut a tile into segments; ``weights`` is what enters the port, ``w`` what it stands for."""
    for first in range(0, len(w), length):
        part = slice(first, first + length)
        a = tile.activations[: ROW + 1, part]
        yield Segment(
            activations=request.port("a_i", a),
            weights=weights[part],
            sums=request.port("sum_o", a.astype(np.int64) @ w[part].astype(np.int64)),
        )
