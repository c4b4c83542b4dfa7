"""What M3ViT's units and blocks take of an FPGA, at Edge-MoE's sizes; stored in ``measured/``.

    python -m dovetail.sweeps.m3vit_fpga > sweeps/measured/m3vit_fpga.csv

makes the table anew (minutes); :func:`table` reads it.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Any

import pandas as pd

from dovetail.arch.m3vit.attention_engine import AttentionEngineConfig
from dovetail.arch.m3vit.design import preset
from dovetail.arch.m3vit.moe_engine import MoeEngineConfig
from dovetail.rtl.engines import engine
from dovetail.rtl.fpga import FpgaReport, synthesize_fpga
from dovetail.rtl.gemm.spad import Spad
from dovetail.rtl.m3vit.attention_block import AttentionBlock
from dovetail.rtl.m3vit.attention_engine import AttentionEngine
from dovetail.rtl.m3vit.attention_scores import AttentionScores
from dovetail.rtl.m3vit.attention_values import AttentionValues
from dovetail.rtl.m3vit.exponential import ExpNegative
from dovetail.rtl.m3vit.gate import GateUnit
from dovetail.rtl.m3vit.gelu import DeltaGelu
from dovetail.rtl.m3vit.inverse_root import InverseRoot
from dovetail.rtl.m3vit.layer_norm import NormaliseFeature, TokenStatistics
from dovetail.rtl.m3vit.moe_engine import MoeEngine
from dovetail.rtl.m3vit.norm_pass import NormPass
from dovetail.rtl.m3vit.queues import ExpertQueues
from dovetail.rtl.m3vit.reciprocal import Reciprocal
from dovetail.rtl.m3vit.softmax import Probability, SoftmaxStep
from dovetail.rtl.m3vit.top_k import TopK

__all__ = ["COLUMNS", "Part", "markdown", "measure", "parts", "table"]

COUNTS = ("lut", "lut_memory", "ff", "carry", "dsp", "bram36", "uram")
COLUMNS = ("part", "sizes", "uram_allowed", *COUNTS, "yosys", "rtl_sha256")

_EXPERTS, _TOP_K, _TOKENS = 16, 2, 129


@dataclass(frozen=True, kw_only=True)
class Part:
    """One thing to synthesise.

    Attributes
    ----------
    name : str
        Unit or block.
    sizes : str
        For a person.
    make : callable
        Gives the component.
    uram : bool
        Large memories may become UltraRAM.
    """

    name: str
    sizes: str
    make: Callable[[], Any]
    uram: bool = False


def parts() -> Iterator[Part]:
    """Units first, then what is made of them."""
    config = preset("attention-edge-moe").engine
    mixture = preset("moe-edge-moe").engine
    assert isinstance(config, AttentionEngineConfig) and isinstance(mixture, MoeEngineConfig)
    experts = f"{_EXPERTS} experts, k = {_TOP_K}"
    rows = f"p = {config.parallel}, {config.lanes} lanes, {config.heads} heads x {config.head_dim}"
    linear = config.engine
    unit = f"{linear.lut_k} x {linear.cols}, {linear.weight_buffer_bytes >> 10} KiB of weights"
    yield Part(name="gelu", sizes="", make=DeltaGelu)
    yield Part(name="exponential", sizes="", make=ExpNegative)
    yield Part(name="inverse_root", sizes="", make=InverseRoot)
    yield Part(name="reciprocal", sizes="", make=Reciprocal)
    yield Part(name="softmax_step", sizes="", make=SoftmaxStep)
    yield Part(name="probability", sizes="", make=Probability)
    yield Part(name="normalise", sizes="", make=NormaliseFeature)
    yield Part(
        name="statistics",
        sizes=f"width {config.width}, {config.lanes} lanes",
        make=partial(TokenStatistics, width=config.width, lanes=config.lanes),
    )
    yield Part(name="top_k", sizes=experts, make=partial(TopK, k=_TOP_K, experts=_EXPERTS))
    yield Part(
        name="gate",
        sizes=experts,
        make=partial(GateUnit, k=_TOP_K, experts=_EXPERTS, tokens=_TOKENS),
    )
    yield Part(
        name="queues",
        sizes=f"{_EXPERTS} experts, {_TOKENS} tokens",
        make=partial(ExpertQueues, experts=_EXPERTS, tokens=_TOKENS),
    )
    yield Part(
        name="norm_pass",
        sizes=f"width {config.width}, {config.lanes} lanes",
        make=partial(NormPass, config.norm, max_tokens=config.max_tokens),
    )
    yield Part(name="attention_scores", sizes=rows, make=partial(AttentionScores, config.attention))
    yield Part(name="attention_values", sizes=rows, make=partial(AttentionValues, config.attention))
    yield Part(name="attention_block", sizes=rows, make=partial(AttentionBlock, config.attention))
    for uram in (False, True):
        yield Part(
            name="weight_buffer",
            sizes=f"{linear.weight_buffer_bytes >> 10} KiB, {linear.weight.row_bits} bits a cycle",
            make=partial(Spad, linear.weight),
            uram=uram,
        )
    yield Part(name="linear_engine", sizes=unit, make=partial(engine, linear))
    yield Part(
        name="attention_engine",
        sizes=f"{rows}; linear {unit}",
        make=partial(AttentionEngine, config),
    )
    yield Part(
        name="moe_engine",
        sizes=f"{experts} of {mixture.hidden}; linear {unit}",
        make=partial(MoeEngine, mixture),
    )


def measure(part: Part) -> dict[str, Any]:
    """The row of one part, for UltraScale+."""
    report: FpgaReport = synthesize_fpga(part.make(), name="part", family="xcup", uram=part.uram)
    return {
        "part": part.name,
        "sizes": part.sizes,
        "uram_allowed": part.uram,
        **{count: getattr(report, count) for count in COUNTS},
        "yosys": report.yosys,
        "rtl_sha256": report.rtl_sha256[:16],
    }


def table() -> pd.DataFrame:
    """The stored rows, with :data:`COLUMNS`."""
    path = files("dovetail.sweeps") / "measured" / "m3vit_fpga.csv"
    with path.open(encoding="utf-8") as file:
        return pd.read_csv(file, keep_default_na=False, dtype={"yosys": str})


def markdown() -> str:
    """The stored table for a document."""
    heads = ("part", "sizes", "LUT", "flip-flops", "CARRY8", "DSP48E2", "BRAM36", "URAM")
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * 2 + "--:|" * 6]
    for row in table().to_dict("records"):
        uram = row["uram"] if row["uram_allowed"] else "–"
        whole = (f"{row[count]:,}" for count in ("lut", "ff", "carry", "dsp"))
        cells = (f"`{row['part']}`", row["sizes"], *whole, f"{row['bram36']:g}", str(uram))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _main() -> None:
    writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for part in parts():
        writer.writerow(measure(part))
        sys.stdout.flush()


if __name__ == "__main__":
    _main()
