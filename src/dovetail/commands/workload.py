"""Options with which commands choose a workload."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

Network = Annotated[
    str,
    typer.Option(
        "--network", metavar="N", help="a network, or a .csv, .json or .npz file of one's own"
    ),
]
PhaseOption = Annotated[
    Literal["prefill", "decode"] | None,
    typer.Option(help="all tokens at once, or one after the cached ones; prefill unless given"),
]
Batch = Annotated[int | None, typer.Option(min=1, help="sequences; 1 unless given")]
Seq = Annotated[
    int | None, typer.Option(min=1, help="tokens of a sequence; the network's usual unless given")
]
