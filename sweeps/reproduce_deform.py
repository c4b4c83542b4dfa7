"""The published figures of deformable-convolution co-design and CoDeNet beside ours.

Sources: arXiv 2002.08357 and arXiv 2006.08357.  Accounting ``authors`` models their engine,
``dovetail`` ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache

from dovetail.arch.deform import preset
from dovetail.arch.deform_board import ultra96
from dovetail.models.conv_ops import ConvOp
from dovetail.models.networks import network
from dovetail.models.networks.codenet import CODENETS, Layer, codenet_layers
from dovetail.sim.deform_system import EngineKind, FrameTime, frame_time
from dovetail.sweeps import reproduce_deform_study, reproduce_deform_values
from dovetail.sweeps.deform_fpga import engine_counts
from dovetail.sweeps.reproduction import (
    Figure,
    ReproductionRow,
    figure_row,
    published_figures,
)

MIB = 1 << 20
_ENGINES: tuple[tuple[EngineKind, str, str, str], ...] = (
    ("public", "authors", "authors_why", "model of the public engine"),
    ("dovetail", "dovetail", "own_why", "our engine"),
)
"""Engine, accounting, name of the reason, and how a row calls it."""


def rows() -> list[ReproductionRow]:
    """Compute every figure again and compare, in the order of the paper's list."""
    published = published_figures("deformable-conv")
    return [
        *_parameters(published),
        *_macs(published),
        *reproduce_deform_study.rows(published),
        *_engine_times(published),
        *_frames(published),
        *_resources(published),
        *reproduce_deform_values.rows(published),
    ]


def fpga_counts() -> Iterator[tuple[str, Mapping[str, float]]]:
    """What our engine takes of an UltraScale+ device, with products in pairs and without."""
    engine = preset("codenet").engine
    for label, packed in (("products in pairs", True), ("products not in pairs", False)):
        counts = engine_counts(replace(engine, packed_products=packed))
        assert counts is not None, "both are engines of a sweep"
        yield label, counts


def _layers(name: str) -> tuple[Layer, ...]:
    return codenet_layers(CODENETS[name])


def _parameters(published: Figure) -> Iterator[ReproductionRow]:
    figure = published["parameters"]
    for at, (name, label) in enumerate(zip(figure["networks"], figure["labels"], strict=True)):
        count = sum(layer.parameters for layer in _layers(name))
        for what, values, ours in (
            (figure["what"], figure["values"], count * 1e-6),
            ("parameters in FP32, MiB", figure["sizes_mib"], count * 4 / MIB),
            ("parameters of 4 bits, MiB", figure["quantised_mib"], count / 2 / MIB),
        ):
            yield figure_row(
                published, figure, what=f"{what}: {label}", value=values[at], ours=ours
            )


def _macs(published: Figure) -> Iterator[ReproductionRow]:
    names = published["frames"]["networks"]
    for key in ("macs", "macs_published"):
        figure = published[key]
        for name, value in zip(names, figure["values"], strict=True):
            convolutions = (layer.op for layer in _layers(f"codenet-{name}"))
            macs = sum(op.macs for op in convolutions if isinstance(op, ConvOp))
            yield figure_row(
                published, figure, what=f"{figure['what']}: {name}", value=value, ours=macs * 1e-9
            )


@cache
def _frame(name: str, engine: EngineKind) -> FrameTime:
    return frame_time(preset("codenet"), network(f"codenet-{name}"), engine=engine)


def _engine_times(published: Figure) -> Iterator[ReproductionRow]:
    """Row 8: times of a, c and d, then what c and d take of a's."""
    figure, ratio = published["engine_ms"], published["engine_ratio"]
    measured = {name: ultra96().frames[f"codenet-{name}"] for name in figure["networks"]}
    for engine, accounting, why, label in _ENGINES:
        for name, frame in measured.items():
            yield figure_row(
                published,
                figure,
                what=f"{figure['what']}: {name}, {label}",
                value=frame.engine_ms,
                ours=_frame(name, engine).engine_ms,
                accounting=accounting,
                why=figure[why],
            )
    for name, frame in measured.items():
        yield figure_row(
            published,
            figure,
            what=f"the engine's calls in a frame, ms: {name}, model of the public engine",
            value=frame.calls_ms,
            ours=_frame(name, "public").calls_ms,
            accounting="authors",
            why=figure["calls_why"],
        )
    for engine, accounting, why, label in _ENGINES:
        for name, value in zip(ratio["networks"], ratio["values"], strict=True):
            yield figure_row(
                published,
                ratio,
                what=f"{ratio['what']}: {name}, {label}",
                value=value,
                ours=_frame(name, engine).engine_ms / _frame("a", engine).engine_ms,
                accounting=accounting,
                why=ratio[why],
            )


def _frames(published: Figure) -> Iterator[ReproductionRow]:
    """Row 9: each rate against the band between the paper and the artifact's own run."""
    figure = published["frames"]
    for engine, accounting, why, label in _ENGINES:
        for name, low, high in zip(
            figure["networks"], figure["paper"], figure["artifact"], strict=True
        ):
            yield figure_row(
                published,
                figure,
                what=f"{figure['what']}: {name}, {low:g} to {high:g}, {label}",
                value=(low + high) / 2,
                ours=_frame(name, engine).frames_per_second,
                accounting=accounting,
                tolerance=(high - low) / 2,
                why=figure[why],
            )


def _resources(published: Figure) -> Iterator[ReproductionRow]:
    figure = published["resources"]
    for label, counts in fpga_counts():
        for name, kind, value in zip(
            figure["names"], figure["kinds"], figure["values"], strict=True
        ):
            yield figure_row(
                published,
                figure,
                what=f"{name} of a ZU3EG, {label}",
                value=value,
                ours=int(counts[kind]),
            )
