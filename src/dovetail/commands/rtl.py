"""``dovetail rtl``: Verilog of a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dovetail.commands.design import AsJson, Changes, Preset, SystemName


def rtl(
    system: SystemName,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="F.v", help="file to write")],
    preset: Preset = None,
    change: Changes = None,
    json: AsJson = False,
) -> None:
    """Write the Verilog of a configuration.

    Example: dovetail rtl mixpe --preset w4a8-32x32 -o mixpe.v
    """
    import time

    from dovetail import systems
    from dovetail.commands.design import chosen_design
    from dovetail.commands.output import check_writable, print_json, write_text

    entry = systems.system(system)
    design = chosen_design(entry, preset, change)
    check_writable(output)
    began = time.perf_counter()
    text = systems.resolve(entry.verilog)(design.engine)
    seconds = time.perf_counter() - began
    write_text(output, text)
    lines = text.count("\n")
    if json:
        print_json(
            {
                "verilog": str(output),
                "design_id": design.design_id,
                "lines": lines,
                "seconds": seconds,
            }
        )
    else:
        print(f"{output}: {lines:,} lines of Verilog of design {design.design_id}")
