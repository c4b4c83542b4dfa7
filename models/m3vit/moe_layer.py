"""The mixture half of an encoder block in fixed point, with every map that lies between."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dovetail.arch.m3vit.formats import FEATURE, WEIGHT
from dovetail.models.m3vit.fixed import Integers, product, wrap
from dovetail.models.m3vit.fixed_gate import FixedRouting, fixed_gate
from dovetail.models.m3vit.fixed_linear import FixedLinear, fixed_linear, scatter_add
from dovetail.models.m3vit.fixed_norm import FixedNorm, fixed_layer_norm
from dovetail.models.m3vit.order import by_expert


class MoeWeights(NamedTuple):
    """Integers of the norm before the mixture, one gate a task, and both layers of each expert."""

    norm: FixedNorm
    gates: tuple[Integers, ...]
    experts: tuple[tuple[FixedLinear, FixedLinear], ...]


class MoeMaps(NamedTuple):
    """Every map of a run, int64, a row a token, fixed<32,10>; ``x`` is the result.

    ``hidden`` holds what the experts leave behind one after the other, each from the first row on.
    """

    normed: Integers
    logits: Integers
    hidden: Integers
    x: Integers
    routing: FixedRouting


def moe_maps(x: Integers, weights: MoeWeights, *, top_k: int, task: int = 0) -> MoeMaps:
    """``x + mixture(norm(x))``, wrapping.

    Parameters
    ----------
    x : int64, shape (tokens, width)
    weights : MoeWeights
    top_k : int
        Experts of a token.
    task : int
        Whose gate chooses.
    """
    normed = fixed_layer_norm(x, weights.norm)
    gate = weights.gates[task]
    routing = fixed_gate(normed, gate, top_k)
    logits = wrap(product(normed, gate.T) >> WEIGHT.fraction_bits, FEATURE)
    hidden = np.zeros((len(x), weights.experts[0][0].weight.shape[0]), dtype=np.int64)
    result = x.copy()
    for expert, tokens, scores in by_expert(*routing):
        first, second = weights.experts[expert]
        inner = fixed_linear(normed[tokens], first, gelu=True)
        hidden[: len(inner)] = inner
        scatter_add(result, tokens, scores, fixed_linear(inner, second))
    return MoeMaps(normed, logits, hidden, result, routing)
