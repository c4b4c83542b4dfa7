"""The published figures of M3ViT (arXiv 2210.14793) and Edge-MoE (arXiv 2305.18691) beside ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from dovetail.arch.devices import device
from dovetail.arch.m3vit.formats import WEIGHT
from dovetail.arch.m3vit.schedule import schedule_preset
from dovetail.models.m3vit.config import DATASETS, SMALL, TINY, M3vitConfig
from dovetail.models.networks.m3vit_trace import drawn_trace, routing_of
from dovetail.sim.m3vit_authors import M3vitAuthors, calibrated, memory_difference_bytes
from dovetail.sim.m3vit_schedule import ScheduleResult, simulate_schedule
from dovetail.sweeps import reproduce_edge_moe
from dovetail.sweeps.reproduction import (
    Figure,
    ReproductionRow,
    figure_row,
    published_figures,
)

MIB = 1 << 20
BRAM_BITS, URAM_BITS = 36 << 10, 288 << 10
"""Of a block RAM and an UltraRAM of an UltraScale+ device (AMD UG573)."""
CACHE_EXPERTS = 4
"""As many as the buffer of a dense MLP holds: the memory of the published cached scheme."""


def rows() -> list[ReproductionRow]:
    """Compute every figure again and compare, in the order of the paper's list."""
    published = published_figures("m3vit")
    small = [_small(name) for name in published["datasets"]]
    models = _cross_calibrated(published, small)
    simulated = [_simulated(config) for config in small]
    made: list[ReproductionRow] = []
    made += _macs(published, small)
    made += _sizes(published)
    made += _memory(published)
    made += _latencies(published, small, models, simulated)
    for name in ("fpga_energy", "gpu_energy"):
        made += _energies(published, published[name])
    return made + reproduce_edge_moe.rows(published)


def _row(
    published: Figure, figure: Figure, what: str, value: float, ours: float
) -> ReproductionRow:
    return figure_row(published, figure, what=what, value=value, ours=ours, accounting="authors")


def _small(dataset: str) -> M3vitConfig:
    (data,) = (one for one in DATASETS if one.name == dataset)
    return replace(SMALL, dataset=data)


def _cross_calibrated(published: Figure, small: Sequence[M3vitConfig]) -> list[M3vitAuthors]:
    """For each data set the constants of the other one, so that no row is fitted to itself."""
    models = [
        calibrated(
            config,
            dense_ms=published["dense"]["values"][at],
            by_token_ms=published["by_token"]["values"][at],
            reordered_ms=published["reordered"]["values"][at],
        )
        for at, config in enumerate(small)
    ]
    return models[::-1]


def _simulated(config: M3vitConfig) -> tuple[ScheduleResult, ScheduleResult]:
    """Expert by expert and token by token on our reading of the ZCU104 design, balanced."""
    design = schedule_preset("m3vit-zcu104")
    routing = routing_of(drawn_trace(config, skew=0.0))
    cached = replace(design, schedule="cached", cache_experts=CACHE_EXPERTS)
    return (
        simulate_schedule(design, config, routing),
        simulate_schedule(cached, config, routing),
    )


def _macs(published: Figure, small: Sequence[M3vitConfig]) -> Iterator[ReproductionRow]:
    figure = published["macs"]
    for config, label, value in zip(
        (*small, TINY), figure["labels"], figure["values"], strict=True
    ):
        what = f"{figure['what']}: {label}"
        yield _row(published, figure, what, value, config.macs * 1e-9)
    figure = published["macs_with_decoder"]
    for config, value in zip(small, figure["values"], strict=True):
        ours = (config.macs + config.decoder_macs) * 1e-9
        what = f"{figure['what']}: {config.dataset.name}"
        yield _row(published, figure, what, value, ours)


def _sizes(published: Figure) -> Iterator[ReproductionRow]:
    counts = [
        config.parameters(positions=197, gates=gates, final_norm=True, classes=1000)
        for config, gates in ((SMALL.dense(), 0), (SMALL, 1))
    ]
    for name, scale in (("parameters", 1), ("weight_memory", WEIGHT.bits / 8 / MIB)):
        figure = published[name]
        for count, label, value in zip(counts, figure["labels"], figure["values"], strict=True):
            what = f"{figure['what']}: {label}"
            yield _row(published, figure, what, value, count * scale)


def _memory(published: Figure) -> Iterator[ReproductionRow]:
    difference_mib = memory_difference_bytes(SMALL) / MIB
    figure = published["memory_difference"]
    yield figure_row(
        published, figure, what=figure["what"], value=figure["value"], ours=difference_mib
    )
    figure = published["memory_ratio"]
    ours = 1 + difference_mib / figure["reordered_mib"]
    yield _row(published, figure, figure["what"], figure["value"], ours)
    figure = published["device_memory"]
    limits = device(figure["device"]).limits
    bits = limits["bram36"] * BRAM_BITS + limits["uram"] * URAM_BITS
    yield _row(published, figure, figure["what"], figure["value"], bits / 8 / MIB)


def _latencies(
    published: Figure,
    small: Sequence[M3vitConfig],
    models: Sequence[M3vitAuthors],
    simulated: Sequence[tuple[ScheduleResult, ScheduleResult]],
) -> Iterator[ReproductionRow]:
    """Rows 4 to 7, by the authors' arithmetic and as simulated."""
    reordered = published["reordered"]["values"]
    overhead = published["overhead"]
    authors = {
        "by_token": [
            model.by_token_ms(config, reordered_ms=base)
            for model, config, base in zip(models, small, reordered, strict=True)
        ],
        "speed_up": [
            model.by_token_ms(config) / model.reordered_ms(config)
            for model, config in zip(models, small, strict=True)
        ],
        "overhead": [
            model.gate_ms(config) / model.dense_ms(config)
            for model, config in zip(models, small, strict=True)
        ],
        "dense": [model.dense_ms(config) for model, config in zip(models, small, strict=True)],
        "reordered": [
            model.reordered_ms(config) for model, config in zip(models, small, strict=True)
        ],
    }
    honest = {
        "by_token": [cached.time_ms for _, cached in simulated],
        "speed_up": [cached.cycles / ours.cycles for ours, cached in simulated],
        "reordered": [ours.time_ms for ours, _ in simulated],
    }
    overhead["values"] = [
        after / before - 1
        for before, after in zip(overhead["dense_ms"], overhead["reordered_ms"], strict=True)
    ]
    for name, ours_of in authors.items():
        figure = published[name]
        for at, config in enumerate(small):
            what, value = f"{figure['what']}: {config.dataset.name}", figure["values"][at]
            yield _row(published, figure, what, value, ours_of[at])
            if name in honest:
                yield figure_row(
                    published,
                    figure,
                    what=f"{what}, simulated",
                    value=value,
                    ours=honest[name][at],
                    why=figure["honest_why"],
                )


def _energies(published: Figure, figure: Figure) -> Iterator[ReproductionRow]:
    for latency_ms, value, label in zip(
        figure["latency_ms"], figure["values"], figure["labels"], strict=True
    ):
        ours = figure["watts"] * latency_ms * 1e-3
        what = f"{figure['what']}: {label}"
        yield _row(published, figure, what, value, ours)
