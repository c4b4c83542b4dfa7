"""``dovetail list``: everything that has a name."""

from __future__ import annotations

from typing import Any

from dovetail.commands.design import AsJson


def list_all(json: AsJson = False) -> None:
    """List systems, presets, networks, technologies, sweeps, units, papers and GPU machines.

    Example: dovetail list --json
    """
    from dovetail.arch.dot_units import DOT_UNITS
    from dovetail.arch.gpu_machine import gpu_machines
    from dovetail.arch.m3vit.schedule import schedule_presets
    from dovetail.arch.technology import technologies
    from dovetail.commands.output import print_json, print_table
    from dovetail.models.networks.registry import network_names
    from dovetail.systems import papers, resolve, systems

    data: dict[str, Any] = {
        "systems": {entry.name: entry.title for entry in systems()},
        "presets": {entry.name: list(resolve(entry.presets)()) for entry in systems()},
        "default_presets": {entry.name: entry.default_preset for entry in systems()},
        "networks": list(network_names()),
        "technologies": list(technologies()),
        "sweeps": sorted(name for entry in systems() for name in entry.sweeps),
        "units": sorted({name for entry in systems() for name in entry.units} | set(DOT_UNITS)),
        "papers": sorted(papers()),
        "machines": list(gpu_machines()),
        "schedules": list(schedule_presets()),
    }
    if json:
        print_json(data)
        return
    rows: list[tuple[str, str]] = [("systems", f"{n}: {t}") for n, t in data["systems"].items()]
    for name, names in data["presets"].items():
        default = data["default_presets"][name]
        rows.append((f"presets of {name}", f"{', '.join(names)}; {default} unless given"))
    for kind in ("networks", "technologies", "sweeps", "units", "papers", "machines", "schedules"):
        rows.append((kind, ", ".join(data[kind])))
    print_table("Dovetail knows", ("what", "names"), rows)
