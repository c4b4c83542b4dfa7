"""Rows 3 to 7 of CoDeNet's list: the operator study, on a model of its board and on our engine.

The model (:mod:`dovetail.sim.deform_study`) is cycle-approximate and has one calibrated constant.
Our engine's cycles are exact, at its own DRAM latency, and have none.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Literal

import numpy as np

from dovetail.arch.deform import preset
from dovetail.arch.deform_call import DeformCall
from dovetail.arch.deform_study import Mode, study
from dovetail.models.deform.offset_traces import synthetic_offsets
from dovetail.models.deform.offsets import integer_square
from dovetail.sim.deform_engine import DeformResult, simulate_call
from dovetail.sim.deform_study import operator_time
from dovetail.sweeps.reproduction import Figure, ReproductionRow, figure_row

Core = Literal["full", "depthwise"]
CORES: tuple[Core, ...] = ("full", "depthwise")
MODEL, ENGINE = "model of the study's board", "our engine"


def rows(published: Figure) -> list[ReproductionRow]:
    """Compute rows 3 to 7; ``published`` is the whole of ``published/deformable-conv.toml``."""
    return [
        *_operations(published),
        *_speed_up(published),
        *_cells(published, cached=False),
        *_port_ratios(published),
        *_cache_effect(published),
        *_cells(published, cached=True),
    ]


def study_call(core: Core, *, deform: bool) -> DeformCall:
    """The study's convolution."""
    kernel = study().kernel
    return DeformCall(
        height=kernel.side,
        width=kernel.side,
        in_channels=kernel.channels,
        out_channels=kernel.channels,
        pointwise=False,
        full=core == "full",
        deform=deform,
    )


@cache
def engine_result(core: Core, mode: str) -> DeformResult:
    """The convolution on the engine ``study-<core>-<mode>``, cycle-exact."""
    engine = preset(f"study-{core}-{mode}").engine
    if mode == "stream":
        return simulate_call(engine, study_call(core, deform=False))
    call = study_call(core, deform=True)
    drawn = synthetic_offsets((call.out_height, call.out_width), rng=np.random.default_rng(0))
    return simulate_call(engine, call, integer_square(drawn, bound=engine.bound))


@cache
def _model_ms(mode: Mode, core: Core, *, cached: bool = False, overlap: bool = False) -> float:
    made = operator_time(mode, full=core == "full", cached=cached, overlap=overlap)
    return made.milliseconds


def _operations(published: Figure) -> Iterator[ReproductionRow]:
    figure = published["operations"]
    for core, label, value in zip(CORES, figure["labels"], figure["values"], strict=True):
        ours = 2e-9 * study_call(core, deform=True).macs
        yield figure_row(
            published, figure, what=f"{figure['what']}: {label}", value=value, ours=ours
        )


def _speed_up(published: Figure) -> Iterator[ReproductionRow]:
    figure = published["speed_up"]
    for at, core in enumerate(CORES):
        what, value = f"{figure['what']}: {figure['labels'][at]}", figure["values"][at]
        square_ms = _model_ms("line_buffer_3", core)
        yield figure_row(
            published,
            figure,
            what=f"{what}, {MODEL}",
            value=value,
            ours=_model_ms("gather", core) / square_ms,
            accounting="authors",
            why=figure["model_why"][at],
        )
        if core == "full":
            yield figure_row(
                published,
                figure,
                what=f"{what}, {MODEL}, gathering beside computing",
                value=value,
                ours=_model_ms("gather", core, overlap=True) / square_ms,
                accounting="authors",
                why=figure["overlap_why"],
            )
        yield figure_row(
            published,
            figure,
            what=f"{what}, {ENGINE}",
            value=value,
            ours=engine_result(core, "gather").cycles / engine_result(core, "3-ports").cycles,
            why=figure["engine_why"][at],
        )


def _port_ratios(published: Figure) -> Iterator[ReproductionRow]:
    ratios: tuple[tuple[str, tuple[Mode, Mode], tuple[str, str]], ...] = (
        ("square", ("line_buffer", "line_buffer_3"), ("1-port", "3-ports")),
        ("regular", ("line_buffer_3", "stream"), ("3-ports", "stream")),
    )
    for name, (over, under), (engine_over, engine_under) in ratios:
        figure = published[name]
        yield figure_row(
            published,
            figure,
            what=f"{figure['what']}, {MODEL}",
            ours=_model_ms(over, "depthwise") / _model_ms(under, "depthwise"),
            accounting="authors",
            why=figure["model_why"],
        )
        cycles = engine_result("depthwise", engine_over).cycles
        yield figure_row(
            published,
            figure,
            what=f"{figure['what']}, {ENGINE}",
            ours=cycles / engine_result("depthwise", engine_under).cycles,
            why=figure["engine_why"],
        )


def _cache_effect(published: Figure) -> Iterator[ReproductionRow]:
    figure = published["cache_effect"]
    for core, label, value in zip(CORES, figure["labels"], figure["values"], strict=True):
        what = f"{figure['what']}: {label}"
        yield figure_row(
            published,
            figure,
            what=f"{what}, {MODEL}",
            value=value,
            ours=_model_ms("gather", core, cached=True) / _model_ms("gather", core) - 1,
            accounting="authors",
            why=figure["model_why"],
        )
        yield figure_row(
            published,
            figure,
            what=f"{what}, {ENGINE}",
            value=value,
            ours=None,
            why=figure["engine_why"],
        )


def _cells(published: Figure, *, cached: bool) -> Iterator[ReproductionRow]:
    """Times of the study's table, all but the one that calibrates the model."""
    figure = published["cells"] | {"row": "7" if cached else "4"}
    cell = study().calibration
    for core, engine in zip(CORES, figure["engines"], strict=True):
        for mode, label, value in zip(
            figure["modes"], figure["labels"], engine["times_ms"][cached], strict=True
        ):
            if (mode, core == "full", cached) == (cell.mode, cell.full, cell.cached):
                continue
            memory = "with a cache" if cached else "without a cache"
            yield figure_row(
                published,
                figure,
                what=f"{figure['what']}: {engine['label']}, {label}, {memory}",
                value=value,
                ours=_model_ms(mode, core, cached=cached),
                accounting="authors",
                why=figure["cached_why" if cached else "why"],
            )
