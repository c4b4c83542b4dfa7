"""The steps of an M3ViT encoder in program order, as a schedule puts them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from dovetail.arch.m3vit.schedule import Buffer, ScheduleDesign
from dovetail.models.m3vit.config import M3vitConfig
from dovetail.models.m3vit.routing import Routing
from dovetail.sim.m3vit_kernel import FIFO, LRU, run_cache
from dovetail.sim.m3vit_steps import Step, StepMaker


@dataclass(slots=True)
class Plan:
    """Steps in program order, and what the recurrence must know of each beside its cycles.

    Attributes
    ----------
    steps : list of Step
    layers, experts : list of int
        Block and expert of each, -1 for none.
    known : list of int
        Step at whose end it is known which weights to load, -1 for none.
    whole : list of int
        1: its weights are those of all experts of a block.
    misses, uses : int
        Experts loaded, and pairs of token and expert.
    """

    steps: list[Step] = field(default_factory=list)
    layers: list[int] = field(default_factory=list)
    experts: list[int] = field(default_factory=list)
    known: list[int] = field(default_factory=list)
    whole: list[int] = field(default_factory=list)
    misses: int = 0
    uses: int = 0

    def add(
        self, step: Step, layer: int, *, expert: int = -1, known: int = -1, whole: int = 0
    ) -> None:
        self.steps.append(step)
        self.layers.append(layer)
        self.experts.append(expert)
        self.known.append(known)
        self.whole.append(whole)


def plan_encoder(
    design: ScheduleDesign, config: M3vitConfig, routing: Mapping[int, Routing]
) -> Plan:
    """List the steps of one image; ``routing`` must be one of ``config``.

    Raises
    ------
    ConfigError
        Where a matrix does not fit the weight buffer.
    """
    plan = Plan()
    maker = StepMaker(design, config)
    before, after, dense = _common(design, config)
    plan.add(maker.patch_embedding(), -1)
    for layer in range(config.layers):
        for step in before:
            plan.add(step, layer)
        if layer in routing:
            _experts(plan, maker, routing[layer], layer)
        else:
            for step in dense:
                plan.add(step, layer)
        plan.add(after, layer)
    return plan


def break_even_queue(design: ScheduleDesign, config: M3vitConfig) -> int:
    """Tokens in a queue from which on computing an expert's layer hides the next load.

    With queues at least as long, expert-by-expert time does not depend on the number of experts.
    """
    longest = 0
    for step in _expert_steps(design, config, 1, True):
        per_token = step.stream_cycles
        longest = max(longest, -(-step.load_cycles // per_token))
    return longest


@lru_cache(maxsize=64)
def _common(
    design: ScheduleDesign, config: M3vitConfig
) -> tuple[tuple[Step, ...], Step, tuple[Step, ...]]:
    """Steps that every block has before and after its MLP, and those of a dense MLP."""
    maker = StepMaker(design, config)
    c, n = config.hidden, config.tokens

    def projection(name: str, write: Buffer) -> Step:
        return maker.linear(
            name,
            "attention_linear",
            rows=n,
            inputs=c,
            outputs=c,
            read="tmp1",
            write=write,
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


def _experts(plan: Plan, maker: StepMaker, routing: Routing, layer: int) -> None:
    """Add the gate and the experts of a block."""
    design, config = maker.design, maker.config
    plan.add(maker.parameters("gate_parameters", config.experts * config.gate_inputs), layer)
    plan.add(maker.gate(), layer)
    gate = len(plan.steps) - 1
    plan.add(maker.pointwise("clear", (), "tmp3"), layer)
    uses = routing.experts.size
    plan.uses += uses
    if design.schedule == "expert_by_expert":
        lengths = routing.lengths.tolist()
        for expert in routing.metaqueue:
            for step in _expert_steps(design, config, lengths[expert], True):
                plan.add(step, layer, expert=expert, known=gate)
        plan.misses += len(routing.metaqueue)
        return
    one = _expert_steps(design, config, 1, False)
    beats = maker.matrix_beats(config.hidden, config.expert_hidden)
    beats += maker.matrix_beats(config.expert_hidden, config.hidden)
    each = sum(step.stream_cycles for step in one)
    if design.schedule == "resident":
        plan.add(_all_uses(maker, one, uses, config.experts * beats), layer, whole=1)
        plan.misses += config.experts
        return
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
    plan.misses += misses


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
