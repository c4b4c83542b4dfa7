"""The M3ViT encoder in Edge-MoE's fixed-point formats: to the bit what its units compute."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from dovetail.arch.m3vit.formats import FEATURE, PATCH_WEIGHT, PIXEL, WEIGHT
from dovetail.models.m3vit.attention_layer import attention_maps, attention_weights, fixed_norm
from dovetail.models.m3vit.config import M3vitConfig
from dovetail.models.m3vit.encoder import patches
from dovetail.models.m3vit.fixed import Integers, to_fixed, wrap
from dovetail.models.m3vit.fixed_gate import FixedRouting, fixed_gate
from dovetail.models.m3vit.fixed_linear import (
    FixedLinear,
    fixed_layer,
    fixed_linear,
    scatter_add,
)
from dovetail.models.m3vit.fixed_norm import fixed_layer_norm
from dovetail.models.m3vit.gate import task_embedding
from dovetail.models.m3vit.image import Pixels
from dovetail.models.m3vit.order import Batch, by_expert
from dovetail.models.m3vit.weights import Linear, Weights


@dataclass(frozen=True, kw_only=True, eq=False)
class FixedResult:
    """What one pass gives: token states, fixed<32,10>, and the routing of each MoE block."""

    hidden: tuple[Integers, ...]
    routing: dict[int, FixedRouting]

    @property
    def output(self) -> Integers:
        return self.hidden[-1]


def fixed_encode(
    config: M3vitConfig,
    weights: Weights,
    image: Pixels,
    *,
    task: str | None = None,
    parallel: int = 4,
) -> FixedResult:
    """Run the encoder on one image for one task.

    Parameters
    ----------
    config, weights, image, task
        As for :func:`dovetail.models.m3vit.encoder.encode`.
    parallel : int
        p of :func:`fixed_attention`.
    """
    which = config.task(task)
    patch = fixed_layer(weights.patch, weight=PATCH_WEIGHT)
    embedded = fixed_linear(patches(image, config), patch, input_format=PIXEL)
    x = np.concatenate([to_fixed(weights.class_token, FEATURE)[None], embedded])
    x = wrap(x + to_fixed(weights.positions, FEATURE), FEATURE)
    beside = None
    if weights.task_embedding:
        beside = to_fixed(task_embedding(weights.task_embedding, which), FEATURE)
    hidden, routing = [x], {}
    for layer, block in enumerate(weights.blocks):
        maps = attention_maps(x, attention_weights(block), heads=config.heads, parallel=parallel)
        x = maps.x
        y = fixed_layer_norm(x, fixed_norm(block.norm2))
        if block.experts:
            gate = to_fixed(block.gates[0 if beside is not None else which], WEIGHT)
            chosen = fixed_gate(_with(y, beside), gate, config.top_k)
            routing[layer] = chosen
            experts = {e: _pair(block.experts[e]) for e in np.unique(chosen.experts)}
            x = wrap(x + fixed_mixture(y, experts, by_expert(*chosen)), FEATURE)
        else:
            x = wrap(x + fixed_feed_forward(y, *_pair(block.mlp)), FEATURE)
        hidden.append(x)
    return FixedResult(hidden=tuple(hidden), routing=routing)


def fixed_feed_forward(x: Integers, first: FixedLinear, second: FixedLinear) -> Integers:
    """A dense MLP, or one expert."""
    return fixed_linear(fixed_linear(x, first, gelu=True), second)


def fixed_mixture(
    x: Integers,
    experts: dict[int, tuple[FixedLinear, FixedLinear]],
    batches: Iterable[Batch[np.int64]],
) -> Integers:
    """The MoE layer; any order of batches gives the same bits, since wrapping sums commute.

    Parameters
    ----------
    x : int64, shape (tokens, width)
    experts : dict of int to the two layers of an expert
        Those that ``batches`` name.
    batches : iterable of Batch
        Of :mod:`dovetail.models.m3vit.order`, scores in fixed<32,10>.
    """
    result = np.zeros_like(x)
    for expert, tokens, scores in batches:
        values = fixed_feed_forward(x[tokens], *experts[expert])
        scatter_add(result, tokens, scores, values)
    return result


def _pair(layers: tuple[Linear, ...]) -> tuple[FixedLinear, FixedLinear]:
    first, second = layers
    return fixed_layer(first), fixed_layer(second)


def _with(x: Integers, beside: Integers | None) -> Integers:
    """Every token with the task's embedding behind it, where the gate is conditioned on it."""
    if beside is None:
        return x
    return np.concatenate([x, np.broadcast_to(beside, (len(x), len(beside)))], axis=1)
