"""Random attention engines and runs, three ways: norm, layers, both products and the sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from amaranth.lib import data
from numpy.typing import NDArray

from dovetail.arch.chained import ChainedEngineConfig
from dovetail.arch.events import ATTENTION_EVENTS, Event
from dovetail.arch.m3vit.attention_engine import (
    LAYERS,
    AttentionCall,
    AttentionEngineConfig,
    describe_attention,
)
from dovetail.arch.m3vit.formats import ATTENTION_BIAS, BIAS, FEATURE, WEIGHT
from dovetail.lockstep.m3vit_block import BlockCase, Times, counted, draw, with_latency
from dovetail.lockstep.verify import CasePlan
from dovetail.models.m3vit.attention_image import pack_attention, written_maps
from dovetail.models.m3vit.attention_layer import AttentionMaps, AttentionWeights, attention_maps
from dovetail.models.m3vit.fixed import Integers
from dovetail.models.m3vit.fixed_linear import FixedLinear
from dovetail.models.m3vit.fixed_norm import FixedNorm
from dovetail.rtl.m3vit.attention_engine import attention_call
from dovetail.sim.m3vit_attention_engine import AttentionResult, simulate_attention

__all__ = [
    "ATTENTION_PLAN",
    "AttentionCase",
    "random_attention",
    "random_attention_engine",
    "random_operands",
]

_SEEDS_PER_BUILD = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class AttentionCase(BlockCase):
    """One run of the attention engine.

    Attributes
    ----------
    config : AttentionEngineConfig
        With the DRAM latency of this case.
    weights : AttentionWeights
    """

    config: AttentionEngineConfig
    weights: AttentionWeights

    @property
    def block(self) -> AttentionEngineConfig:
        return self.config

    @property
    def call(self) -> AttentionCall:
        return describe_attention(self.config, self.tokens)

    @property
    def registers(self) -> data.StructLayout:
        return attention_call(self.config.max_tokens)

    @property
    def counters(self) -> tuple[Event, ...]:
        return ATTENTION_EVENTS

    def simulate(self) -> AttentionResult:
        return simulate_attention(self.config, self.tokens)

    def memory(self) -> NDArray[np.uint8]:
        return pack_attention(self.config, self.call, self.x, self.weights)

    @cached_property
    def maps(self) -> AttentionMaps:
        return attention_maps(
            self.x, self.weights, heads=self.config.heads, parallel=self.config.parallel
        )

    def reference(self) -> dict[str, NDArray[np.int32]]:
        return written_maps(self.maps)

    def describe(self) -> str:
        config, engine = self.config, self.config.engine
        return (
            f"{self.tokens} tokens, {config.heads} heads x {config.head_dim}, p={config.parallel}, "
            f"linear unit {engine.lut_k} x {engine.cols}, tiles of {config.tile_tokens} tokens, "
            f"port {engine.port_bits} bit, DRAM latency {engine.dram_latency_cycles}"
        )

    def write_times(self) -> list[tuple[str, Times]]:
        simulated = self.simulate()
        landed = {name: simulated.layers[name].landed for name in LAYERS}
        products = simulated.products_start + 1 + simulated.products.output
        return [
            ("normed", simulated.norm.write),
            *((name, landed[name]) for name in LAYERS[:-1]),
            ("context", products),
            ("x", landed["output"]),
        ]


def build_index(seed: int) -> int:
    """Which engine a seed runs on."""
    return seed // _SEEDS_PER_BUILD


# Columns and k of a step of the linear unit, port, heads and their width.
_SIZES = (
    (4, 4, 128, 3, 12),
    (2, 2, 32, 1, 8),
    (8, 8, 64, 2, 16),
    (4, 2, 32, 3, 4),
    (2, 4, 64, 2, 8),
    (16, 16, 256, 2, 32),
    (4, 8, 64, 4, 4),
    (8, 4, 256, 8, 8),
    (16, 16, 512, 1, 128),
)
# No common factor with the sizes, so that every pair comes.
_PARALLEL = (3, 1, 4, 2, 5, 8, 6)


def random_attention_engine(index: int) -> AttentionEngineConfig:
    """Engine number ``index``: small sizes and buffers that hold no more than they must."""
    rng = np.random.default_rng([index, 5])
    cols, lut_k, port_bits, heads, head_dim = _SIZES[index % len(_SIZES)]
    parallel = _PARALLEL[index % len(_PARALLEL)]
    max_tokens = int(rng.integers(2 * parallel + 2, 4 * parallel + 9))
    tile_tokens = int(rng.integers(1, min(7, max_tokens), endpoint=True))
    width = heads * head_dim
    blocks = width // cols
    max_group = lut_k << int(rng.integers(0, 4))
    groups = -(-width // max_group)
    return AttentionEngineConfig(
        engine=ChainedEngineConfig(
            cols=cols,
            lut_k=lut_k,
            max_group=max_group,
            port_bits=port_bits,
            activation_buffer_bytes=2 * tile_tokens * width * 4,
            weight_buffer_bytes=2
            * blocks
            * -(-width // lut_k)
            * max(port_bits // 8, cols * lut_k * 2),
            scale_buffer_bytes=2 * blocks * groups * max(port_bits // 8, cols * 2),
            accumulator_buffer_bytes=2 * tile_tokens * width * 6,
            dram_latency_cycles=1,
        ),
        heads=heads,
        head_dim=head_dim,
        parallel=parallel,
        max_tokens=max_tokens,
        tile_tokens=tile_tokens,
        sum_queue=int(rng.choice([4, 20, 80])),
    )


def random_operands(
    rng: np.random.Generator, width: int, tokens: int, *, extreme: bool
) -> tuple[Integers, AttentionWeights]:
    """A map and weights: as a network has them, or the ends of their formats."""

    def layer() -> FixedLinear:
        # Weights of a variance of one over the inputs keep features at their size.
        weight = draw(rng, WEIGHT, (width, width), width**-0.5, extreme=extreme)
        bias = draw(rng, ATTENTION_BIAS, (width,), 1.0, extreme=extreme)
        return FixedLinear(weight, bias, WEIGHT, ATTENTION_BIAS)

    x = draw(rng, FEATURE, (tokens, width), 1.0, extreme=extreme)
    norm = FixedNorm(*draw(rng, BIAS, (2, width), 1.0, extreme=extreme))
    return x, AttentionWeights(norm, layer(), layer(), layer(), layer())


def random_attention(config: AttentionEngineConfig, seed: int, *, repeat: str) -> AttentionCase:
    """A run on ``config``; tokens are mostly the awkward numbers."""
    rng = np.random.default_rng([seed, 6])
    latencies = [cycles for cycles in (1, 2, 3, 17, 64) if cycles < config.sum_queue]
    config = with_latency(config, int(rng.choice(latencies)))
    p, most = config.parallel, config.max_tokens
    awkward = [1, 2, p - 1, p, p + 1, 2 * p, 2 * p + 1, most - 1, most]
    tokens = int(min(most, max(1, rng.choice(awkward))))
    if rng.random() < 0.3:
        tokens = int(rng.integers(1, most, endpoint=True))
    x, weights = random_operands(rng, config.width, tokens, extreme=bool(rng.random() < 0.3))
    return AttentionCase(config=config, x=x, weights=weights, gap_seed=seed, repeat=repeat)


def _summary(configurations: Sequence[AttentionEngineConfig]) -> list[str]:
    return [
        counted("attention, heads", [f"{c.heads} x {c.head_dim}" for c in configurations]),
        counted("attention, queries held", [str(c.parallel) for c in configurations]),
        counted("attention, port bits", [str(c.port_bits) for c in configurations]),
    ]


ATTENTION_PLAN = CasePlan(
    work="attention",
    build_index=build_index,
    engine=random_attention_engine,
    case=random_attention,
    summary=_summary,
    takes=AttentionEngineConfig,
)
