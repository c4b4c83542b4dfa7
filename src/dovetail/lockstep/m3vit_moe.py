"""Random MoE engines and runs, three ways: norm, gate, and every expert over its queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from amaranth.lib import data
from numpy.typing import NDArray

from dovetail.arch.chained import ChainedEngineConfig
from dovetail.arch.events import MOE_EVENTS, Event
from dovetail.arch.m3vit.formats import BIAS, FEATURE, WEIGHT
from dovetail.arch.m3vit.moe_engine import MoeCall, MoeEngineConfig, describe_moe
from dovetail.lockstep.m3vit_block import BlockCase, Times, counted, draw, with_latency
from dovetail.lockstep.verify import CasePlan
from dovetail.models.m3vit.fixed import Integers
from dovetail.models.m3vit.fixed_linear import FixedLinear
from dovetail.models.m3vit.fixed_norm import FixedNorm
from dovetail.models.m3vit.moe_image import pack_moe, written_words
from dovetail.models.m3vit.moe_layer import MoeMaps, MoeWeights, moe_maps
from dovetail.rtl.m3vit.moe_engine import moe_call
from dovetail.sim.m3vit_moe_engine import MoeResult, simulate_moe

__all__ = ["MOE_PLAN", "MoeCase", "random_moe", "random_moe_engine", "random_moe_operands"]

_GATES = ("drawn", "tied", "same", "drawn")
"""How seeds that follow each other draw their gates, so that each engine meets all of them."""
_SEEDS_PER_BUILD = len(_GATES)


@dataclass(frozen=True, kw_only=True, eq=False)
class MoeCase(BlockCase):
    """One run of the MoE engine.

    Attributes
    ----------
    config : MoeEngineConfig
        With the DRAM latency of this case.
    weights : MoeWeights
    task : int
        Whose gate chooses.
    """

    config: MoeEngineConfig
    weights: MoeWeights
    task: int = 0

    @property
    def block(self) -> MoeEngineConfig:
        return self.config

    @property
    def call(self) -> MoeCall:
        return describe_moe(self.config, self.tokens, task=self.task, tasks=len(self.weights.gates))

    @cached_property
    def maps(self) -> MoeMaps:
        return moe_maps(self.x, self.weights, top_k=self.config.top_k, task=self.task)

    @property
    def queues(self) -> list[int]:
        """Tokens of each expert."""
        chosen = self.maps.routing.experts.ravel()
        lengths: list[int] = np.bincount(chosen, minlength=self.config.experts).tolist()
        return lengths

    @property
    def registers(self) -> data.StructLayout:
        return moe_call(self.config.max_tokens)

    @property
    def counters(self) -> tuple[Event, ...]:
        return MOE_EVENTS

    def simulate(self) -> MoeResult:
        return simulate_moe(self.config, self.queues)

    def memory(self) -> NDArray[np.uint8]:
        return pack_moe(self.config, self.call, self.x, self.weights)

    def reference(self) -> dict[str, NDArray[np.int32]]:
        return written_words(self.config, self.maps)

    def describe(self) -> str:
        config, engine = self.config, self.config.engine
        return (
            f"{self.tokens} tokens of {config.width}, {config.experts} experts of {config.hidden}, "
            f"k={config.top_k}, queues {self.queues}, linear unit {engine.lut_k} x {engine.cols}, "
            f"tiles of {config.tile_tokens} tokens, port {engine.port_bits} bit, "
            f"DRAM latency {engine.dram_latency_cycles}"
        )

    def write_times(self) -> list[tuple[str, Times]]:
        simulated = self.simulate()
        last = simulated.experts[-1]
        return [
            ("normed", simulated.norm.write),
            ("logits", simulated.logits.landed),
            ("hidden", last.first.landed),
            ("x", last.second.landed),
        ]


def build_index(seed: int) -> int:
    """Which engine a seed runs on."""
    return seed // _SEEDS_PER_BUILD


# Columns and k of a step of the linear unit, and port.
_UNITS = (
    (4, 4, 128),
    (2, 2, 32),
    (8, 8, 64),
    (16, 16, 256),
    (4, 4, 32),
    (8, 4, 256),
    (16, 16, 512),
    (4, 2, 128),
)
# No common factor with the units or with each other, so that every pair comes.
_EXPERTS = (4, 1, 16, 3, 64, 2, 17, 8, 33)
_TOP_K = (1, 2, 5, 3, 1, 4, 1, 2, 4, 1, 3)
_MOST_TOKENS = (9, 2, 24, 16, 17, 1, 5)


def random_moe_engine(index: int) -> MoeEngineConfig:
    """Engine number ``index``: small sizes and buffers that hold no more than they must."""
    rng = np.random.default_rng([index, 7])
    cols, lut_k, port_bits = _UNITS[index % len(_UNITS)]
    experts = _EXPERTS[index % len(_EXPERTS)]
    top_k = min(experts, _TOP_K[index % len(_TOP_K)])
    width, hidden = (
        int(rng.choice([1, cols - 1, cols, cols + 1, 2 * cols, 2 * cols + 1, 3 * cols + 1]))
        for _ in range(2)
    )
    width, hidden = max(1, width), max(1, hidden)
    max_tokens = _MOST_TOKENS[index % len(_MOST_TOKENS)]
    tile_tokens = int(rng.integers(1, min(7, max_tokens), endpoint=True))
    max_group = lut_k << int(rng.integers(0, 4))
    layers = ((experts, width), (hidden, width), (width, hidden))
    blocks = [(-(-outputs // cols), inputs) for outputs, inputs in layers]
    row = max(lut_k, port_bits // 32)
    filled = max(-(-inputs // row) * row for _, inputs in layers)
    return MoeEngineConfig(
        engine=ChainedEngineConfig(
            cols=cols,
            lut_k=lut_k,
            max_group=max_group,
            port_bits=port_bits,
            activation_buffer_bytes=2 * tile_tokens * filled * 4,
            weight_buffer_bytes=2
            * max(count * -(-inputs // lut_k) for count, inputs in blocks)
            * max(port_bits // 8, cols * lut_k * 2),
            scale_buffer_bytes=2
            * max(count * -(-inputs // max_group) for count, inputs in blocks)
            * max(port_bits // 8, cols * 2),
            accumulator_buffer_bytes=2 * tile_tokens * max(count for count, _ in blocks) * cols * 6,
            dram_latency_cycles=1,
        ),
        width=width,
        hidden=hidden,
        experts=experts,
        top_k=top_k,
        max_tokens=max_tokens,
        tile_tokens=tile_tokens,
        sum_queue=int(rng.choice([4, 20, 80])),
    )


def random_moe_operands(
    rng: np.random.Generator,
    config: MoeEngineConfig,
    tokens: int,
    *,
    extreme: bool = False,
    gate: str = "drawn",
    tasks: int = 1,
) -> tuple[Integers, MoeWeights]:
    """A map and weights.

    Parameters
    ----------
    rng, config, tokens
    extreme : bool
        The ends of the formats alone.
    gate : str
        ``drawn``; ``tied``: every two experts have the same logits; ``same``: all have, so that all
        tokens go to the first ones.
    tasks : int
        Gates.
    """

    def layer(outputs: int, inputs: int) -> FixedLinear:
        # Weights of a variance of one over the inputs keep features at their size.
        weight = draw(rng, WEIGHT, (outputs, inputs), inputs**-0.5, extreme=extreme)
        bias = draw(rng, BIAS, (outputs,), 1.0, extreme=extreme)
        return FixedLinear(weight, bias, WEIGHT, BIAS)

    width, hidden, experts = config.width, config.hidden, config.experts
    sources = {"drawn": np.arange(experts), "tied": np.arange(experts) // 2}
    source = sources.get(gate, np.zeros(experts, dtype=np.int64))
    gates = tuple(
        draw(rng, WEIGHT, (experts, width), width**-0.5, extreme=extreme)[source]
        for _ in range(tasks)
    )
    x = draw(rng, FEATURE, (tokens, width), 1.0, extreme=extreme)
    norm = FixedNorm(*draw(rng, BIAS, (2, width), 1.0, extreme=extreme))
    pairs = tuple((layer(hidden, width), layer(width, hidden)) for _ in range(experts))
    return x, MoeWeights(norm, gates, pairs)


def random_moe(config: MoeEngineConfig, seed: int, *, repeat: str) -> MoeCase:
    """A run on ``config``; tokens are mostly the awkward numbers."""
    rng = np.random.default_rng([seed, 8])
    latencies = [cycles for cycles in (1, 2, 3, 17, 64) if cycles < config.sum_queue]
    config = with_latency(config, int(rng.choice(latencies)))
    tile, most = config.tile_tokens, config.max_tokens
    awkward = [1, 2, tile, tile + 1, 2 * tile + 1, most - 1, most]
    tokens = int(min(most, max(1, rng.choice(awkward))))
    if rng.random() < 0.3:
        tokens = int(rng.integers(1, most, endpoint=True))
    tasks = int(rng.integers(1, 3, endpoint=True))
    x, weights = random_moe_operands(
        rng,
        config,
        tokens,
        extreme=bool(rng.random() < 0.3),
        gate=_GATES[seed % len(_GATES)],
        tasks=tasks,
    )
    return MoeCase(
        config=config,
        x=x,
        weights=weights,
        task=int(rng.integers(tasks)),
        gap_seed=seed,
        repeat=repeat,
    )


def _summary(configurations: Sequence[MoeEngineConfig]) -> list[str]:
    return [
        counted("MoE, experts and k", [f"{c.experts}/{c.top_k}" for c in configurations]),
        counted("MoE, width and hidden", [f"{c.width}/{c.hidden}" for c in configurations]),
        counted("MoE, port bits", [c.port_bits for c in configurations]),
    ]


MOE_PLAN = CasePlan(
    work="mixture",
    build_index=build_index,
    engine=random_moe_engine,
    case=random_moe,
    summary=_summary,
    takes=MoeEngineConfig,
)
