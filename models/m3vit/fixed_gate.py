"""The gate in fixed point: logits, single-pass softmax over all experts, the best k."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dovetail.arch.m3vit.formats import FEATURE, WEIGHT
from dovetail.models.m3vit.fixed import Integers, product, to_float, wrap
from dovetail.models.m3vit.gate import top_k_experts
from dovetail.models.m3vit.routing import Routing
from dovetail.models.m3vit.softmax import probability, running_softmax


class FixedRouting(NamedTuple):
    """Chosen experts and their scores, fixed<32,10>; both int64 of shape (tokens, k)."""

    experts: Integers
    scores: Integers

    def routing(self, count: int) -> Routing:
        """The same with scores as numbers."""
        scores = to_float(self.scores).astype(np.float32)
        return Routing(experts=self.experts.astype(np.int16), scores=scores, count=count)


def fixed_gate(x: Integers, gate: Integers, k: int) -> FixedRouting:
    """Route each token.

    Logits are exact sums, truncated to 22 fraction bits and wrapped.  The k largest logits are
    chosen, equal ones by ascending index; their scores are softmax over all experts in ascending
    order, not renormalised.

    Parameters
    ----------
    x : int64, shape (tokens, inputs)
        fixed<32,10>.
    gate : int64, shape (experts, inputs)
        fixed<16,2>.
    k : int
    """
    logits = wrap(product(x, gate.T) >> WEIGHT.fraction_bits, FEATURE)
    bias, reciprocal = running_softmax(logits)
    chosen = top_k_experts(logits, k)
    best = np.take_along_axis(logits, chosen, axis=1)
    return FixedRouting(chosen, probability(best, bias[:, None], reciprocal[:, None]))
