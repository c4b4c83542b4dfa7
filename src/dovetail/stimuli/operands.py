"""Stimuli of what operands pass on their way: weight dequantiser, scale queue, registers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dovetail.models.quantize import natural_weight_shift
from dovetail.rtl.stimulus import Stimulus
from dovetail.stimuli.ports import Raw, raw
from dovetail.stimuli.request import GROUP, ROWS, Request
from dovetail.stimuli.weights import dequantized, scale_lanes, word_bytes

_BYTE = 8
_WEIGHT_DEQUANT_CYCLES = 2

# Of the scale queue, in an array as wide as it is high.
_COLUMN = ROWS // 2


def weight_dequant_stimulus(request: Request) -> Stimulus:
    """INT4 weights of one column with their groups' lanes, one k a cycle."""
    cycles, latency = request.cycles, _WEIGHT_DEQUANT_CYCLES
    count = cycles - latency
    parts: list[tuple[NDArray[np.int64], ...]] = []
    streamed = 0
    for tile in request.tiles(rows=1):
        weights = dequantized(tile, request.zero_point).astype(np.int64)
        parts.append((word_bytes(tile), scale_lanes(tile), weights))
        streamed += len(weights)
        if streamed >= count:
            break
    w, lane, o = (np.concatenate(column)[:count] for column in zip(*parts, strict=True))

    def constant(value: int) -> Raw:
        return np.full(cycles, value, dtype=np.uint64)

    return Stimulus(
        inputs={
            "w": request.port("w", np.pad(w, (0, latency), mode="edge")),
            "signed_weight": constant(int(not request.zero_point)),
            "bypass": constant(0),
            "lane": request.port("lane", np.pad(lane, (0, latency), mode="edge")),
            "shift": constant(natural_weight_shift(request.zero_point)),
        },
        expected={"o": request.port("o", np.pad(o, (latency, 0), mode="edge"))},
        check={"o": np.arange(cycles) >= latency},
        operations=count,
        origin=request.origin,
    )


def scale_queue_stimulus(request: Request) -> Stimulus:
    """Groups of :data:`~dovetail.stimuli.request.GROUP` k through a column in the array's middle.

    A group's lane is stored with its first k and read while its rows drain; the slot to read moves
    on when the last row has left.  An operation is a drained row.
    """
    cycles = request.cycles
    count = -(-cycles // GROUP)
    lanes: list[int] = []
    for tile in request.tiles(rows=1):
        lanes += scale_lanes(tile)[:: tile.group].tolist()
        if len(lanes) >= count:
            break
    assert request.size is not None
    depth = int(request.size)
    time = np.arange(cycles)
    entering = time // GROUP
    push = time % GROUP == 0
    # The last k takes ROWS cycles down the column of group sums and one to each column; then the
    # rows drain, one a cycle.
    drained = (np.arange(count) + 1) * GROUP - 1 + ROWS + 1 + _COLUMN
    reading = np.searchsorted(drained + ROWS, time, side="right")
    lane = np.array(lanes)
    return Stimulus(
        inputs={
            "push": request.port("push", push.astype(np.int64)),
            "push_slot": request.port("push_slot", entering % depth),
            "push_lane": request.port("push_lane", lane[entering]),
            "slot": request.port("slot", reading % depth),
        },
        expected={"lane": request.port("lane", lane[reading])},
        check={"lane": time > 0},
        operations=int(np.clip(cycles - drained, 0, ROWS).sum()),
        origin=request.origin,
    )


def register_bit_stimulus(request: Request) -> Stimulus:
    """The eight bits of a row's activations one after the other, each for an eighth of the time."""
    cycles = request.cycles
    part = -(-cycles // _BYTE)
    activations = np.zeros(0, dtype=np.int64)
    for tile in request.tiles(rows=1):
        activations = np.append(activations, tile.activations[0])
        if len(activations) >= cycles:
            break
    bit = np.arange(cycles) // part
    i = raw(activations[:cycles] >> bit & 1, 1)
    return Stimulus(
        inputs={"i": i},
        expected={"o": np.append(i[:1], i[:-1])},
        check={"o": np.arange(cycles) > 0},
        operations=cycles,
        origin=request.origin,
    )
