"""An M3ViT encoder on a schedule-level design: when each step runs, what it loads and waits for.

Cycle-approximate: unit, port and bus cycles are counted beat by beat; filling pipelines and the
latency of first accesses are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.dram import Dram
from dovetail.arch.m3vit.formats import FEATURE, WEIGHT
from dovetail.arch.m3vit.schedule import ScheduleDesign
from dovetail.models.m3vit.config import M3vitConfig
from dovetail.models.m3vit.routing import Routing
from dovetail.models.networks.m3vit_operators import check_routing
from dovetail.sim.m3vit_kernel import run_steps
from dovetail.sim.m3vit_plan import Plan, plan_encoder
from dovetail.sim.m3vit_steps import Part, Step

Times = NDArray[np.int64]
INDEX_BYTES = 2
"""Of a token or an expert in a queue."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ScheduleResult:
    """One image through the encoder.

    Attributes
    ----------
    design, config
    steps : tuple of Step
        In program order.
    layers, experts : tuple of int
        Block and expert of each step, -1 for none.
    begin, end, loaded : int64, shape (steps,)
        Cycle in which a step begins and ends, and in which its weights are there (0: has none).
    memory_bytes : dict of str to int
        What is on chip.
    misses, uses : int
        Experts loaded, and pairs of token and expert.
    """

    design: ScheduleDesign
    config: M3vitConfig
    steps: tuple[Step, ...]
    layers: tuple[int, ...]
    experts: tuple[int, ...]
    begin: Times
    end: Times
    loaded: Times
    memory_bytes: Mapping[str, int]
    misses: int
    uses: int

    @property
    def cycles(self) -> int:
        return int(self.end[-1])

    @property
    def time_ms(self) -> float:
        return self.cycles / (self.design.clock_mhz * 1e3)

    @property
    def energy_mj(self) -> float:
        """Published power times latency: the authors' accounting."""
        return self.design.power_w * self.time_ms

    @property
    def macs(self) -> int:
        return sum(step.macs for step in self.steps)

    @property
    def load_stall_cycles(self) -> int:
        """Cycles in which no step runs, since weights load."""
        return self.cycles - sum(step.stream_cycles for step in self.steps)

    @property
    def weight_bytes(self) -> int:
        """Weights read from DRAM."""
        return sum(step.weight_bytes for step in self.steps)

    @property
    def dram_bytes(self) -> int:
        return self.weight_bytes + sum(step.feature_bytes for step in self.steps)

    @property
    def on_chip_bytes(self) -> int:
        return sum(self.memory_bytes.values())

    def dram_energy_mj(self, memory: Dram) -> float:
        """Off-chip memory alone: every byte at the price of a read, and standby."""
        moved_mj = memory.read_pj_per_bit.range.value * 8e-9 * self.dram_bytes
        return moved_mj + memory.static_w.range.value * self.time_ms

    def part_cycles(self) -> dict[Part, int]:
        """Cycles of each part of the encoder, with what it waits for its weights."""
        parts: dict[Part, int] = {}
        before = 0
        for step, end in zip(self.steps, self.end.tolist(), strict=True):
            parts[step.part] = parts.get(step.part, 0) + end - before
            before = end
        return parts


def simulate_schedule(
    design: ScheduleDesign, config: M3vitConfig, routing: Mapping[int, Routing]
) -> ScheduleResult:
    """Run one image through the encoder.

    Parameters
    ----------
    design : ScheduleDesign
    config : M3vitConfig
    routing : dict of int to Routing
        Experts of each token, by MoE block; :func:`routing_of` takes it from a trace.

    Raises
    ------
    TraceError
        Where the routing is not one of ``config``.
    ConfigError
        Where a matrix does not fit the weight buffer.
    """
    check_routing(config, routing)
    plan = plan_encoder(design, config, routing)
    begin, end, loaded_at = run_steps(
        _array(step.stream_cycles + step.wait_cycles for step in plan.steps),
        _array(step.load_cycles for step in plan.steps),
        np.array(plan.known, np.int64),
        _overlap(design, plan),
        np.array(plan.whole, np.int64),
    )
    return ScheduleResult(
        design=design,
        config=config,
        steps=tuple(plan.steps),
        layers=tuple(plan.layers),
        experts=tuple(plan.experts),
        begin=begin,
        end=end,
        loaded=loaded_at,
        memory_bytes=memory_bytes(design, config),
        misses=plan.misses,
        uses=plan.uses,
    )


def memory_bytes(design: ScheduleDesign, config: M3vitConfig) -> dict[str, int]:
    """What a design keeps on chip: matrices, experts, tokens of attention, the gate and its queues.

    Queues hold k entries a token, however many experts there are.
    """
    expert = config.expert_parameters * WEIGHT.bits // 8 if config.experts else 0
    held = {"resident": config.experts, "cached": design.cache_experts, "expert_by_expert": 0}
    token = config.hidden * FEATURE.bits // 8
    return {
        "weight_buffer": 2 * design.weight_buffer_bytes,
        "experts": held[design.schedule] * expert,
        "attention_tokens": (design.attention_parallel + 1) * token,
        "queues": config.tokens * config.top_k * (INDEX_BYTES + FEATURE.bits // 8),
        "gate": config.experts * config.gate_inputs * WEIGHT.bits // 8,
    }


def _array(values: Iterable[int]) -> Times:
    return np.fromiter(values, np.int64)


def _overlap(design: ScheduleDesign, plan: Plan) -> Times:
    """Which loads may run beside earlier steps."""
    if design.prefetch == "all":
        return np.ones(len(plan.steps), np.int64)
    if design.prefetch == "none":
        return np.zeros(len(plan.steps), np.int64)
    return _array(
        int(expert >= 0 or whole) for expert, whole in zip(plan.experts, plan.whole, strict=True)
    )
