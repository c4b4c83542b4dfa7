"""``dovetail gpu``: a network on a GPU with its own tensor cores or LUT arrays in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from dovetail.commands.design import AsJson
from dovetail.commands.workload import Batch, Network, PhaseOption, Seq

if TYPE_CHECKING:
    from dovetail.sim.gpu import GpuResult

PARTS = ("linear", "attention", "elementwise", "precompute")


def gpu(
    machine: Annotated[
        str, typer.Argument(metavar="MACHINE", help="such as a100-lut-4x: see `dovetail list`")
    ],
    network: Network,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="change a field, such as weight_bits=4"),
    ] = None,
    phase: PhaseOption = None,
    batch: Batch = None,
    seq: Seq = None,
    precompute: Annotated[
        str,
        typer.Option(metavar="HOW", help="tables of a LUT core: fused, separate, or none"),
    ] = "fused",
    json: AsJson = False,
) -> None:
    """Time a network on a GPU by its bounds; cycle-approximate, see docs/gpu-model.md.

    Example: dovetail gpu a100-lut-8x --network bitnet-3b --set register_capacity=4
    """
    from dataclasses import asdict

    from dovetail.arch.gpu_machine import gpu_machine, machine_preset
    from dovetail.commands.design import with_changes
    from dovetail.commands.output import print_json
    from dovetail.models.importers import load_workload
    from dovetail.sim.gpu import simulate_on_gpu

    chosen = machine_preset(machine)
    if change:
        source = f"machine {machine} with --set {' '.join(change)}"
        chosen = gpu_machine(with_changes(asdict(chosen), change), source=source)
    trace = load_workload(network, phase=phase, batch=batch, seq=seq)
    result = simulate_on_gpu(chosen, trace, precompute=precompute)  # type: ignore[arg-type]
    data = {
        "machine": machine,
        **asdict(chosen),
        "network": trace.network,
        "phase": trace.phase,
        "batch": trace.batch,
        "seq": trace.seq,
        "trace_id": trace.trace_id,
        "precompute": precompute,
        "level": "cycle-approximate",
        "cycles": result.cycles,
        "time_ms": result.time_ms,
        "peak_tops": chosen.peak_tops,
        "utilization": result.utilization,
        "dram_bytes": sum(kernel.dram_bytes for kernel in result.kernels),
        "parts_ms": {part: result.part_ms(part) for part in PARTS},  # type: ignore[arg-type]
        "linear_bounds_ms": result.bound_ms(),
        "gemms": _gemms(result),
    }
    if json:
        print_json(data)
    else:
        _print(data)


def _gemms(result: GpuResult) -> list[dict[str, Any]]:
    """Each distinct GEMM by the operator that first runs it: its tiling, and what bounds it."""
    seen: dict[Any, dict[str, Any]] = {}
    for kernel in result.kernels:
        gemm = kernel.gemm
        if gemm is None:
            continue
        entry = seen.setdefault(
            (kernel.part, gemm.problem),
            {
                "name": kernel.name,
                **dict(zip(("m", "n", "k", "count"), gemm.problem, strict=True)),
                "runs": 0,
                "block": [gemm.tiling.block_m, gemm.tiling.block_n, gemm.tiling.step_k],
                "warp": [gemm.tiling.warp_m, gemm.tiling.warp_n],
                "stages": gemm.tiling.stages,
                "resident_blocks": gemm.cost.resident,
                "registers": gemm.cost.registers,
                "bound": gemm.bound,
                "tops": gemm.tops,
            },
        )
        entry["runs"] += 1
    return list(seen.values())


def _print(data: dict[str, Any]) -> None:
    from dovetail.commands.output import engineering, print_heading, print_table, shown

    rows = [
        ("time", engineering(data["time_ms"] * 1e-3, "s")),
        *(
            (f"  {part}", engineering(ms * 1e-3, "s"))
            for part, ms in data["parts_ms"].items()
            if ms
        ),
        *(
            (f"  linear layers bound by {bound}", engineering(ms * 1e-3, "s"))
            for bound, ms in data["linear_bounds_ms"].items()
        ),
        ("peak", shown(data["peak_tops"], "TOPS")),
        ("utilization", f"{data['utilization']:.1%}"),
        ("DRAM traffic", engineering(float(data["dram_bytes"]), "B")),
    ]
    print_heading(
        f"{data['machine']} on {data['network']} {data['phase']}, batch {data['batch']}, "
        f"{data['seq']} tokens, tables {data['precompute']}; {data['level']}"
    )
    print_table("", ("what", "value"), rows, right=" r")
    gemms = [
        (
            entry["name"],
            f"{entry['m']} x {entry['n']} x {entry['k']}",
            "x".join(str(size) for size in entry["block"]),
            "x".join(str(size) for size in entry["warp"]),
            entry["bound"],
            shown(entry["tops"]),
        )
        for entry in data["gemms"]
    ]
    print()
    print_table("", ("GEMM", "shape", "block", "warp", "bound", "TOPS"), gemms, right="     r")
