"""Designs, operands and expected streams of reordered attention at small sizes."""

import math
from dataclasses import dataclass

import numpy as np

from dovetail.arch.m3vit.attention import AttentionDesign
from dovetail.models.m3vit.fixed import Integers
from dovetail.tests.rtl.m3vit.streams import packed

ONE = 1 << 22


@dataclass(frozen=True)
class Visit:
    """One key that passes, and the query in each slot, None for an empty one."""

    key: int
    queries: tuple[int | None, ...]


def visits(tokens: int, parallel: int) -> list[Visit]:
    """Every key that passes, told from each query alone: it begins at key ``t mod p`` of pass
    ``t // p`` and stays for as many keys as there are."""
    begin = [(t // parallel) * tokens + t % parallel for t in range(tokens)]
    return [
        Visit(
            now % tokens,
            tuple(
                next(
                    (t for t in range(slot, tokens, parallel) if 0 <= now - begin[t] < tokens), None
                )
                for slot in range(parallel)
            ),
        )
        for now in range(begin[-1] + tokens)
    ]


def design(parallel: int, lanes: int, heads: int, head_dim: int) -> AttentionDesign:
    return AttentionDesign(
        parallel=parallel, lanes=lanes, heads=heads, head_dim=head_dim, max_tokens=16
    )


SHAPES = [
    design(1, 1, 1, 8),
    design(4, 1, 2, 4),
    design(3, 2, 4, 4),  # two exponentials, the second with a slot less
    design(3, 4, 8, 4),  # a beat a head: an exponential for each slot, a divider for each cycle
]


def operands(
    shape: AttentionDesign, tokens: int, *, extreme: bool, seed: int = 0
) -> list[Integers]:
    """Queries, keys and values, (heads, tokens, head_dim): as they come, or at their ends."""
    rng = np.random.default_rng(1000 * seed + tokens)
    size = (shape.heads, tokens, shape.head_dim)
    if extreme:
        ends = np.array([-(2**31), 2**31 - 1, -1, 0, 1], np.int64)
        return [rng.choice(ends, size) for _ in range(3)]
    return [rng.normal(0, 2 * ONE, size).astype(np.int64) for _ in range(3)]


def beats(values: Integers, shape: AttentionDesign) -> list[list[int]]:
    """Beats of each token, head after head."""
    tokens = values.transpose(1, 0, 2).reshape(values.shape[1], shape.token_beats, shape.lanes)
    return [[packed(beat) for beat in token] for token in tokens]


def scores_of(q: Integers, k: Integers) -> Integers:
    """Scaled scores, (heads, queries, keys), in Python's integers, which have no width."""
    heads, tokens, head_dim = q.shape
    scale = math.isqrt(2**44 // head_dim)
    scores = np.zeros((heads, tokens, tokens), np.int64)
    for head, t, key in np.ndindex(*scores.shape):
        dot = sum(int(a) * int(b) for a, b in zip(q[head, t], k[head, key], strict=True))
        scores[head, t, key] = _wrapped((_wrapped(dot >> 22) * scale) >> 22)
    return scores


def _wrapped(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31
