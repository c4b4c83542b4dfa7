"""The tables of docs/gpu-model.md: the paper's machines and layers, and the sample kernel.

``python -m dovetail.sweeps.gpu_study`` prints them as Markdown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from dovetail.arch.accel_sim import SECTOR_BYTES, accel_sim
from dovetail.arch.gpu_machine import machine_preset
from dovetail.models.networks import network
from dovetail.models.trace import Phase
from dovetail.sim.gpu import GpuResult, Part, simulate_on_gpu
from dovetail.sim.gpu_gemm import GpuGemm, Operands, simulate_gpu_gemm
from dovetail.sim.gpu_issue import issue_cycles
from dovetail.sim.gpu_kernel import Problem, Tiling
from dovetail.sweeps.reproduce_lut import published
from dovetail.sweeps.reproduce_lut_gpu import BATCH, PHASES, latency, run

__all__ = ["PARTS", "PHASES", "latencies", "sample_kernel", "tables"]

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
        _precompute_table(published()["precompute"]["machine"]),
        _precompute_table("a100-lut-2x-w1a16"),
        _sensitivity_table(),
        _traffic_table(),
    )


def _latency_table(phase: Phase) -> str:
    columns = (
        "machine",
        "published ms",
        "ours ms",
        "published / ours",
        *PARTS,
        "bound of linear",
        "ours ms, linear at peak",
    )
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
                f"{ours.time_ms - ours.part_ms('linear') + peak_ms(ours):.2f}",
            )
        )
    return _markdown(columns, lines)


def peak_ms(result: GpuResult) -> float:
    """Time of the linear layers at the machine's peak alone."""
    operations = sum(
        kernel.gemm.operations
        for kernel in result.kernels
        if kernel.gemm is not None and kernel.part == "linear"
    )
    return operations / (result.machine.peak_tops * 1e9)


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
            times = (f"{result.part_ms('linear'):.2f}" for result in results)
            lines.append((name, phase, *times, f"{peak_ms(results[0]):.2f}"))
    return _markdown(columns, lines)


def _precompute_table(machine: str) -> str:
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
                run(machine, f"{name}-layer", phase, case["seq"], precompute).time_ms
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


_CHANGES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("none: as the log prints them", {}),
    ("L2 latency 150 for 187", {"l2_latency_cycles": 150}),
    ("L2 latency 250 for 187", {"l2_latency_cycles": 250}),
    ("shared-memory latency 20 for 29", {"shared_latency_cycles": 20}),
    ("shared-memory latency 40 for 29", {"shared_latency_cycles": 40}),
    ("HMMA latency 24 for 16", {"mma_latency_cycles": 24}),
    ("an ALU instruction every cycle, not every second", {"alu_initiation_cycles": 1}),
    ("64 bytes a cycle from L2 for 32", {"l2_bytes_per_cycle_per_sm": 64}),
    ("five thread blocks an SM for two", {"blocks_per_sm": 5}),
    ("one thread block an SM for two", {"blocks_per_sm": 1}),
    ("HMMA in 8 cycles for 16", {"mma_initiation_cycles": 8, "mma_latency_cycles": 8}),
)


def _sensitivity_table() -> str:
    """The sample kernel with one setting changed at a time."""
    table = accel_sim()
    theirs = published()["accel_sim"]["value"]
    lines = []
    for what, change in _CHANGES:
        cycles = issue_cycles(replace(table.log, **change), table.kernel)
        lines.append((what, f"{cycles:,.0f}", f"{cycles / theirs - 1:+.1%}"))
    return _markdown(("changed", "cycles", "against the published"), lines)


def _traffic_table() -> str:
    """What the sample kernel moves, beside the counters of the published log."""
    log, gemm = accel_sim().counted, sample_kernel()
    lines = [
        (
            level,
            f"{counted * SECTOR_BYTES / 1e6:.1f}",
            f"{ours / 1e6:.1f}",
            f"{ours / (counted * SECTOR_BYTES) - 1:+.1%}",
        )
        for level, counted, ours in (
            ("L2 and the SMs", log.l2_sectors, gemm.cost.l2_moved),
            ("DRAM and L2", log.l2_missed_sectors, gemm.cost.dram_moved),
        )
    ]
    return _markdown(("between", "published log, MB", "ours, MB", "deviation"), lines)


def sample_kernel() -> GpuGemm:
    """The bounds of the published log's kernel: A100, FP16, its own tiling."""
    kernel = accel_sim().kernel
    return simulate_gpu_gemm(
        machine_preset("a100-fp16"),
        Problem(kernel.m, kernel.n, kernel.k, 1),
        Operands(a="activation", weight_bits=16),
        tiling=Tiling(
            kernel.block_m, kernel.block_n, kernel.step_k, kernel.warp_m, kernel.warp_n, 2
        ),
    )


def _markdown(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rule = ["---"] + ["--:"] * (len(columns) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in (columns, rule, *lines))


if __name__ == "__main__":
    print("\n\n".join(tables()))
