"""``dovetail trace``: write a workload trace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dovetail.commands.design import AsJson
from dovetail.commands.workload import Batch, PhaseOption, Seq


def trace(
    network: Annotated[
        str, typer.Argument(metavar="NETWORK", help="a network, or a .csv or .json file")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="F", help="the .npz to write")],
    phase: PhaseOption = None,
    batch: Batch = None,
    seq: Seq = None,
    image: Annotated[
        Path | None,
        typer.Option(metavar="F", help="an image, from which a codenet's offsets are made"),
    ] = None,
    json: AsJson = False,
) -> None:
    """Write the trace of a network: its operators with their shapes.

    Example: dovetail trace llama2-7b --phase decode --seq 2048 -o llama.npz
    """
    from dovetail.commands.output import print_json, print_table, shown
    from dovetail.errors import TraceError
    from dovetail.models.importers import load_workload
    from dovetail.models.networks.codenet_trace import codenet_of_image

    if output.suffix != ".npz":
        raise TraceError(
            f"{output}: a trace is an .npz file; end its name in .npz, such as "
            f"{output.with_suffix('.npz')}"
        )
    if image is None:
        made = load_workload(network, phase=phase, batch=batch, seq=seq)
    else:
        made = codenet_of_image(network, image)
    made.save(output)
    data = {
        "trace": str(output),
        "trace_id": made.trace_id,
        "network": made.network,
        "phase": made.phase,
        "batch": made.batch,
        "seq": made.seq,
        "gemms": sum(op.count for op in made.gemms),
        "convolutions": len(made.convolutions),
        "macs": made.macs,
        "other_operations": sum(op.operations for op in made.others),
        "notes": list(made.notes),
    }
    if json:
        print_json(data)
        return
    rows = [
        (name, shown(value) if isinstance(value, int) else str(value))
        for name, value in data.items()
        if name != "notes"
    ]
    rows += [("note", text) for text in made.notes]
    print_table(f"{output}", ("what", "value"), rows)
