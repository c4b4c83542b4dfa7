"""``dovetail verify m3vit``, its units: random and edge operands through each in Verilator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from dovetail.arch.m3vit.attention import AttentionDesign
from dovetail.lockstep import m3vit_gating, m3vit_pipelines, m3vit_streams
from dovetail.lockstep.m3vit_streams import random_works
from dovetail.lockstep.vectors import VectorCase, Vectors, compare_vectors
from dovetail.lockstep.verify import CasePlan
from dovetail.rtl.m3vit.attention_block import AttentionBlock
from dovetail.rtl.m3vit.attention_scores import AttentionScores
from dovetail.rtl.m3vit.attention_values import AttentionValues
from dovetail.rtl.m3vit.exponential import ExpNegative
from dovetail.rtl.m3vit.gate import GateUnit
from dovetail.rtl.m3vit.gelu import DeltaGelu
from dovetail.rtl.m3vit.inverse_root import InverseRoot
from dovetail.rtl.m3vit.layer_norm import NormaliseFeature, TokenStatistics
from dovetail.rtl.m3vit.queues import ExpertQueues
from dovetail.rtl.m3vit.reciprocal import Reciprocal
from dovetail.rtl.m3vit.softmax import Probability, SoftmaxStep
from dovetail.rtl.m3vit.top_k import TopK

__all__ = ["UNIT_NAMES", "UNIT_PLAN", "UnitDesign", "random_unit", "unit_case"]

_CASES_PER_UNIT = 3  # before other sizes come
_WORKS = 4  # attentions of a case
_LEAST_BEATS = 8  # of a token in attention


@dataclass(frozen=True, kw_only=True)
class _Unit:
    """How a unit is made, which sizes it may have, and what goes through it."""

    make: Callable[..., Any]
    sizes: Callable[[np.random.Generator], dict[str, Any]]
    vectors: Callable[..., Vectors]


def _none(rng: np.random.Generator) -> dict[str, Any]:
    return {}


def _experts(rng: np.random.Generator) -> dict[str, Any]:
    """From one to 64; half of them at the ends of k."""
    experts = int(rng.choice([1, 2, 3, 16, 17, 64, int(rng.integers(1, 65))]))
    return {
        "k": int(rng.choice([1, min(2, experts), min(4, experts), experts])),
        "experts": experts,
    }


def _gate(rng: np.random.Generator) -> dict[str, Any]:
    return _experts(rng) | {"tokens": int(rng.integers(2, 24))}


def _queues(rng: np.random.Generator) -> dict[str, Any]:
    tokens = int(rng.choice([1, 2, 16, 17, int(rng.integers(1, 80))]))
    return {"experts": _experts(rng)["experts"], "tokens": tokens}


def _statistics(rng: np.random.Generator) -> dict[str, Any]:
    lanes = int(rng.choice([1, 2, 4, 8, 16]))
    return {
        "width": int(rng.choice([1, 5, 16, 17, 192, int(rng.integers(1, 400))])),
        "lanes": lanes,
    }


def _attention(rng: np.random.Generator) -> dict[str, Any]:
    lanes, beats = int(rng.choice([1, 2, 4, 8])), int(rng.choice([1, 2, 3, 8]))
    least = -(-_LEAST_BEATS // beats)
    design = AttentionDesign(
        parallel=int(rng.integers(1, 9)),
        lanes=lanes,
        heads=int(rng.integers(least, least + 4)),
        head_dim=lanes * beats,
        max_tokens=int(rng.integers(8, 34)),
    )
    return {"design": design}


def _streams(
    vectors: Callable[..., Vectors], *ports: str
) -> Callable[[np.random.Generator, AttentionDesign], Vectors]:
    def draw(rng: np.random.Generator, design: AttentionDesign) -> Vectors:
        return vectors(design, random_works(rng, design, ports, _WORKS))

    return draw


_UNITS: Mapping[str, _Unit] = {
    "gelu": _Unit(make=DeltaGelu, sizes=_none, vectors=m3vit_pipelines.gelu),
    "exponential": _Unit(make=ExpNegative, sizes=_none, vectors=m3vit_pipelines.exponential),
    "inverse_root": _Unit(make=InverseRoot, sizes=_none, vectors=m3vit_pipelines.root),
    "reciprocal": _Unit(make=Reciprocal, sizes=_none, vectors=m3vit_pipelines.reciprocals),
    "softmax_step": _Unit(make=SoftmaxStep, sizes=_none, vectors=m3vit_pipelines.step),
    "probability": _Unit(make=Probability, sizes=_none, vectors=m3vit_pipelines.probabilities),
    "normalise": _Unit(make=NormaliseFeature, sizes=_none, vectors=m3vit_pipelines.normalised),
    "statistics": _Unit(
        make=TokenStatistics, sizes=_statistics, vectors=m3vit_pipelines.statistics
    ),
    "top_k": _Unit(make=TopK, sizes=_experts, vectors=m3vit_gating.top_k),
    "gate": _Unit(make=GateUnit, sizes=_gate, vectors=m3vit_gating.gate),
    "queues": _Unit(make=ExpertQueues, sizes=_queues, vectors=m3vit_gating.queues),
    "attention_scores": _Unit(
        make=AttentionScores,
        sizes=_attention,
        vectors=_streams(m3vit_streams.score_vectors, "query", "key", "score", "row"),
    ),
    "attention_values": _Unit(
        make=AttentionValues,
        sizes=_attention,
        vectors=_streams(m3vit_streams.value_vectors, "score", "row", "value", "output"),
    ),
    "attention_block": _Unit(
        make=AttentionBlock,
        sizes=_attention,
        vectors=_streams(m3vit_streams.block_vectors, "query", "key", "value", "output"),
    ),
}

UNIT_NAMES = tuple(_UNITS)


@dataclass(frozen=True, kw_only=True)
class UnitDesign:
    """A unit and its sizes."""

    name: str
    sizes: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.name} {', '.join(f'{key}={value}' for key, value in self.sizes.items())}"


def random_unit(index: int) -> UnitDesign:
    """Unit number ``index``: all in turn, each time round in other sizes."""
    name = UNIT_NAMES[index % len(UNIT_NAMES)]
    return UnitDesign(name=name, sizes=_UNITS[name].sizes(np.random.default_rng([index, 5])))


def unit_case(design: UnitDesign, seed: int, *, repeat: str) -> VectorCase:
    """Operands for ``design``, fixed by their seed."""
    unit = _UNITS[design.name]
    inputs, expected = unit.vectors(np.random.default_rng([seed, 6]), **design.sizes)
    return VectorCase(
        component=partial(unit.make, **design.sizes),
        inputs=inputs,
        expected=expected,
        where=str(design),
        repeat=repeat,
    )


def build_index(seed: int) -> int:
    """Which unit a seed runs on: all in turn, three times before other sizes come."""
    block, place = divmod(seed, _CASES_PER_UNIT * len(_UNITS))
    return block * len(_UNITS) + place % len(_UNITS)


def _summary(designs: Sequence[UnitDesign]) -> list[str]:
    counts = Counter(design.name for design in designs)
    return [", ".join(f"{name} ({count})" for name, count in counts.items())]


UNIT_PLAN = CasePlan(
    work="unit run",
    build_index=build_index,
    engine=random_unit,
    case=unit_case,
    summary=_summary,
    takes=UnitDesign,
    compare=compare_vectors,
    under_gaps=False,
)
