"""An M3ViT encoder on a schedule-level design: when each step runs, what it loads and waits for.

Cycle-approximate: unit, port and bus cycles are counted beat by beat; filling pipelines and the
latency of first accesses are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.dram import Dram
from dovetail.arch.m3vit.formats import FEATURE, WEIGHT
from dovetail.arch.m3vit.schedule import ScheduleDesign
from dovetail.models.m3vit.config import M3vitConfig
from dovetail.models.m3vit.routing import Routing
from dovetail.models.networks.m3vit_operators import check_routing
from dovetail.sim.m3vit_kernel import FIFO, LRU, run_cache, run_steps
from dovetail.sim.m3vit_steps import Part, Step, StepMaker

Times = NDArray[np.int64]
INDEX_BYTES = 2
"""Of a token or an expert in a queue."""


@dataclass(slots=True)
class _Plan:
    """Steps in program order, and what the recurrence must know of each beside its cycles."""

    steps: list[Step] = field(default_factory=list)
    layers: list[int] = field(default_factory=list)
    experts: list[int] = field(default_factory=list)
    known: list[int] = field(default_factory=list)
    whole: list[int] = field(default_factory=list)

    def add(
        self, step: Step, layer: int, *, expert: int = -1, known: int = -1, whole: int = 0
    ) -> None:
        self.steps.append(step)
        self.layers.append(layer)
        self.experts.append(expert)
        self.known.append(known)
        self.whole.append(whole)


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
    plan = _Plan()
    maker = StepMaker(design, config)
    before, after, dense = _common(design, config)
    plan.add(maker.patch_embedding(), -1)
    misses = uses = 0
    for layer in range(config.layers):
        for step in before:
            plan.add(step, layer)
        if layer in routing:
            loaded, used = _experts(plan, maker, routing[layer], layer)
            misses, uses = misses + loaded, uses + used
        else:
            for step in dense:
                plan.add(step, layer)
        plan.add(after, layer)
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
        misses=misses,
        uses=uses,
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


@lru_cache(maxsize=64)
def _common(
    design: ScheduleDesign, config: M3vitConfig
) -> tuple[tuple[Step, ...], Step, tuple[Step, ...]]:
    """Steps that every block has before and after its MLP, and those of a dense MLP."""
    maker = StepMaker(design, config)
    c, n = config.hidden, config.tokens

    def projection(name: str, write: str) -> Step:
        return maker.linear(
            name,
            "attention_linear",
            rows=n,
            inputs=c,
            outputs=c,
            read="tmp1",
            write=write,  # type: ignore[arg-type]
        )

    norm, add = maker.pointwise("norm", ("x",), "tmp1"), maker.pointwise("add", ("x", "tmp3"), "x")
    softmax = () if design.softmax_passes == 1 else (maker.separate_softmax(),)
    before = (
        maker.parameters("norm_parameters", 4 * c),
        norm,
        projection("q_proj", "tmp2"),
        projection("k_proj", "tmp3"),
        maker.attention_scores(),
        *softmax,
        projection("v_proj", "tmp2"),
        maker.attention_values(),
        projection("o_proj", "tmp3"),
        add,
        norm,
    )
    dense = (
        maker.linear(
            "fc1", "dense", rows=n, inputs=c, outputs=config.mlp, read="tmp1", write="hidden"
        ),
        maker.linear(
            "fc2", "dense", rows=n, inputs=config.mlp, outputs=c, read="hidden", write="tmp3"
        ),
    )
    return before, add, dense


@lru_cache(maxsize=4096)
def _expert_steps(
    design: ScheduleDesign, config: M3vitConfig, rows: int, loads: bool
) -> tuple[Step, Step]:
    """The two layers of an expert over ``rows`` tokens."""
    maker = StepMaker(design, config)
    c, h = config.hidden, config.expert_hidden
    return (
        maker.linear(
            "expert_fc1",
            "moe",
            rows=rows,
            inputs=c,
            outputs=h,
            read="tmp1",
            write="hidden",
            loads=loads,
        ),
        maker.linear(
            "expert_fc2",
            "moe",
            rows=rows,
            inputs=h,
            outputs=c,
            read="hidden",
            write="tmp3",
            accumulate=True,
            loads=loads,
        ),
    )


def _experts(plan: _Plan, maker: StepMaker, routing: Routing, layer: int) -> tuple[int, int]:
    """Add the gate and the experts of a block; experts loaded, and uses of one."""
    design, config = maker.design, maker.config
    plan.add(maker.parameters("gate_parameters", config.experts * config.gate_inputs), layer)
    plan.add(maker.gate(), layer)
    gate = len(plan.steps) - 1
    plan.add(maker.pointwise("clear", (), "tmp3"), layer)
    uses = routing.experts.size
    if design.schedule == "expert_by_expert":
        lengths = routing.lengths.tolist()
        for expert in routing.metaqueue:
            for step in _expert_steps(design, config, lengths[expert], True):
                plan.add(step, layer, expert=expert, known=gate)
        return len(routing.metaqueue), uses
    one = _expert_steps(design, config, 1, False)
    beats = maker.matrix_beats(config.hidden, config.expert_hidden)
    beats += maker.matrix_beats(config.expert_hidden, config.hidden)
    each = sum(step.stream_cycles for step in one)
    if design.schedule == "resident":
        plan.add(_all_uses(maker, one, uses, config.experts * beats), layer, whole=1)
        return config.experts, uses
    capacity = min(design.cache_experts, config.experts)
    # Token by token, and the experts of a token in ascending order.
    cycles, misses = run_cache(
        np.sort(routing.experts, axis=1).ravel().astype(np.int64),
        config.experts,
        capacity,
        {"lru": LRU, "fifo": FIFO}[design.cache_policy],
        maker.load_cycles(beats, "moe"),
        each,
        int(design.prefetch != "none"),
    )
    step = replace(
        _all_uses(maker, one, uses, 0),
        wait_cycles=cycles - uses * each,
        weight_bytes=misses * beats * design.master_bits // 8,
    )
    plan.add(step, layer)
    return misses, uses


def _all_uses(maker: StepMaker, one: tuple[Step, Step], uses: int, beats: int) -> Step:
    """Every use of an expert in a block as one step, ``beats`` of weights loaded before."""
    return Step(
        name="experts",
        part="moe",
        macs=uses * sum(step.macs for step in one),
        compute_cycles=uses * sum(step.compute_cycles for step in one),
        stream_cycles=uses * sum(step.stream_cycles for step in one),
        bound=one[0].bound,
        feature_bytes=uses * sum(step.feature_bytes for step in one),
        load_cycles=maker.load_cycles(beats, "moe"),
        weight_bytes=beats * maker.design.master_bits // 8,
    )


def _array(values: Iterable[int]) -> Times:
    return np.fromiter(values, np.int64)


def _overlap(design: ScheduleDesign, plan: _Plan) -> Times:
    """Which loads may run beside earlier steps."""
    if design.prefetch == "all":
        return np.ones(len(plan.steps), np.int64)
    if design.prefetch == "none":
        return np.zeros(len(plan.steps), np.int64)
    return _array(
        int(expert >= 0 or whole) for expert, whole in zip(plan.experts, plan.whole, strict=True)
    )


def break_even_queue(design: ScheduleDesign, config: M3vitConfig) -> int:
    """Tokens in a queue from which on computing an expert's layer hides the next load.

    With queues at least as long, expert-by-expert time does not depend on the number of experts.
    """
    longest = 0
    for step in _expert_steps(design, config, 1, True):
        per_token = step.stream_cycles
        longest = max(longest, -(-step.load_cycles // per_token))
    return longest
