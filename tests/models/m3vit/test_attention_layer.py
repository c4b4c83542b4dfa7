"""Attention with all its maps against floating point, and what wraps."""

import numpy as np

from dovetail.arch.m3vit.formats import ATTENTION_BIAS, WEIGHT
from dovetail.models.m3vit.attention_layer import AttentionWeights, attention_maps
from dovetail.models.m3vit.fixed_linear import FixedLinear
from dovetail.models.m3vit.fixed_norm import FixedNorm

ONE = 1 << 22
TOKENS, HEADS, HEAD_DIM = 9, 3, 8
WIDTH = HEADS * HEAD_DIM


def drawn(seed: int) -> tuple[np.ndarray, AttentionWeights]:
    rng = np.random.default_rng(seed)

    def layer() -> FixedLinear:
        weight = rng.normal(0, 2**14 / WIDTH**0.5, (WIDTH, WIDTH)).astype(np.int64)
        bias = rng.normal(0, 2**9, WIDTH).astype(np.int64)
        return FixedLinear(weight, bias, WEIGHT, ATTENTION_BIAS)

    norm = FixedNorm(*rng.normal(0, 2**11, (2, WIDTH)).astype(np.int64))
    x = rng.normal(0, ONE, (TOKENS, WIDTH)).astype(np.int64)
    return x, AttentionWeights(norm, layer(), layer(), layer(), layer())


def test_every_map_is_that_of_floating_point() -> None:
    x, weights = drawn(0)
    maps = attention_maps(x, weights, heads=HEADS, parallel=4)

    def linear(of: np.ndarray, layer: FixedLinear) -> np.ndarray:
        return of @ (layer.weight.T / 2**14) + layer.bias / 2**9

    real = x / ONE
    gamma, beta = (part / 2**11 for part in weights.norm)
    deviation = np.sqrt(real.var(axis=1, keepdims=True) + 1e-6)
    normed = (real - real.mean(axis=1, keepdims=True)) / deviation * gamma + beta
    q, k, v = (linear(normed, layer) for layer in (weights.query, weights.key, weights.value))
    context = np.zeros_like(real)
    for head in range(HEADS):
        of = slice(head * HEAD_DIM, (head + 1) * HEAD_DIM)
        scores = np.exp(q[:, of] @ k[:, of].T / HEAD_DIM**0.5)
        context[:, of] = scores / scores.sum(axis=1, keepdims=True) @ v[:, of]
    want = (normed, q, k, v, context, real + linear(context, weights.output))
    for name, got, right in zip(maps._fields, maps, want, strict=True):
        assert np.abs(got / ONE - right).max() < 1e-3, name


def test_the_sum_wraps() -> None:
    x, weights = drawn(1)
    x[:, 0] = 2**31 - 1
    bias = np.full(WIDTH, 2**15 - 1)  # 9 fraction bits, so 13 places below a feature's
    alone = weights.output._replace(weight=np.zeros_like(weights.output.weight), bias=bias)
    maps = attention_maps(x, weights._replace(output=alone), heads=HEADS)
    assert (maps.x[:, 0] == 2**31 - 1 + (2**15 - 1) * 2**13 - 2**32).all()
    np.testing.assert_array_equal(maps.x[:, 1:], x[:, 1:] + (2**15 - 1) * 2**13)
