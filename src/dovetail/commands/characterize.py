"""``dovetail characterize``: a technology table from one cell library."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dovetail.commands.design import AsJson


def characterize(
    name: Annotated[str, typer.Argument(metavar="NAME", help="name of the table, such as asap7")],
    liberty: Annotated[
        list[Path],
        typer.Option("--liberty", metavar="F.lib", help="file of the library; repeatable"),
    ],
    node_nm: Annotated[int, typer.Option("--node-nm", help="feature size of the library")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="F.toml", help="file to write")],
    title: Annotated[str | None, typer.Option("--title", help="one line that says what it is")] = (
        None
    ),
    clock_mhz: Annotated[float, typer.Option("--clock-mhz", help="clock to size for")] = 500.0,
    sram_node_nm: Annotated[
        int | None,
        typer.Option("--sram-node-nm", help="node of the on-chip memories; that of the library"),
    ] = None,
    dram: Annotated[str, typer.Option("--dram", help="memory off the chip")] = "lpddr4-3200",
    unit: Annotated[
        list[str] | None,
        typer.Option("--unit", metavar="U", help="only this unit; repeatable (all of them)"),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="units at a time")] = 2,
    json: AsJson = False,
) -> None:
    """Synthesise every unit, measure it on real operands, write a technology table.

    Example: dovetail characterize nangate45 --node-nm 45 --liberty nangate45_typ.lib.gz
    -o nangate45.toml
    """
    import time

    from dovetail.arch.dot_units import DOT_UNITS
    from dovetail.arch.dram import dram as known_dram
    from dovetail.arch.sram import sram_nodes
    from dovetail.characterize import characterize_all, table
    from dovetail.commands.output import check_writable, print_json, progress_bar, write_text
    from dovetail.errors import ConfigError
    from dovetail.rtl.units import axis, units

    # Before minutes of work, all that could be wrong with the table.
    check_writable(output)
    known_dram(dram)
    memories = sram_node_nm or node_nm
    if memories not in sram_nodes():
        known = ", ".join(str(node) for node in sram_nodes())
        raise ConfigError(
            f"sram_node_nm={memories} is not a node of the on-chip memories; use one of {known}"
        )
    names = unit or list(units())
    for one in names:
        axis(one)
        if one in DOT_UNITS:
            raise ConfigError(
                f"no technology table has unit {one}; leave it out, or use dovetail synth {one}"
            )
    began = time.perf_counter()
    with progress_bar("units", unit="unit") as progress:
        runs = characterize_all(
            names, liberty=liberty, clock_mhz=clock_mhz, jobs=jobs, progress=progress
        )
    text = table(
        runs,
        name=name,
        title=title or f"{name}: logic at {node_nm} nm, memories at {memories} nm",
        node_nm=node_nm,
        sram_node_nm=memories,
        dram=dram,
        clock_mhz=clock_mhz,
    )
    write_text(output, text)
    seconds = time.perf_counter() - began
    late = [run.key for run in runs if not run.meets_clock]
    if json:
        print_json(
            {
                "table": str(output),
                "units": len(runs),
                "not_meeting_clock": late,
                "seconds": seconds,
            }
        )
        return
    print(f"{output}: {len(runs)} units in {seconds:.0f} s")
    if late:
        print(f"not as fast as {clock_mhz:g} MHz: {', '.join(late)}")
