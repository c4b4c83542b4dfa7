"""The attention half of an encoder block in fixed point, with every map that lies between."""

from __future__ import annotations

from typing import NamedTuple

from dovetail.arch.m3vit.formats import ATTENTION_BIAS, BIAS, FEATURE
from dovetail.models.m3vit.fixed import Integers, to_fixed, wrap
from dovetail.models.m3vit.fixed_attention import fixed_attention
from dovetail.models.m3vit.fixed_linear import FixedLinear, fixed_layer, fixed_linear
from dovetail.models.m3vit.fixed_norm import FixedNorm, fixed_layer_norm
from dovetail.models.m3vit.weights import Block, Norm


class AttentionWeights(NamedTuple):
    """Integers of the norm before attention and of its four linear layers."""

    norm: FixedNorm
    query: FixedLinear
    key: FixedLinear
    value: FixedLinear
    output: FixedLinear


class AttentionMaps(NamedTuple):
    """Every map of a run, int64, shape (tokens, width), fixed<32,10>; ``x`` is the result."""

    normed: Integers
    query: Integers
    key: Integers
    value: Integers
    context: Integers
    x: Integers


def fixed_norm(norm: Norm) -> FixedNorm:
    """Convert scale and shift, truncating."""
    return FixedNorm(to_fixed(norm.gamma, BIAS), to_fixed(norm.beta, BIAS))


def attention_weights(block: Block) -> AttentionWeights:
    """Convert what a block's attention needs, truncating."""
    layers = (block.query, block.key, block.value, block.output)
    return AttentionWeights(
        fixed_norm(block.norm1), *(fixed_layer(layer, bias=ATTENTION_BIAS) for layer in layers)
    )


def attention_maps(
    x: Integers, weights: AttentionWeights, *, heads: int, parallel: int = 4
) -> AttentionMaps:
    """``x + output(attention(norm(x)))``, wrapping.

    Parameters
    ----------
    x : int64, shape (tokens, width)
    weights : AttentionWeights
    heads : int
    parallel : int
        p of :func:`~dovetail.models.m3vit.fixed_attention.fixed_attention`.
    """
    tokens, width = x.shape
    normed = fixed_layer_norm(x, weights.norm)
    query, key, value = (
        fixed_linear(normed, layer) for layer in (weights.query, weights.key, weights.value)
    )
    by_head = (
        features.reshape(tokens, heads, -1).transpose(1, 0, 2) for features in (query, key, value)
    )
    context = fixed_attention(*by_head, parallel=parallel)
    context = context.transpose(1, 0, 2).reshape(tokens, width)
    added = fixed_linear(context, weights.output)
    return AttentionMaps(normed, query, key, value, context, wrap(x + added, FEATURE))
