"""What the attention engine finds in DRAM, and what it leaves there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.m3vit.attention_engine import LAYERS, AttentionCall, AttentionEngineConfig
from dovetail.models.m3vit.attention_layer import AttentionMaps, AttentionWeights
from dovetail.models.m3vit.fixed import Integers
from dovetail.models.m3vit.linear_layout import pack_layer
from dovetail.models.m3vit.maps import pack_map, pack_norm

__all__ = ["WRITTEN_MAPS", "pack_attention", "written_maps"]

WRITTEN_MAPS = ("x", "normed", "query", "key", "value", "context")
"""In the order of :func:`~dovetail.arch.m3vit.attention_engine.describe_attention`."""


def pack_attention(
    config: AttentionEngineConfig, call: AttentionCall, x: Integers, weights: AttentionWeights
) -> NDArray[np.uint8]:
    """The whole memory before a run, from beat 0 to the end of the last map.

    Parameters
    ----------
    config : AttentionEngineConfig
    call : AttentionCall
        Of :func:`~dovetail.arch.m3vit.attention_engine.describe_attention`.
    x : int64, shape (tokens, width)
    weights : AttentionWeights
    """
    beat_bytes = config.port_bits // 8
    map_bytes = call.tokens * config.token_beats * beat_bytes
    image = np.zeros(call.x_address * beat_bytes + len(WRITTEN_MAPS) * map_bytes, np.uint8)

    def place(address: int, values: NDArray[np.generic]) -> None:
        data = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        image[address * beat_bytes : address * beat_bytes + data.size] = data

    place(call.norm_address, pack_norm(weights.norm, config.norm))
    for number, name in enumerate(LAYERS):
        layer = getattr(weights, name)
        packed = pack_layer(config.engine, layer.weight, layer.bias, group=config.layer.group)
        first = call.weight_address + number * config.layer_beats
        place(first, packed.weights)
        place(first + config.layer.weight_beats, packed.biases)
    place(call.x_address, pack_map(x, config.norm))
    return image


def written_maps(maps: AttentionMaps) -> dict[str, NDArray[np.int32]]:
    """What stands in each map after a run: int32 of shape (tokens, width)."""
    return {name: getattr(maps, name).astype(np.int32) for name in WRITTEN_MAPS}
