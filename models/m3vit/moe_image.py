"""What the MoE engine finds in DRAM, and what it leaves there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.m3vit.formats import FEATURE
from dovetail.arch.m3vit.moe_engine import MoeCall, MoeEngineConfig
from dovetail.models.m3vit.fixed import Integers
from dovetail.models.m3vit.linear_layout import pack_layer
from dovetail.models.m3vit.maps import pack_map, pack_norm
from dovetail.models.m3vit.moe_layer import MoeMaps, MoeWeights

__all__ = ["WRITTEN_MAPS", "pack_moe", "written_words"]

WRITTEN_MAPS = ("x", "normed", "logits", "hidden")
"""In the order of :func:`~dovetail.arch.m3vit.moe_engine.describe_moe`."""


def map_beats(config: MoeEngineConfig) -> dict[str, int]:
    """From one token to the next in each of :data:`WRITTEN_MAPS`."""
    return {
        "x": config.token_beats,
        "normed": config.token_beats,
        "logits": config.logit_beats,
        "hidden": config.hidden_beats,
    }


def pack_moe(
    config: MoeEngineConfig, call: MoeCall, x: Integers, weights: MoeWeights
) -> NDArray[np.uint8]:
    """The whole memory before a run, from beat 0 to the end of the last map.

    Parameters
    ----------
    config : MoeEngineConfig
    call : MoeCall
        Of :func:`~dovetail.arch.m3vit.moe_engine.describe_moe`, for as many tasks as there are
        gates.
    x : int64, shape (tokens, width)
    weights : MoeWeights
    """
    beat_bytes = config.port_bits // 8
    maps = call.tokens * sum(map_beats(config).values())
    image = np.zeros((call.x_address + maps) * beat_bytes, np.uint8)

    def place(address: int, values: NDArray[np.generic]) -> int:
        """Write; return the beat behind."""
        data = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        image[address * beat_bytes : address * beat_bytes + data.size] = data
        return address + data.size // beat_bytes

    at = place(call.norm_address, pack_norm(weights.norm, config.norm))
    for gate in weights.gates:
        at = place(at, pack_layer(config.linear, gate, None, group=config.gate.group).weights)
    for layers in weights.experts:
        for layer, size in zip(layers, (config.first, config.second), strict=True):
            packed = pack_layer(config.linear, layer.weight, layer.bias, group=size.group)
            at = place(at, packed.weights)
            at = place(at, packed.biases)
    assert at == call.x_address
    place(call.x_address, pack_map(x, config.norm))
    return image


def written_words(config: MoeEngineConfig, maps: MoeMaps) -> dict[str, NDArray[np.int32]]:
    """What stands in memory after a run: int32 of shape (tokens, words) for each map."""
    lanes = config.port_bits // FEATURE.bits
    words = {}
    for name, beats in map_beats(config).items():
        values = getattr(maps, name)
        filled = np.zeros((len(values), beats * lanes), np.int32)
        filled[:, : values.shape[1]] = values
        words[name] = filled
    return words
