"""The tables of docs/gpu-model.md: the paper's machines, the register file, who makes the tables.

``python -m dovetail.sweeps.gpu_study`` prints them as Markdown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from dovetail.arch.gpu_machine import machine_preset
from dovetail.models.networks import network
from dovetail.models.trace import Phase
from dovetail.sim.gpu import GpuResult, Part, simulate_on_gpu
from dovetail.sweeps.reproduce_lut import published
from dovetail.sweeps.reproduce_lut_gpu import BATCH, PHASES, latency, run

__all__ = ["PARTS", "PHASES", "latencies", "tables"]

PARTS: tuple[Part, ...] = ("linear", "attention", "elementwise")


def latencies(phase: Phase) -> list[tuple[str, float, GpuResult]]:
    """Each machine of the paper's table 1 in one phase: name, published ms, ours."""
    figures = published()
    return [
        (machine, milliseconds, latency(figures, machine, phase))
        for machine, milliseconds in figures["latency_ms"][phase].items()
    ]


def tables() -> tuple[str, ...]:
    """Every table, as Markdown."""
    return (
        *(_latency_table(phase) for phase in PHASES),
        _register_table(),
        _precompute_table(),
    )


def _latency_table(phase: Phase) -> str:
    columns = ("machine", "published ms", "ours ms", "published / ours", *PARTS, "bound of linear")
    lines = []
    for machine, milliseconds, ours in latencies(phase):
        bounds = ours.bound_ms()
        lines.append(
            (
                machine,
                f"{milliseconds:.2f}",
                f"{ours.time_ms:.2f}",
                f"{milliseconds / ours.time_ms:.2f}",
                *(f"{ours.part_ms(part):.2f}" for part in PARTS),
                ", ".join(
                    f"{name} {bounds[name] / ours.part_ms('linear'):.0%}"
                    for name in sorted(bounds, key=lambda name: -bounds[name])
                ),
            )
        )
    return _markdown(columns, lines)


def _register_table() -> str:
    """Linear layers of BitNet b1.58 3B under a larger register file, share of the peak."""
    columns = ("machine", "phase", "1x ms", "2x", "4x", "8x", "peak alone")
    lines = []
    for name in ("a100-lut-4x", "a100-lut-8x", "h100-lut-8x"):
        for phase in PHASES:
            trace = network(
                "bitnet-3b", phase=phase, batch=BATCH[phase], seq=2048 if phase == "prefill" else 1
            )
            results = [
                simulate_on_gpu(replace(machine_preset(name), register_capacity=capacity), trace)
                for capacity in (1, 2, 4, 8)
            ]
            operations = sum(
                kernel.gemm.operations
                for kernel in results[0].kernels
                if kernel.gemm is not None and kernel.part == "linear"
            )
            ideal = operations / (machine_preset(name).peak_tops * 1e9)
            times = (f"{result.part_ms('linear'):.2f}" for result in results)
            lines.append((name, phase, *times, f"{ideal:.2f}"))
    return _markdown(columns, lines)


def _precompute_table() -> str:
    """Published and ours for each layer of the paper's table 4."""
    figure = published()["precompute"]
    columns = (
        "layer",
        "phase",
        "published ms",
        "+ separate",
        "+ fused",
        "ours ms",
        "+ separate",
        "+ fused",
    )
    lines = []
    for phase in PHASES:
        for name, case in figure[phase].items():
            without, *made = (
                run(figure["machine"], f"{name}-layer", phase, case["seq"], precompute).time_ms
                for precompute in ("none", "separate", "fused")
            )
            theirs = case["ms"]
            lines.append(
                (
                    name,
                    phase,
                    f"{theirs[0]:.2f}",
                    *(f"{value / theirs[0] - 1:.1%}" for value in theirs[1:]),
                    f"{without:.2f}",
                    *(f"{value / without - 1:.1%}" for value in made),
                )
            )
    return _markdown(columns, lines)


def _markdown(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rule = ["---"] + ["--:"] * (len(columns) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in (columns, rule, *lines))


if __name__ == "__main__":
    print("\n\n".join(tables()))
