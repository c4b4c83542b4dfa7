"""arch/m3vit/attention_engine.py: sizes that cannot be, addresses, and layers' operands."""

import re
from dataclasses import asdict
from typing import Any

import pytest
from pydantic import ValidationError

from dovetail.arch.chained import ChainedEngineConfig
from dovetail.arch.m3vit.attention_engine import AttentionEngineConfig, describe_attention
from dovetail.errors import ConfigError


def engine(**values: Any) -> ChainedEngineConfig:
    sizes: dict[str, Any] = {
        "cols": 4,
        "lut_k": 4,
        "max_group": 16,
        "port_bits": 64,
        "activation_buffer_bytes": 512,
        "weight_buffer_bytes": 2048,
        "scale_buffer_bytes": 512,
        "accumulator_buffer_bytes": 2048,
    }
    return ChainedEngineConfig(**sizes | values)


def config(*, of_engine: dict[str, Any] | None = None, **values: Any) -> AttentionEngineConfig:
    sizes: dict[str, Any] = {
        "engine": engine(**of_engine or {}),
        "heads": 2,
        "head_dim": 8,
        "parallel": 3,
        "max_tokens": 20,
        "tile_tokens": 2,
    }
    return AttentionEngineConfig(**sizes | values)


def test_maps_and_operands_lie_one_behind_the_other() -> None:
    # 16 features are 8 beats of two; 16 x 16 weights of 16 bits are 64, and biases of four columns
    # are a beat, one for each block of four.
    assert asdict(describe_attention(config(), 5)) == {
        "tokens": 5,
        "norm_address": 0,
        "weight_address": 8,
        "x_address": 8 + 4 * (64 + 4),
        "normed_address": 280 + 40,
        "query_address": 280 + 80,
        "key_address": 280 + 120,
        "value_address": 280 + 160,
        "context_address": 280 + 200,
    }


@pytest.mark.parametrize("tokens", [0, 21])
def test_tokens_that_do_not_fit_are_refused(tokens: int) -> None:
    message = rf"^tokens={tokens} must be from 1 to max_tokens=20; change one of them$"
    with pytest.raises(ConfigError, match=message):
        describe_attention(config(), tokens)


@pytest.mark.parametrize(
    ("change", "of_engine", "message"),
    [
        ({}, {"port_bits": 16}, "port_bits=16 must be a whole number of features of 32 bits; "),
        ({}, {"cols": 3}, "cols=3 must be a power of two from 2 on; set it to 4"),
        ({}, {"lut_k": 3, "max_group": 64}, "lut_k=3 must be a power of two, so that "),
        ({"head_dim": 9}, {}, "heads=2 x head_dim=9 must be a multiple of cols=4 and of the 4 "),
        ({"max_tokens": 1 << 18}, {}, "max_tokens=262144 of 8 beats each must be below 2^21 "),
        ({"sum_queue": 64}, {}, "sum_queue=64 must be above dram_latency_cycles=64; raise it"),
        ({"heads": 1}, {}, "a token has 4 beats, heads=1 times head_dim=8 over lanes=2, and a "),
        ({"tile_tokens": 5}, {}, "the tile needs 5 blocks of 4 rows of activations; half of "),
        ({"tile_tokens": 21}, {}, "tile_m=21 must be from 1 to 20 for this GEMM; change tile_m"),
    ],
)
def test_engines_that_cannot_be_are_refused(
    change: dict[str, Any], of_engine: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=re.escape(f"Value error, {message}")):
        config(of_engine=of_engine, **change)
