"""stimuli/tiles.py: what the walk over the network visits, and the ranges of random operands."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest

from dovetail.models.minilm import LINEARS
from dovetail.stimuli.tiles import ROUND, float_tiles, reduction_length, tiles
from dovetail.tests.stimuli.weights import needs_weights


def test_a_round_visits_all_layers_in_proportion_to_their_macs() -> None:
    streamed: Counter[str] = Counter()
    for place in ROUND:
        streamed[place.split(".")[1]] += reduction_length(place)
    macs = dict.fromkeys(LINEARS, 384 * 384) | {"fc1": 384 * 1536, "fc2": 1536 * 384}
    unit = streamed["q_proj"] / macs["q_proj"]
    assert {name: count / unit for name, count in streamed.items()} == macs
    assert {place.split(".")[0] for place in ROUND} == set("012345")


@needs_weights
def test_rounds_take_other_tokens_and_channels() -> None:
    walk = list(islice(float_tiles(rows=32, cols=4), 3 * len(ROUND)))
    for place in range(len(ROUND)):
        activations, weights = zip(*walk[place :: len(ROUND)], strict=True)
        assert len({a.tobytes() for a in activations}) == 3
        assert len({w.tobytes() for w in weights}) == 3
        for a, w in zip(activations, weights, strict=True):
            k = reduction_length(ROUND[place])
            assert (a.shape, w.shape) == ((32, k), (4, k))


@pytest.mark.parametrize(("zero_point", "least", "most"), [(False, -8, 7), (True, 0, 15)])
@pytest.mark.parametrize("activation_bits", [4, 8])
def test_random_operands_fill_their_formats(
    zero_point: bool, least: int, most: int, activation_bits: int
) -> None:
    (tile,) = islice(
        tiles(
            "random",
            rows=64,
            cols=32,
            group=1,
            zero_point=zero_point,
            activation_bits=activation_bits,
        ),
        1,
    )
    assert tile.scale is not None and tile.zero is not None
    far = 1 << (activation_bits - 1)
    for values, low, high in (
        (tile.activations, -far, far - 1),
        (tile.weights, least, most),
        (tile.zero, 0, 15 if zero_point else 0),
    ):
        assert sorted(set(values.ravel().tolist())) == list(range(low, high + 1))
        counts = np.bincount(values.ravel().astype(int) - low)
        assert counts.min() > 0.5 * counts.mean()
    assert tile.scale.min() < 10
    assert tile.scale.max() > 4085
