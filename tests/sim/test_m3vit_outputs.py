"""The orders of the three schedules give the same outputs, to the bit."""

import numpy as np
import pytest

from dovetail.arch.m3vit.formats import FEATURE
from dovetail.models.m3vit.config import TINY
from dovetail.models.m3vit.fixed import to_fixed
from dovetail.models.m3vit.fixed_encoder import fixed_mixture
from dovetail.models.m3vit.fixed_linear import fixed_layer
from dovetail.models.m3vit.order import by_expert, by_token
from dovetail.models.m3vit.routing import drawn_routing
from dovetail.models.m3vit.weights import seeded_weights


@pytest.mark.parametrize("skew", [0.0, 1.5, np.inf])
def test_expert_by_expert_and_token_by_token_give_the_same_bits(skew: float) -> None:
    block = seeded_weights(TINY, seed=2).blocks[1]
    experts = {
        expert: (fixed_layer(first), fixed_layer(second))
        for expert, (first, second) in enumerate(block.experts)
    }
    rng = np.random.default_rng(4)
    # Large enough that sums wrap.
    x = to_fixed(40 * rng.standard_normal((24, TINY.hidden)), FEATURE)
    chosen = drawn_routing(24, experts=16, top_k=2, skew=skew).experts
    scores = rng.integers(0, 2**22, chosen.shape)
    reordered = fixed_mixture(x, experts, by_expert(chosen, scores))
    one_by_one = fixed_mixture(x, experts, by_token(chosen, scores))
    np.testing.assert_array_equal(one_by_one, reordered)
    assert len(np.unique(reordered)) > 1000


def test_orders_name_every_pair_once() -> None:
    chosen = drawn_routing(30, experts=8, top_k=3, skew=1.0).experts
    scores = np.arange(90).reshape(30, 3)
    pairs = {
        name: sorted(
            (expert, token, int(score))
            for expert, tokens, some in order(chosen, scores)
            for token, score in zip(tokens.tolist(), some, strict=True)
        )
        for name, order in (("expert", by_expert), ("token", by_token))
    }
    assert pairs["expert"] == pairs["token"] and len(pairs["token"]) == 90
    experts = [expert for expert, _, _ in by_expert(chosen, scores)]
    assert experts == sorted(set(experts))
