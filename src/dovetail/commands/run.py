"""``dovetail run``: one design point on one workload."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dovetail.commands.design import AsJson, Changes, Preset, SystemName
from dovetail.commands.workload import Batch, Network, PhaseOption, Seq

if TYPE_CHECKING:
    from dovetail.sim.result import NetworkRun


def run(
    system: SystemName,
    network: Network,
    preset: Preset = None,
    change: Changes = None,
    phase: PhaseOption = None,
    batch: Batch = None,
    seq: Seq = None,
    technology: Annotated[
        str | None, typer.Option(metavar="T", help="prices; a name or a .toml file")
    ] = None,
    accounting: Annotated[
        str, typer.Option(metavar="A", help="honest, or a paper's own such as authors")
    ] = "honest",
    timeline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="write the tiles' timeline for Perfetto")
    ] = None,
    json: AsJson = False,
) -> None:
    """Simulate one design point: cycles, stalls, energy, area, utilization.

    A design that no technology table prices gets its time and events, and why no more.

    Example: dovetail run mixpe --preset w4a8-32x32 --network llama2-7b --set engine.rows=16
    """
    from dovetail import systems
    from dovetail.commands.design import chosen_design
    from dovetail.commands.output import check_writable, print_json, write_text
    from dovetail.errors import ConfigError, UnpricedError, did_you_mean
    from dovetail.models.importers import load_workload

    entry = systems.system(system)
    design = chosen_design(entry, preset, change)
    accountings = ("honest", *entry.accountings)
    if accounting not in accountings:
        raise ConfigError(
            f"no accounting named {accounting!r}; {did_you_mean(accounting, accountings)}"
            f"those of {system} are {', '.join(accountings)}"
        )
    if timeline is not None:
        systems.part(entry, "timeline")
        check_writable(timeline)
    trace = load_workload(network, phase=phase, batch=batch, seq=seq)
    if accounting == "honest":
        table = technology or entry.technology
        try:
            if table is None:
                raise UnpricedError(f"no technology table prices the units of {system}")
            data, result = _honest(entry, design, trace, table)
        except UnpricedError as error:
            if technology:
                raise
            data, result = _unpriced(entry, design, trace, reason=str(error))
        if timeline is not None:
            import json as encoder

            write_text(timeline, encoder.dumps(systems.part(entry, "timeline")(design, result)))
    elif technology or timeline:
        raise ConfigError(
            f"--technology and --timeline belong to accounting honest; {accounting!r} has its own "
            f"prices and no tiles: leave them out"
        )
    else:
        data = _other(systems.resolve(entry.accountings[accounting]), design, trace)
    data = {
        "system": system,
        "design_id": design.design_id,
        "network": trace.network,
        "phase": trace.phase,
        "batch": trace.batch,
        "seq": trace.seq,
        "trace_id": trace.trace_id,
        "accounting": accounting,
        **data,
    }
    if json:
        print_json(data)
    else:
        _print(data, trace)


def _honest(
    entry: Any, design: Any, trace: Any, technology: str
) -> tuple[dict[str, Any], NetworkRun]:
    import time

    from dovetail.sweeps.evaluate import evaluate, find_technology
    from dovetail.systems import part

    simulate = part(entry, "simulate")
    table = find_technology(technology)
    evaluation = evaluate(design, trace, system=entry, technology=table)
    result = evaluation.result
    # Again with the mappings found: what one more simulation of this design costs.
    found = result.found
    began = time.perf_counter()
    simulate(design, trace, **found)
    seconds = time.perf_counter() - began
    data = {
        "technology": technology,
        "cycles": result.cycles,
        "stall_cycles": result.stall_cycles,
        "time_ms": evaluation.time_ms,
        "energy_pj": evaluation.energy_pj,
        "energy_range_pj": list(evaluation.energy_bounds_pj),
        "area_um2": evaluation.area_um2,
        "area_range_um2": list(evaluation.area_bounds_um2),
        "array_um2": evaluation.array_um2,
        "macs": result.macs,
        "other_operations": result.other_operations,
        "utilization": result.utilization,
        "simulation_s": seconds,
        "events": {event.value: int(count) for event, count in result.events.items()},
        "energy": dict(evaluation.energy),
        "area": dict(evaluation.area),
    }
    return data, result


def _unpriced(entry: Any, design: Any, trace: Any, *, reason: str) -> tuple[dict[str, Any], Any]:
    """A design whose units no technology table prices: time and events alone."""
    import time

    from dovetail.systems import part

    simulate = part(entry, "simulate")
    simulate(design, trace)  # compiles what is not compiled yet
    began = time.perf_counter()
    result = simulate(design, trace)
    seconds = time.perf_counter() - began
    data = {
        "technology": None,
        "cycles": result.cycles,
        "stall_cycles": result.stall_cycles,
        "time_ms": result.cycles / (design.engine.clock_mhz * 1e3),
        "energy_pj": None,
        "area_um2": None,
        "unpriced": reason,
        "macs": result.macs,
        "other_operations": result.other_operations,
        "utilization": result.utilization,
        "simulation_s": seconds,
        "events": {event.value: int(count) for event, count in result.events.items()},
        "energy": {},
        "area": {},
    }
    return data, result


def _other(account: Any, design: Any, trace: Any) -> dict[str, Any]:
    import time
    from dataclasses import asdict

    began = time.perf_counter()
    result = account(design, trace)
    seconds = time.perf_counter() - began
    energy = asdict(result.energy)
    return {
        "cycles": result.cycles,
        "stall_cycles": result.stall_cycles,
        "energy_pj": sum(energy.values()),
        "area_um2": None,
        "macs": result.macs,
        "utilization": result.utilization,
        "simulation_s": seconds,
        "events": {},
        "energy": {name.removesuffix("_pj"): value for name, value in energy.items()},
        "area": {},
    }


def _print(data: dict[str, Any], trace: Any) -> None:
    from textwrap import fill

    from dovetail.commands.output import engineering, print_heading, print_table, shown

    rows = [
        ("cycles", shown(data["cycles"])),
        *((f"  {name}", shown(count)) for name, count in data["events"].items() if "stall" in name),
        ("stall cycles", shown(data["stall_cycles"])),
        ("MACs", shown(data["macs"])),
        ("utilization", f"{data['utilization']:.1%}"),
    ]
    if data["energy_pj"] is None:
        rows.append(("energy, area", "not priced"))
    else:
        rows.append(("energy", engineering(data["energy_pj"] * 1e-12, "J")))
    rows += [
        *((f"  {name}", engineering(pj * 1e-12, "J")) for name, pj in data["energy"].items()),
    ]
    if "time_ms" in data:
        rows.insert(1, ("time", engineering(data["time_ms"] * 1e-3, "s")))
    if data["area_um2"] is not None:
        rows.append(("area", shown(data["area_um2"] * 1e-6, "mm2")))
        rows += [(f"  {name}", shown(um2 * 1e-6, "mm2")) for name, um2 in data["area"].items()]
    print_heading(
        f"{data['system']} {data['design_id']} on {trace.network} {trace.phase}, "
        f"batch {trace.batch}, {trace.seq} tokens, accounting {data['accounting']}"
    )
    print_table("", ("what", "value"), rows, right=" r")
    if "unpriced" in data:
        print(fill(f"not priced: {data['unpriced']}", width=80))
    elsewhere = 1 - data["macs"] / trace.macs
    if elsewhere > 0:
        print(f"not on this engine: {elsewhere:.2%} of the MACs")
    others = sum(op.operations for op in trace.others)
    untimed = others - data.get("other_operations", 0)
    if untimed:
        share = untimed / (others + 2 * trace.macs)
        print(f"not modelled in time: {share:.2%} of the operations (norms, softmax and the like)")
