"""What do reordering, double buffering and shared units buy M3ViT, and where is the memory wall?

``python -m dovetail.reports.m3vit_schedule -o DIR`` answers with a page and figures.  Each question
varies one or two things of a design that is Edge-MoE's otherwise, whose weight buffer holds the
network's largest matrix in each half.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from itertools import product
from typing import Any, get_args

import pandas as pd

from dovetail.arch.dram import dram
from dovetail.arch.m3vit.formats import WEIGHT
from dovetail.arch.m3vit.schedule import Schedule, ScheduleDesign, schedule_preset
from dovetail.errors import ConfigError
from dovetail.models.m3vit.config import DATASETS, SMALL, TINY, M3vitConfig
from dovetail.models.m3vit.routing import Routing
from dovetail.models.networks.m3vit_trace import drawn_trace, real_trace, routing_of
from dovetail.sim.m3vit_plan import break_even_queue
from dovetail.sim.m3vit_schedule import ScheduleResult, simulate_schedule
from dovetail.sim.m3vit_timeline import schedule_timeline

DRAM = "ddr4-2133"
WIDE_BUS_GB_S = 1e4
"""So wide that only ports are asked about."""
SKEWS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, math.inf)
SCHEDULES: tuple[Schedule, ...] = get_args(Schedule)
CACHE_EXPERTS = 4

QUESTIONS: Mapping[str, str] = {
    "experts": "Does latency depend on how many experts there are?",
    "top_k": "What does each further expert of a token cost?",
    "expert_size": "What does an expert's width cost?",
    "tokens": "How does each schedule grow with the number of tokens?",
    "memory": "What does on-chip memory for experts buy?",
    "buffer": "How small can the weight buffer be?",
    "ports": "Where does load-bound turn compute-bound, by port and linear unit?",
    "attention": "What does holding p queries buy, with and without reordering?",
    "skew": "What does skewed routing cost?",
    "tasks": "What does switching the task cost?",
}


@dataclass(frozen=True, kw_only=True)
class Point:
    """One design on one network with one routing."""

    question: str
    design: ScheduleDesign
    config: M3vitConfig
    routing: str
    skew: float = 0.0


def sized(design: ScheduleDesign, config: M3vitConfig) -> ScheduleDesign:
    """The design with a weight buffer that holds the largest matrix in each half."""
    widest = max(config.hidden, config.mlp, config.expert_hidden)
    return replace(design, weight_buffer_bytes=config.hidden * widest * WEIGHT.bits // 8)


def points(networks: Sequence[M3vitConfig] = (TINY, SMALL)) -> Iterator[Point]:
    """Every point, network by network."""
    base = replace(schedule_preset("edge-moe-zcu102"), cache_experts=CACHE_EXPERTS)
    for config in networks:
        own = sized(base, config)
        for schedule in SCHEDULES:
            yield from _of_schedule(replace(own, schedule=schedule), config)
        yield from _of_hardware(own, config)


def _of_schedule(design: ScheduleDesign, config: M3vitConfig) -> Iterator[Point]:
    """What the workload varies, under one schedule."""

    def drawn(question: str, config: M3vitConfig, skew: float = 0.0) -> Point:
        fitting = sized(design, config)
        return Point(question=question, design=fitting, config=config, routing="drawn", skew=skew)

    for experts in (4, 8, 16, 32, 64, 128, 256):
        yield drawn("experts", replace(config, experts=experts))
    for top_k in (1, 2, 4, 8):
        yield drawn("top_k", replace(config, top_k=top_k))
    for width in (96, 192, 384, 768, 1536):
        yield drawn("expert_size", replace(config, expert_hidden=width))
    for dataset in DATASETS:
        yield drawn("tokens", replace(config, dataset=dataset))
    for skew in SKEWS:
        yield drawn("skew", config, skew)
    for task in config.dataset.tasks:
        yield Point(question="tasks", design=design, config=config, routing=task)


def _of_hardware(own: ScheduleDesign, config: M3vitConfig) -> Iterator[Point]:
    """What the hardware varies, experts one by one unless memory is the question."""

    def drawn(question: str, **changes: Any) -> Point:
        design = replace(own, **changes)
        return Point(question=question, design=design, config=config, routing="drawn")

    for held in (1, 2, 4, 8, 12, 16):
        yield drawn("memory", schedule="cached", cache_experts=held)
    for schedule in ("resident", "expert_by_expert"):
        yield drawn("memory", schedule=schedule)
    for power in range(15, 22):
        yield drawn("buffer", weight_buffer_bytes=1 << power)
    for port_bits, side in product((32, 64, 128, 256, 512), (8, 16, 32, 64)):
        yield drawn(
            "ports",
            port_bits=port_bits,
            master_bits=max(256, port_bits),
            linear_inputs=side,
            linear_outputs=side,
            bus_gb_s=WIDE_BUS_GB_S,
        )
    for parallel, reordered in product((1, 2, 4, 8, 16, 32, 64, 128), (True, False)):
        yield drawn("attention", attention_parallel=parallel, attention_reordered=reordered)


def table(networks: Sequence[M3vitConfig] = (TINY, SMALL)) -> pd.DataFrame:
    """One row a point; ``refused`` says why one cannot run, and is empty for the others.

    The routing of photographs takes some ten seconds for M3ViT-small.
    """
    return pd.DataFrame([_row(point) for point in points(networks)])


def platforms() -> pd.DataFrame:
    """Published latencies and powers of the same network beside our simulation of Edge-MoE."""
    text = (files("dovetail.sweeps") / "published" / "m3vit.toml").read_text(encoding="utf-8")
    published = tomllib.loads(text)["platforms"]
    design = schedule_preset("edge-moe-zcu102")
    ours = simulate_schedule(design, TINY, _routing(TINY, "drawn", 0.0))
    names = [*published["labels"], "Edge-MoE, published", "Edge-MoE, simulated"]
    frame = pd.DataFrame(
        {
            "platform": names,
            "time_ms": [*published["latency_ms"], published["edge_moe_ms"], ours.time_ms],
            "watts": [*published["watts"], published["edge_moe_watts"], design.power_w],
        }
    )
    return frame.assign(energy_mj=frame["time_ms"] * frame["watts"])


def overlap_timeline() -> dict[str, Any]:
    """Edge-MoE's own run with balanced routing, in Chrome's trace-event format."""
    design = schedule_preset("edge-moe-zcu102")
    return schedule_timeline(simulate_schedule(design, TINY, _routing(TINY, "drawn", 0.0)))


def _row(point: Point) -> dict[str, Any]:
    design, config = point.design, point.config
    row: dict[str, Any] = {
        "question": point.question,
        "network": config.name,
        "tokens": config.tokens,
        "experts": config.experts,
        "top_k": config.top_k,
        "expert_hidden": config.expert_hidden,
        "routing": point.routing,
        "skew": point.skew,
        **design.to_dict(),
    }
    try:
        result = simulate_schedule(design, config, _routing(config, point.routing, point.skew))
    except ConfigError as error:
        return row | {"refused": str(error)}
    return row | {"refused": ""} | _columns(result)


def _columns(result: ScheduleResult) -> dict[str, Any]:
    """What is measured of a run."""
    design, config = result.design, result.config
    per_ms = design.clock_mhz * 1e3
    queue = break_even_queue(design, config)
    parts = result.part_cycles()
    gate = sum(step.stream_cycles for step in result.steps if step.name == "gate")
    return {
        "time_ms": result.time_ms,
        "moe_ms": parts["moe"] / per_ms,
        "experts_ms": (parts["moe"] - gate) / per_ms,
        "attention_ms": parts["attention"] / per_ms,
        "wait_ms": result.load_stall_cycles / per_ms,
        "on_chip_bytes": result.on_chip_bytes,
        "expert_bytes": result.memory_bytes["experts"],
        "dram_bytes": result.dram_bytes,
        "weight_bytes": result.weight_bytes,
        "expert_loads": result.misses,
        "platform_mj": result.energy_mj,
        "dram_mj": result.dram_energy_mj(dram(DRAM)),
        "queue_length": config.tokens * config.top_k / config.experts,
        "break_even_queue": queue,
        "macs_per_cycle": result.macs / result.cycles,
    }


@cache
def _routing(config: M3vitConfig, kind: str, skew: float) -> dict[int, Routing]:
    if kind == "drawn":
        return routing_of(drawn_trace(config, skew=skew))
    return routing_of(real_trace(config, task=kind))
