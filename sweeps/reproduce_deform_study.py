"""Rows 3 to 7 of CoDeNet's list: the operator study."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Literal

import numpy as np

from dovetail.arch.deform import preset
from dovetail.arch.deform_call import DeformCall
from dovetail.models.deform.offset_traces import synthetic_offsets
from dovetail.models.deform.offsets import integer_square
from dovetail.sim.deform_engine import DeformResult, simulate_call
from dovetail.sweeps.reproduction import Figure, ReproductionRow, figure_row

Core = Literal["full", "depthwise"]
CORES: tuple[Core, ...] = ("full", "depthwise")
SIDE, CHANNELS = 64, 256


def rows(published: Figure) -> list[ReproductionRow]:
    """Compute rows 3 to 7; ``published`` is the whole of ``published/deformable-conv.toml``."""
    return [*_operations(published), *_on_our_engine(published)]


def study_call(core: Core, *, deform: bool) -> DeformCall:
    """The study's convolution."""
    return DeformCall(
        height=SIDE,
        width=SIDE,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
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
    drawn = synthetic_offsets((SIDE, SIDE), rng=np.random.default_rng(0))
    offsets = integer_square(drawn, bound=engine.bound)
    return simulate_call(engine, study_call(core, deform=True), offsets)


def _operations(published: Figure) -> Iterator[ReproductionRow]:
    figure = published["operations"]
    for core, label, value in zip(CORES, figure["labels"], figure["values"], strict=True):
        ours = 2e-9 * study_call(core, deform=True).macs
        yield figure_row(
            published, figure, what=f"{figure['what']}: {label}", value=value, ours=ours
        )


def _on_our_engine(published: Figure) -> Iterator[ReproductionRow]:
    """Ratios of cycles, on which the clock that the paper does not state has no influence."""
    figure = published["speed_up"]
    for core, label, value, why in zip(
        CORES, figure["labels"], figure["values"], figure["engine_why"], strict=True
    ):
        ours = engine_result(core, "gather").cycles / engine_result(core, "3-ports").cycles
        yield figure_row(
            published,
            figure,
            what=f"{figure['what']}: {label}, our engine",
            value=value,
            ours=ours,
            why=why,
        )
    for name, over, under in (("square", "1-port", "3-ports"), ("regular", "3-ports", "stream")):
        figure = published[name]
        ours = engine_result("depthwise", over).cycles / engine_result("depthwise", under).cycles
        yield figure_row(
            published,
            figure,
            what=f"{figure['what']}, our engine",
            ours=ours,
            why=figure["engine_why"],
        )
    figure = published["cache_effect"]
    yield figure_row(
        published,
        figure,
        what=f"{figure['what']}, our engine",
        ours=None,
        why=figure["engine_why"],
    )
