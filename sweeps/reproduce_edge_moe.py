"""Rows 9 to 17 of the list: Edge-MoE's cycles, ladder and energies, and the units' errors."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from dovetail.arch.m3vit.attention import AttentionDesign
from dovetail.arch.m3vit.formats import FEATURE
from dovetail.arch.m3vit.schedule import schedule_preset
from dovetail.models.m3vit.config import TINY
from dovetail.models.m3vit.delta_gelu import delta_gelu
from dovetail.models.m3vit.encoder import encode
from dovetail.models.m3vit.fixed import to_fixed, to_float
from dovetail.models.m3vit.fixed_encoder import fixed_encode
from dovetail.models.m3vit.image import photograph
from dovetail.models.m3vit.softmax import probability, running_softmax
from dovetail.models.m3vit.weights import seeded_weights
from dovetail.models.networks.m3vit_trace import drawn_trace, m3vit_trace, routing_of
from dovetail.sim.m3vit_attention import score_times
from dovetail.sim.m3vit_schedule import ScheduleResult, simulate_schedule
from dovetail.sim.m3vit_steps import Part
from dovetail.sweeps.m3vit_ablation import ladder
from dovetail.sweeps.reproduction import Figure, ReproductionRow, figure_row

LINEAR_PARTS: tuple[Part, ...] = ("attention_linear", "dense", "moe")


def rows(published: Figure) -> list[ReproductionRow]:
    """Compute rows 9 to 17; ``published`` is the whole of ``published/m3vit.toml``."""
    design = schedule_preset("edge-moe-zcu102")
    weights = seeded_weights(TINY)
    image = photograph(TINY.dataset.height, TINY.dataset.width)
    real = encode(TINY, weights, image)
    fixed = fixed_encode(TINY, weights, image)
    balanced = routing_of(drawn_trace(TINY, skew=0.0))
    results = {
        "balanced routing": simulate_schedule(design, TINY, balanced),
        "routing of a photograph": simulate_schedule(
            design, TINY, routing_of(m3vit_trace(TINY, real.routing))
        ),
    }
    first = results["balanced routing"]
    error = float(np.square(to_float(fixed.output) - real.output).mean())
    return [
        *_total(published, results),
        *_split(published, first),
        *_attention(published),
        *_ablation(published, balanced),
        *_platforms(published, first),
        _measured(published, "gelu", gelu_error()),
        _measured(published, "softmax", softmax_error()),
        _measured(published, "output", error),
        *_accuracy(published),
    ]


def gelu_error() -> float:
    """Largest error of the GELU unit from -8 to 8."""
    x = np.arange(-8 << FEATURE.fraction_bits, 8 << FEATURE.fraction_bits, 97)
    real = to_float(x)
    normal = np.fromiter((math.erfc(-value / math.sqrt(2)) / 2 for value in real), float)
    return float(np.abs(to_float(delta_gelu(x)) - real * normal).max())


def softmax_error() -> float:
    """Largest relative L2 error of a row, of 64 with 1,201 scores."""
    rng = np.random.default_rng(0)
    deviation = np.repeat([1.0, 4.0], 32)[:, None]
    x = to_fixed(deviation * rng.standard_normal((64, 1201)), FEATURE)
    bias, reciprocal = running_softmax(x)
    got = to_float(probability(x, bias[:, None], reciprocal[:, None]))
    exponential = np.exp(to_float(x - bias[:, None]))
    want = exponential / exponential.sum(axis=1, keepdims=True)
    error = np.linalg.norm(got - want, axis=1) / np.linalg.norm(want, axis=1)
    return float(error.max())


def _total(published: Figure, results: dict[str, ScheduleResult]) -> Iterator[ReproductionRow]:
    figure = published["edge_moe_total"]
    for label, result in results.items():
        yield figure_row(published, figure, what=f"{figure['what']}: {label}", ours=result.time_ms)


def _split(published: Figure, result: ScheduleResult) -> Iterator[ReproductionRow]:
    figure = published["edge_moe_split"]
    parts = result.part_cycles()
    cycles = {
        "attention": parts["attention"],
        "linear": sum(parts[part] for part in LINEAR_PARTS),
    }
    names = {
        "attention": "attention products",
        "linear": "attention linears, dense blocks and MoE blocks",
    }
    published_cycles = published["edge_moe_total"]["value"] * result.design.clock_mhz * 1e3
    for name, count in cycles.items():
        for of, total in (("own", result.cycles), ("published", published_cycles)):
            yield figure_row(
                published,
                figure,
                what=f"part of {names[name]} in the {of} total",
                value=figure[name],
                ours=count / total,
                why=figure[f"{of}_why"],
            )


def _attention(published: Figure) -> Iterator[ReproductionRow]:
    figure = published["attention_cycles"]
    design = schedule_preset("edge-moe-zcu102")
    unit = AttentionDesign(
        parallel=design.attention_parallel,
        lanes=design.lanes,
        heads=TINY.heads,
        head_dim=TINY.head_dim,
        max_tokens=TINY.tokens,
    )
    # Cycle-exact, of the RTL's QK^T unit: from the first key beat to the last one.
    taken = score_times(unit, TINY.tokens).key
    yield figure_row(published, figure, ours=int(taken[-1] - taken[0]) + 1)
    keys = len(taken) // unit.token_beats
    yield figure_row(
        published, figure, what="keys that pass in it", value=figure["keys"], ours=keys
    )
    queries = TINY.tokens + design.attention_parallel - 1
    what = "positions of queries in it"
    yield figure_row(published, figure, what=what, value=figure["queries"], ours=queries)


def _ablation(published: Figure, routing: Any) -> Iterator[ReproductionRow]:
    figure = published["ablation"]
    times = {
        name: simulate_schedule(design, TINY, routing).time_ms for name, design in ladder().items()
    }
    for step, value in zip(figure["steps"], figure["values"], strict=True):
        what = f"{figure['what']}: {step}"
        yield figure_row(
            published, figure, what=what, value=value, ours=times["baseline"] / times[step]
        )
    faster = sum(times[before] > times[after] for before, after in pairwise(times))
    what = "steps of the ladder that make it faster"
    count = len(figure["steps"])
    yield figure_row(published, figure, what=what, value=count, ours=faster, tolerance=0.0)
    # Step by step, what one technique gives does not depend on how slow the baseline's others are.
    for (before, after), (start, end) in zip(
        pairwise(times), pairwise(figure["times_ms"]), strict=True
    ):
        what = f"time before over after, {after} alone"
        yield figure_row(
            published, figure, what=what, value=start / end, ours=times[before] / times[after]
        )


def _platforms(published: Figure, result: ScheduleResult) -> Iterator[ReproductionRow]:
    figure = published["platforms"]
    edge_moe = figure["edge_moe_ms"] * figure["edge_moe_watts"]
    for label, latency_ms, watts, value in zip(
        figure["labels"], figure["latency_ms"], figure["watts"], figure["values"], strict=True
    ):
        what = f"{figure['what']}: {label}"
        energy = latency_ms * watts
        yield figure_row(
            published,
            figure,
            what=what,
            value=value,
            ours=energy / edge_moe,
            accounting="authors",
        )
        yield figure_row(
            published,
            figure,
            what=f"{what}, simulated latency",
            value=value,
            ours=energy / result.energy_mj,
            tolerance=published["edge_moe_total"]["tolerance"],
            why=figure["own_why"],
        )


def _measured(published: Figure, name: str, ours: float) -> ReproductionRow:
    return figure_row(published, published[name], ours=ours)


def _accuracy(published: Figure) -> Iterator[ReproductionRow]:
    figure = published["accuracy"]
    for label, value in zip(figure["labels"], figure["values"], strict=True):
        yield figure_row(published, figure, what=label, value=value, ours=None)
