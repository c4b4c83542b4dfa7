"""``dovetail schedule``: a mixture-of-experts vision transformer, step by step, on one schedule."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dovetail.commands.design import AsJson
from dovetail.commands.workload import Network, Seq

DRAM = "ddr4-2133"


def schedule(
    design: Annotated[
        str, typer.Argument(metavar="SCHEDULE", help="such as edge-moe-zcu102: see `dovetail list`")
    ],
    network: Network,
    change: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="FIELD=VALUE", help="change a field, such as schedule=cached"
        ),
    ] = None,
    seq: Seq = None,
    experts: Annotated[
        int | None, typer.Option(metavar="N", help="experts of a block; routing is drawn")
    ] = None,
    top_k: Annotated[
        int | None, typer.Option(metavar="K", help="experts of a token; routing is drawn")
    ] = None,
    skew: Annotated[
        float | None,
        typer.Option(metavar="S", help="draw routing with popularity 1 / rank^S; 0: balanced"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="of drawn routing")] = 0,
    task: Annotated[
        str | None, typer.Option(metavar="T", help="whose gates route the photograph")
    ] = None,
    timeline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="write the steps' timeline for Perfetto")
    ] = None,
    json: AsJson = False,
) -> None:
    """Time an M3ViT encoder by its schedule; cycle-approximate, see docs/m3vit.md.

    Example: dovetail schedule edge-moe-zcu102 --network m3vit-tiny --set schedule=cached
    """
    import json as encoder
    import time
    from dataclasses import replace

    from dovetail.arch.dram import dram
    from dovetail.arch.m3vit.schedule import schedule_design, schedule_preset
    from dovetail.commands.design import with_changes
    from dovetail.commands.output import print_json, write_text
    from dovetail.errors import ConfigError
    from dovetail.models.importers import load_workload
    from dovetail.models.m3vit.config import on_tokens
    from dovetail.models.networks.m3vit_trace import (
        config_of,
        drawn_trace,
        named_config,
        real_trace,
        routing_of,
    )
    from dovetail.sim.m3vit_plan import break_even_queue
    from dovetail.sim.m3vit_schedule import simulate_schedule
    from dovetail.sim.m3vit_timeline import schedule_timeline

    chosen = schedule_preset(design)
    if change:
        source = f"schedule {design} with --set {' '.join(change)}"
        chosen = schedule_design(with_changes(chosen.to_dict(), change), source=source)
    drawn = (experts, top_k, skew) != (None, None, None)
    if drawn and task is not None:
        raise ConfigError(
            f"--task {task} routes the photograph, and --experts, --top-k and --skew draw routing; "
            f"leave one or the other out"
        )
    if drawn or task is not None:
        config = named_config(network)
        config = config if seq is None else on_tokens(config, seq)
    if drawn:
        config = replace(
            config,
            experts=config.experts if experts is None else experts,
            top_k=config.top_k if top_k is None else top_k,
        )
        trace = drawn_trace(config, skew=skew or 0.0, seed=seed)
    elif task is not None:
        trace = real_trace(config, task=task)
    else:
        trace = load_workload(network, seq=seq)
        config = config_of(trace)
    routing = routing_of(trace)
    simulate_schedule(chosen, config, routing)  # compiles
    began = time.perf_counter()
    result = simulate_schedule(chosen, config, routing)
    seconds = time.perf_counter() - began
    if timeline is not None:
        write_text(timeline, encoder.dumps(schedule_timeline(result)))
    per_ms = chosen.clock_mhz * 1e3
    data: dict[str, Any] = {
        "schedule": design,
        "design_id": chosen.design_id,
        "network": trace.network,
        "seq": config.tokens,
        "experts": config.experts,
        "top_k": config.top_k,
        "trace_id": trace.trace_id,
        "level": "cycle-approximate",
        "cycles": result.cycles,
        "time_ms": result.time_ms,
        "parts_ms": {part: cycles / per_ms for part, cycles in result.part_cycles().items()},
        "stall_cycles": result.load_stall_cycles,
        "macs": result.macs,
        "utilization": result.macs / (chosen.macs_per_cycle * result.cycles),
        "on_chip_bytes": result.on_chip_bytes,
        "memory_bytes": dict(result.memory_bytes),
        "dram_bytes": result.dram_bytes,
        "weight_bytes": result.weight_bytes,
        "expert_loads": result.misses,
        "expert_uses": result.uses,
        "break_even_queue": break_even_queue(chosen, config),
        "platform_mj": result.energy_mj,
        "dram_mj": result.dram_energy_mj(dram(DRAM)),
        "simulation_s": seconds,
    }
    if json:
        print_json(data)
    else:
        _print(data)


def _print(data: dict[str, Any]) -> None:
    from dovetail.commands.output import engineering, print_heading, print_table, shown

    rows = [
        ("cycles", shown(data["cycles"])),
        ("time", engineering(data["time_ms"] * 1e-3, "s")),
        *((f"  {part}", engineering(ms * 1e-3, "s")) for part, ms in data["parts_ms"].items()),
        ("stalled on weights, cycles", shown(data["stall_cycles"])),
        ("MACs", shown(data["macs"])),
        ("utilization of the linear unit", f"{data['utilization']:.1%}"),
        ("on chip", engineering(float(data["on_chip_bytes"]), "B")),
        *(
            (f"  {name}", engineering(float(size), "B"))
            for name, size in data["memory_bytes"].items()
            if size
        ),
        ("DRAM traffic", engineering(float(data["dram_bytes"]), "B")),
        ("  weights", engineering(float(data["weight_bytes"]), "B")),
        ("experts loaded", shown(data["expert_loads"])),
        ("  of uses", shown(data["expert_uses"])),
        ("queue that hides a load, tokens", shown(data["break_even_queue"])),
        ("energy, published power x time", engineering(data["platform_mj"] * 1e-3, "J")),
        (f"energy of DRAM alone, {DRAM}", engineering(data["dram_mj"] * 1e-3, "J")),
    ]
    print_heading(
        f"{data['schedule']} {data['design_id']} on {data['network']}, {data['seq']} tokens, "
        f"{data['top_k']} of {data['experts']} experts; {data['level']}"
    )
    print_table("", ("what", "value"), rows, right=" r")
