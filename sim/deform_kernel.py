"""The recurrence of the deformable engine: when each pixel enters and leaves each part.

All additions of constants and maxima, so the times are exact for any shape; docs/deform-engine.md
states the rules, and the latencies are those of ``arch/deform.py``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dovetail.arch.deform import (
    POINTWISE_CYCLES,
    QUEUE_BEATS,
    REQUANTISE_CYCLES,
    WINDOW_ADDRESS_CYCLES,
    WINDOW_CYCLES,
)

__all__ = ["CallShape", "CallTimes", "count_line_reads", "run_call", "run_gather"]

# From the last operands of a pass, or the last step of a window, to its beat at the queue's end.
_POINTWISE_OUT = POINTWISE_CYCLES + REQUANTISE_CYCLES + 1
_WINDOW_OUT = WINDOW_CYCLES + REQUANTISE_CYCLES + 1
# From a window of gathered taps, which needs no address.
_GATHER_OUT = _WINDOW_OUT - WINDOW_ADDRESS_CYCLES
# From a pixel's last step until its windows can be read from the tap store: address, memory, store.
_STORE_READY = WINDOW_ADDRESS_CYCLES + 2
# From a pixel's last step until the line buffer's writer sees that it is read.
_READ_SEEN = WINDOW_ADDRESS_CYCLES + 1


class CallShape(NamedTuple):
    """What of an engine and a call its times depend on."""

    height: int
    width: int
    in_groups: int
    out_groups: int
    stride: int
    pointwise: bool
    depthwise: bool
    full: bool
    bound: int
    public_lead: bool
    steps: int
    pixel_beats: int
    dram_latency: int


class CallTimes(NamedTuple):
    """Cycles of a call by cause; ``cycles`` is their sum."""

    cycles: int
    stream: int
    stall_weights: int
    stall_activations: int
    stall_output: int
    stall_drain: int


@njit(cache=True, error_model="numpy")
def run_call(
    shape: CallShape, preload_beats: NDArray[np.int64], written: NDArray[np.int64]
) -> CallTimes:
    """Run one call.

    Parameters
    ----------
    shape : CallShape
    preload_beats : int64, shape (5,)
        Beats of the sections before the features.
    written : int64, shape (output beats,) or (0,)
        Receives the cycle in which each output beat is written, where there is room.

    Returns
    -------
    CallTimes
    """
    # Section k's command goes out in cycle k + 1.  The loader is at section k from ``turn`` on.
    turn = 1
    for k in range(preload_beats.size):
        if preload_beats[k]:
            turn = max(turn, 1 + k + shape.dram_latency) + preload_beats[k]
        else:
            turn += 1
    features = max(turn, 1 + preload_beats.size + shape.dram_latency)

    height, width, stride = shape.height, shape.width, shape.stride
    in_groups, out_groups, bound = shape.in_groups, shape.out_groups, shape.bound
    image_groups = out_groups if shape.pointwise else in_groups
    ahead = bound + 1
    out_width = (width + stride - 1) // stride
    out_height = (height + stride - 1) // stride
    pixels = height * width
    log = written.size > 0

    stall_activations = 0
    stall_output = 0
    # Feature beats into the ring; when each pixel's room is free again.
    beat_at = features - 1
    beats = 0
    freed = np.empty(pixels if shape.pointwise else 0, dtype=np.int64)
    # Passes of the array; when their results left the queue.
    array_end = 1
    left_queue = np.zeros(QUEUE_BEATS, dtype=np.int64)
    passes = 0
    # The line buffer's writer and reader.
    line_at = features - 1 if not shape.pointwise else 0
    stored = np.empty(pixels if shape.depthwise else 0, dtype=np.int64)
    seen = np.empty(out_height * out_width if shape.depthwise else 0, dtype=np.int64)
    reader_end = 1
    # Windows of a full core, of which the tap store holds two pixels.
    windows_end = 1
    freed_half = np.zeros(2, dtype=np.int64)
    last_write = 0

    row = 0
    col = 0
    pixel = 0
    outputs = out_height * out_width if shape.depthwise else 1
    for k in range(outputs):
        # Write as far as output pixel k needs.
        need = pixels
        if shape.depthwise:
            out_row = k // out_width
            at_row = out_row * stride
            at_col = (k - out_row * out_width) * stride
            if not shape.public_lead:
                need = min(at_row + bound, height - 1) * width + min(at_col + bound, width - 1) + 1
            elif at_row + ahead < height:
                need = (at_row + ahead) * width + at_col + 1
        while pixel < need:
            gate = 0
            if shape.depthwise:
                old = row - ahead
                reads = 0
                if shape.public_lead:
                    if old >= 0:
                        if old % stride == 0:
                            reads = old // stride * out_width + (col + stride - 1) // stride
                        else:
                            reads = (old // stride + 1) * out_width
                elif old >= bound:
                    if old % stride == 0:
                        far = min(col + bound, width - 1)
                        reads = old // stride * out_width + far // stride + 1
                    else:
                        reads = (old // stride + 1) * out_width
                if reads:
                    gate = seen[reads - 1]
            if shape.pointwise:
                for _ in range(in_groups):
                    beat_at += 1
                    if beats >= shape.pixel_beats:
                        beat_at = max(beat_at, freed[(beats - shape.pixel_beats) // in_groups] + 1)
                    beats += 1
                ready = beat_at + 1
                for group in range(out_groups):
                    start = array_end
                    if group == 0 and ready > start:
                        stall_activations += ready - max(start, turn)
                        start = ready
                    room = left_queue[passes % QUEUE_BEATS] + 1
                    if room > start:
                        stall_output += room - start
                        start = room
                    array_end = start + in_groups
                    out = max(line_at + 1, array_end - 1 + _POINTWISE_OUT)
                    line_at = max(out, gate)
                    left_queue[passes % QUEUE_BEATS] = line_at
                    if log and not shape.depthwise:
                        written[passes] = line_at
                    passes += 1
                freed[pixel] = array_end - 1
            else:
                line_at = max(line_at + 1, gate) + image_groups - 1
            if shape.depthwise:
                stored[pixel] = line_at + 1
            pixel += 1
            col += 1
            if col == width:
                col = 0
                row += 1
        if shape.depthwise:
            start = max(reader_end, stored[need - 1])
            if shape.full and k >= 2:
                start = max(start, freed_half[k % 2] + 1)
            if not (shape.pointwise or shape.full):
                stall_activations += start - max(reader_end, turn) if start > reader_end else 0
            reader_end = start + image_groups * shape.steps
            seen[k] = reader_end - 1 + _READ_SEEN
            if shape.full:
                ready = reader_end - 1 + _STORE_READY
                start = windows_end
                if ready > start:
                    stall_activations += ready - max(start, turn)
                    start = ready
                windows_end = start + in_groups * out_groups
                freed_half[k % 2] = windows_end - 1
                if log:
                    for group in range(out_groups):
                        end = start + (group + 1) * in_groups - 1
                        written[k * out_groups + group] = end + _POINTWISE_OUT
            elif log:
                for group in range(out_groups):
                    end = start + (group + 1) * shape.steps - 1
                    written[k * out_groups + group] = end + _WINDOW_OUT
    if shape.full:
        last_write = windows_end - 1 + _POINTWISE_OUT
    elif shape.depthwise:
        last_write = reader_end - 1 + _WINDOW_OUT
    else:
        last_write = line_at

    if shape.pointwise:
        stream = passes * in_groups
        drain = last_write - (array_end - 1)
    elif shape.full:
        stream = outputs * in_groups * out_groups
        drain = last_write - (windows_end - 1)
    else:
        stream = outputs * out_groups * shape.steps
        drain = last_write - (reader_end - 1)
    return CallTimes(last_write, stream, turn - 1, stall_activations, stall_output, drain)


@njit(cache=True, error_model="numpy")
def run_gather(
    shape: CallShape,
    bursts: int,
    preload_beats: NDArray[np.int64],
    offsets: NDArray[np.uint8],
    written: NDArray[np.int64],
) -> tuple[CallTimes, int]:
    """Run one 3x3 convolution whose taps are gathered from DRAM.

    Parameters
    ----------
    shape : CallShape
    bursts : int
        Taps that may be asked for before the data of the first have come.
    preload_beats : int64, shape (5,)
    offsets : uint8, shape (out_height, out_width)
    written : int64, shape (output beats,) or (0,)
        As for :func:`run_call`.

    Returns
    -------
    CallTimes
    taps : int
        Inside the image.
    """
    turn = 1
    for k in range(preload_beats.size):
        if preload_beats[k]:
            turn = max(turn, 1 + k + shape.dram_latency) + preload_beats[k]
        else:
            turn += 1
    height, width, stride = shape.height, shape.width, shape.stride
    groups = shape.in_groups
    # How many windows give a result, and how many a pixel has.
    summed = groups if shape.full else 1
    windows = groups * shape.out_groups if shape.full else groups
    out = _POINTWISE_OUT if shape.full else _GATHER_OUT
    log = written.size > 0
    ask = turn + 1  # the next cycle of whoever asks for taps
    arrived = 0  # last beat that was taken
    next_entry = 0  # first cycle in which the next burst or end can be taken
    came = np.zeros(bursts, dtype=np.int64)  # last beat of each burst, in turn
    freed = np.zeros(2, dtype=np.int64)  # last window of each half
    taps = 0
    reader_end = 1
    stall_activations = 0
    pixel = 0
    for r in range(offsets.shape[0]):
        for c in range(offsets.shape[1]):
            s = int(offsets[r, c])
            ask = max(ask, freed[pixel % 2] + 1 if pixel >= 2 else 0) + 1
            for place in range(9):
                row = r * stride + (place // 3 - 1) * s
                col = c * stride + (place % 3 - 1) * s
                if 0 <= row and row < height and 0 <= col and col < width:
                    if taps >= bursts:
                        ask = max(ask, came[taps % bursts] + 1)
                    first = max(ask + shape.dram_latency, max(next_entry, arrived + 1))
                    arrived = first + groups - 1
                    next_entry = arrived + 1
                    came[taps % bursts] = arrived
                    taps += 1
                ask += 1
            ready = max(ask + 1, next_entry) + 1
            next_entry = ready
            ask += 1
            start = reader_end
            if ready > start:
                stall_activations += ready - max(start, turn)
                start = ready
            if log:
                for group in range(shape.out_groups):
                    end = start + (group + 1) * summed - 1
                    written[pixel * shape.out_groups + group] = end + out
            reader_end = start + windows
            freed[pixel % 2] = reader_end - 1
            pixel += 1
    last_write = reader_end - 1 + out
    times = CallTimes(
        last_write,
        pixel * windows,
        turn - 1,
        stall_activations,
        0,
        last_write - (reader_end - 1),
    )
    return times, taps


@njit(cache=True, error_model="numpy")
def count_line_reads(
    height: int,
    width: int,
    stride: int,
    window_ports: int,
    offsets: NDArray[np.uint8],
) -> int:
    """Memories of the line buffer that are read for one group of channels.

    Rows and columns outside the image are not read.  With s = 0 three ports read one row, and nine
    ports one place.

    Parameters
    ----------
    height, width, stride, window_ports : int
    offsets : uint8, shape (out_height, out_width)
    """
    reads = 0
    for r in range(offsets.shape[0]):
        for c in range(offsets.shape[1]):
            s = int(offsets[r, c])
            row, col = r * stride, c * stride
            rows = 1 + int(row >= s) + int(row + s < height)
            cols = 1 + int(col >= s) + int(col + s < width)
            if s == 0:
                rows = 3 if window_ports == 1 else 1
                cols = 1 if window_ports == 9 else 3
            reads += rows * cols
    return reads
