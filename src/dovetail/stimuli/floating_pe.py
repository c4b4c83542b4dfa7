"""Segments of floating-point PEs: FP16 activations, sums rounded at each addition."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.number_formats import FP16, float_format
from dovetail.models.floating import dot, to_float
from dovetail.models.mpgemm_floating import dequantize_to_fp16
from dovetail.models.quantize import natural_weight_shift
from dovetail.rtl.int8.dequant_pe import SCALED_WEIGHT
from dovetail.stimuli.pe import ROW, Segment
from dovetail.stimuli.ports import Raw, raw, structs, words
from dovetail.stimuli.request import ROWS, Request
from dovetail.stimuli.tiles import fp16_tiles
from dovetail.stimuli.weights import scale_lanes, word_bytes


def shift_add_segments(request: Request) -> Iterator[Segment]:
    """FP16 activations times INT4 codes, summed over each group."""
    for tile in request.tiles():
        w = tile.weights[0]
        yield from _segments(request, tile.activations, request.port("w_i", w), w.astype(float))


def float_sum_segments(request: Request) -> Iterator[Segment]:
    """FP16 activations alone."""
    for tile in request.tiles():
        ones = np.ones(tile.weights.shape[1])
        yield from _segments(request, tile.activations, raw(ones, 1), ones)


def float_dequant_segments(request: Request) -> Iterator[Segment]:
    """FP16 activations times INT4 weights that come with their scales."""
    shift = natural_weight_shift(request.zero_point)
    for tile in request.tiles():
        fields = {"w": word_bytes(tile).tolist(), "lane": scale_lanes(tile).tolist()}
        weights = words(structs(SCALED_WEIGHT, fields), SCALED_WEIGHT.size)
        w = to_float(dequantize_to_fp16(tile, weight_shift=shift)[0], FP16)
        yield from _segments(request, tile.activations, weights, w)


def fp16_segments(request: Request) -> Iterator[Segment]:
    """FP16 activations times FP16 weights; segments are as long as groups."""
    for a, w in fp16_tiles(request.kind, rows=ROWS, cols=1):
        yield from _segments(request, a, raw(w[0], FP16.bits), to_float(w[0], FP16))


def _segments(
    request: Request, activations: NDArray[np.integer], weights: Raw, w: NDArray[np.float64]
) -> Iterator[Segment]:
    """Cut a tile into groups; ``weights`` is what enters the port, ``w`` what it stands for."""
    form = float_format(str(request.size))
    for first in range(0, len(w), request.group):
        part = slice(first, first + request.group)
        a = activations[: ROW + 1, part]
        yield Segment(
            activations=raw(a, FP16.bits),
            weights=weights[part],
            sums=raw(dot(to_float(a, FP16), w[None, part], form)[:, 0], form.bits),
        )
