"""``dovetail verify``: reference = RTL and simulator = RTL, in Verilator."""

from __future__ import annotations

from typing import Annotated

import typer

from dovetail.commands.design import AsJson, SystemName


def verify(
    system: SystemName,
    preset: Annotated[
        str | None, typer.Option(metavar="P", help="only this preset, instead of random builds")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="how many random configurations")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="where they start")] = 0,
    waves: Annotated[
        bool,
        typer.Option(
            "--waves",
            help="write the waveform around every mismatch to dovetail-waves/, not around one an "
            "engine",
        ),
    ] = False,
    json: AsJson = False,
) -> None:
    """Run a system's RTL in Verilator: values equal to the reference, cycles and events to the
    simulator.

    Every 24 seeds share three builds; fewer than 3 seeds build fewer than three engines.

    Exits with 1 where anything differs.

    Example: dovetail verify mixpe --seeds 24
    """
    from dovetail import systems
    from dovetail.commands.output import print_json, progress_bar

    entry = systems.system(system)
    run = systems.resolve(entry.verify)
    with progress_bar(f"verify {system}", unit="cases") as move:
        report = run(system, preset=preset, seeds=seeds, seed=seed, waves=waves, progress=move)
    if json:
        print_json(
            {
                "compared": report.compared,
                "mismatches": report.mismatches,
                "configurations": report.configurations,
                "seconds": report.seconds,
            }
        )
    else:
        print("\n".join(report.lines))
    if any(report.mismatches.values()):
        raise typer.Exit(1)
