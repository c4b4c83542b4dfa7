"""models/m3vit/fixed_encoder.py against the network in floating point."""

from dataclasses import replace

import numpy as np
import pytest

from dovetail.models.m3vit.config import TINY
from dovetail.models.m3vit.encoder import encode
from dovetail.models.m3vit.fixed import to_float
from dovetail.models.m3vit.fixed_encoder import fixed_encode
from dovetail.models.m3vit.image import photograph
from dovetail.models.m3vit.weights import seeded_weights


@pytest.mark.parametrize("gate", ["multi", "conditioned"])
def test_the_output_passes_the_rule_of_edge_moe_s_test_bench(gate: str) -> None:
    config = replace(TINY, gate=gate)
    weights = seeded_weights(config)
    image = photograph(config.dataset.height, config.dataset.width)
    real = encode(config, weights, image, task="depth")
    fixed = fixed_encode(config, weights, image, task="depth")
    assert real.output.var() > 1  # so that the error is not small because all is
    assert np.square(to_float(fixed.output) - real.output).mean() <= 0.1
    for layer, routing in real.routing.items():
        chosen = fixed.routing[layer].routing(config.experts)
        same = (np.sort(chosen.experts, axis=1) == np.sort(routing.experts, axis=1)).all(axis=1)
        assert same.mean() > 0.95


def test_biases_of_attention_reach_further_than_others() -> None:
    """fixed<16,7> holds 20, which fixed<16,5> would wrap to -12."""
    config = replace(TINY, layers=1)
    weights = seeded_weights(config)
    block = weights.blocks[0]
    value = replace(block.value, bias=block.value.bias + np.float32(20))
    weights = replace(weights, blocks=(replace(block, value=value),))
    image = photograph(config.dataset.height, config.dataset.width)
    real, fixed = encode(config, weights, image), fixed_encode(config, weights, image)
    assert np.square(to_float(fixed.output) - real.output).mean() <= 0.1
    assert np.square(real.output).mean() > 100
