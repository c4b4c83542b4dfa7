"""Array tiles as they enter a whole core, k after k."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from dovetail.arch.engine import SCALE_BITS, SCALE_LANE_BITS, WEIGHT_BITS, GemmEngineConfig
from dovetail.models.mpgemm import GemmOperands
from dovetail.rtl.gemm.drain import segment
from dovetail.stimuli.ports import lanes, structs
from dovetail.stimuli.tiles import Kind, tiles

FIELDS = (
    "valid",
    "activations",
    "weights",
    "scales",
    "scale_valid",
    "odd",
    "signed",
    "first",
    "last",
    "segment",
)
"""Fields of a core's operand port that a tile sets."""


def cut_tiles(
    config: GemmEngineConfig, kind: Kind, groups: int, zero_point: bool
) -> Iterator[GemmOperands]:
    """Tiles of the core's array until ``groups`` groups have gone; the last is cut."""
    for tile in tiles(
        kind,
        rows=config.rows,
        cols=config.cols,
        group=config.max_group,
        zero_point=zero_point,
        activation_bits=4 if config.spec.activation_bits == 4 else 8,
    ):
        assert tile.scale is not None and tile.zero is not None
        taken = min(groups, tile.scale.shape[1])
        yield first_groups(tile, taken)
        groups -= taken
        if not groups:
            return


def tile_operands(
    config: GemmEngineConfig, tile: GemmOperands, *, half: int, zero_point: bool
) -> dict[str, Sequence[int]]:
    """What enters the core with each k of a tile, by field of its operand port."""
    assert tile.scale is not None and tile.zero is not None
    k = tile.weights.shape[1]
    length = tile.group if config.spec.group_segments else k
    time = np.arange(k)
    nibbles = lanes(tile.weights.T, WEIGHT_BITS)
    if config.spec.slices_per_word == 2:
        # A word holds an even k and, above it, the odd one after it.
        plane = config.cols_padded * WEIGHT_BITS
        nibbles.append(0)
        nibbles = [nibbles[at] | nibbles[at + 1] << plane for at in (time & ~1).tolist()]
    scales = lanes((tile.scale | tile.zero << SCALE_BITS).T, SCALE_LANE_BITS)
    entries = structs(
        segment(config),
        {
            "half": [half] * k,
            "first": (time < length).astype(int).tolist(),
            "tile_last": (time >= (k - 1) // length * length).astype(int).tolist(),
            "rows_valid": [config.rows] * k,
            "cols_valid": [config.cols] * k,
        },
    )
    return {
        "valid": [1] * k,
        "activations": lanes(tile.activations.T, config.spec.activation_bits),
        "weights": nibbles,
        "scales": [scales[group] for group in (time // tile.group).tolist()],
        "scale_valid": (time % tile.group == 0).astype(int).tolist(),
        "odd": (time % config.spec.slices_per_word).tolist(),
        "signed": [int(not zero_point)] * k,
        "first": (time % length == 0).astype(int).tolist(),
        "last": ((time % length == length - 1) | (time == k - 1)).astype(int).tolist(),
        "segment": entries,
    }


def first_groups(tile: GemmOperands, count: int) -> GemmOperands:
    """The first ``count`` groups of a tile."""
    assert tile.scale is not None and tile.zero is not None
    k = count * tile.group
    return GemmOperands(
        activations=tile.activations[:, :k],
        weights=tile.weights[:, :k],
        scale=tile.scale[:, :count],
        zero=tile.zero[:, :count],
        group=tile.group,
    )
