"""models/m3vit/routing.py and gate.py: queues, drawn routings, ties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.errors import TraceError
from dovetail.models.m3vit.gate import route, top_k_experts
from dovetail.models.m3vit.routing import Routing, drawn_routing

SMALL = Routing(
    experts=np.array([[3, 0], [0, 4], [3, 4]], np.int16),
    scores=np.array([[0.5, 0.25], [0.4, 0.2], [0.3, 0.1]], np.float32),
    count=6,
)


def test_queues_and_metaqueue() -> None:
    assert SMALL.lengths.tolist() == [2, 0, 0, 2, 2, 0]
    assert SMALL.metaqueue == (0, 3, 4)
    tokens, scores = SMALL.queue(4)
    assert tokens.tolist() == [1, 2]
    np.testing.assert_array_equal(scores, np.array([0.2, 0.1], np.float32))
    assert SMALL.imbalance == 2  # longest 2, mean 1


@given(st.integers(1, 40), st.integers(1, 64), st.data(), st.sampled_from([0.0, 0.7, 2.0, np.inf]))
def test_a_drawn_routing_sends_each_token_to_k_experts(
    tokens: int, experts: int, data: st.DataObject, skew: float
) -> None:
    k = data.draw(st.integers(1, experts))
    got = drawn_routing(tokens, experts=experts, top_k=k, skew=skew, seed=tokens)
    assert got.lengths.sum() == tokens * k and len(got.lengths) == experts
    queued = sorted(t for e in got.metaqueue for t in got.queue(e)[0])
    assert queued == sorted(list(range(tokens)) * k)


def test_skew_goes_from_balanced_to_the_same_experts_for_all() -> None:
    imbalance = [
        drawn_routing(1201, experts=16, top_k=4, skew=skew, seed=5).imbalance
        for skew in (0.0, 1.0, 2.0, np.inf)
    ]
    assert imbalance == sorted(imbalance)
    assert imbalance[0] < 1.15 and imbalance[-1] == 4  # all tokens on 4 of 16
    one = drawn_routing(129, experts=16, top_k=1, skew=np.inf)
    assert sorted(one.lengths)[-2:] == [0, 129]


def test_a_seed_gives_the_same_routing_again() -> None:
    first, again, other = (
        drawn_routing(50, experts=8, top_k=2, skew=1.0, seed=seed).experts for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@given(st.lists(st.lists(st.integers(0, 3), min_size=7, max_size=7), min_size=1, max_size=5))
def test_the_best_k_in_order_with_ties_to_the_lowest(rows: list[list[int]]) -> None:
    got = top_k_experts(np.array(rows), 4)
    for row, chosen in zip(rows, got, strict=True):
        assert chosen.tolist() == sorted(range(7), key=lambda e: (-row[e], e))[:4]


def test_scores_are_softmax_over_all_experts() -> None:
    x = np.array([[1.0, 2.0]], np.float32)
    gate = np.array([[0, 0], [1, 0], [0, 1]], np.float32)
    got = route(x, gate, 2)
    assert got.experts.tolist() == [[2, 1]]
    e = np.exp([0.0, 1.0, 2.0])
    np.testing.assert_allclose(got.scores, [[e[2] / e.sum(), e[1] / e.sum()]], rtol=1e-6)


@pytest.mark.parametrize(
    ("experts", "count", "message"),
    [
        ([[0, 1, 2]], 2, r"^routing: k=3 must be at most the number of experts, 2; lower k$"),
        ([[0, 7]], 4, r"^routing names expert 7; the experts are 0 to 3, so correct it or raise"),
        ([[2, 2]], 4, r"^routing sends a token to the same expert twice; its experts must differ"),
        ([], 4, r"^routing has experts of shape \(0,\) and scores of shape \(0,\); both must be "),
    ],
)
def test_refuses_a_routing(experts: list[list[int]], count: int, message: str) -> None:
    array = np.array(experts, np.int16)
    with pytest.raises(TraceError, match=message):
        Routing(experts=array, scores=np.zeros(array.shape, np.float32), count=count)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"top_k": 5}, r"^top_k=5 must be from 1 to experts=4; lower top_k or add experts$"),
        ({"tokens": 0}, r"^tokens=0 must be a whole number from 1 to 1048576; change tokens$"),
        ({"skew": -1.0}, r"^skew=-1.0 must be at least 0; change skew$"),
        ({"skew": float("nan")}, r"^skew=nan must be at least 0; change skew$"),
    ],
)
def test_refuses_to_draw(changes: dict[str, float], message: str) -> None:
    wanted = {"tokens": 9, "experts": 4, "top_k": 2, **changes}
    with pytest.raises(TraceError, match=message):
        drawn_routing(wanted.pop("tokens"), **wanted)  # type: ignore[arg-type]
