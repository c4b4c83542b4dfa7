"""Reordered attention in fixed point: p queries at a time meet every key, then every value."""

from __future__ import annotations

import numpy as np

from dovetail.arch.m3vit.formats import FEATURE
from dovetail.arch.m3vit.tables import attention_scale
from dovetail.errors import ShapeError
from dovetail.models.m3vit.fixed import Integers, product, wrap
from dovetail.models.m3vit.softmax import probability, running_softmax


def fixed_attention(q: Integers, k: Integers, v: Integers, *, parallel: int = 4) -> Integers:
    """``softmax(q k^T / sqrt(d)) v`` of every head, in fixed<32,10>.

    - scores of :func:`attention_scores`
    - maximum and reciprocal sum of :func:`running_softmax`; query ``t`` sits in slot ``t mod p`` of
      its batch, which is replaced when that key passes, so its row begins at key ``t mod p``
    - ``output = (sum(probability * v)) >> 22``, wrapped: probabilities are made again while
      multiplying with values; the sum is exact and truncated once

    Parameters
    ----------
    q, k, v : int64, shape (heads, tokens, head_dim)
        fixed<32,10>.
    parallel : int
        p: queries held at a time.

    Returns
    -------
    int64, shape (heads, tokens, head_dim)
    """
    heads, tokens, _ = q.shape
    if parallel < 1:
        raise ShapeError(f"parallel={parallel} must be at least 1; raise it")
    fraction = FEATURE.fraction_bits
    rows = attention_scores(q, k).reshape(heads * tokens, tokens)
    first = np.tile(np.arange(tokens) % parallel, heads)
    bias, reciprocal = running_softmax(rows, first=first)
    weights = probability(rows, bias[:, None], reciprocal[:, None])
    return wrap(product(weights.reshape(heads, tokens, tokens), v) >> fraction, FEATURE)


def attention_scores(q: Integers, k: Integers) -> Integers:
    """``((q . k) >> 22)``, wrapped, then ``(score * scale) >> 22``, wrapped.

    Parameters
    ----------
    q, k : int64, shape (heads, tokens, head_dim)

    Returns
    -------
    int64, shape (heads, queries, keys)
    """
    fraction = FEATURE.fraction_bits
    scores = wrap(product(q, k.transpose(0, 2, 1)) >> fraction, FEATURE)
    return wrap((scores * attention_scale(q.shape[2])) >> fraction, FEATURE)
