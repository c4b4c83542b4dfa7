"""What deformable engines take of an UltraScale+ device: a table that our own RTL's synthesis made.

``python -m dovetail.sweeps.deform_fpga -o FILE`` makes it again, in about half an hour: each engine
of the sweeps, leaf by leaf (:mod:`dovetail.rtl.fpga_parts`), the multiplications of a design's
first engine in DSPs and those of its second in LUTs.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from dovetail.arch.deform import DeformDesign, DeformEngineConfig, deform_design
from dovetail.errors import ConfigError

FAMILY = "xcup"
COUNTED = ("lut", "ff", "dsp", "bram36")
_TIMING = ("clock_mhz", "dram_latency_cycles", "gather_bursts")
"""Fields that change no count that matters: of the clock, of the memory, of a counter's width."""


def fpga_counts(design: DeformDesign) -> dict[str, float] | None:
    """LUTs, flip-flops, DSPs and block RAMs of a design; None where an engine was not counted.

    The second engine's multiplications are in LUTs: the first one's take most DSPs of a small
    device.
    """
    total = dict.fromkeys(COUNTED, 0.0)
    for at, engine in enumerate(design.engines):
        counts = engine_counts(engine, dsp=at == 0)
        if counts is None:
            return None
        total = {name: total[name] + counts[name] for name in COUNTED}
    return total


def engine_counts(engine: DeformEngineConfig, *, dsp: bool = True) -> Mapping[str, float] | None:
    """What one engine takes, its multiplications in DSPs or in LUTs; None if it was not counted."""
    row = table().get((_key(engine), dsp))
    return {name: float(row[name]) for name in COUNTED} if row else None


@cache
def table() -> Mapping[tuple[str, bool], Mapping[str, str]]:
    """Rows by engine and by whether multiplications may be in DSPs.

    Columns: ``engine``, ``dsps``, the counts, the digest of the RTL and the version of Yosys.
    """
    path = files("dovetail.sweeps") / "measured" / "deform_fpga.csv"
    with path.open("r", encoding="utf-8") as file:
        return {(row["engine"], row["dsps"] == "True"): row for row in csv.DictReader(file)}


def _key(engine: DeformEngineConfig) -> str:
    """Every field of the engine that its netlist depends on, in one text."""
    fields = {name: value for name, value in asdict(engine).items() if name not in _TIMING}
    return " ".join(f"{name}={value}" for name, value in fields.items())


def engines() -> Iterator[tuple[DeformEngineConfig, bool]]:
    """Each engine of the sweeps and whether its multiplications may be in DSPs, once."""
    from dovetail.sweeps.deform_zu3eg import design_space, variants

    seen = set()
    for sweep in (design_space(), variants()):
        for candidate in sweep.points():
            try:
                design = deform_design(candidate.design)
            except ConfigError:
                continue
            for at, engine in enumerate(design.engines):
                if (_key(engine), at == 0) not in seen:
                    seen.add((_key(engine), at == 0))
                    yield engine, at == 0


def count(engine: DeformEngineConfig, *, dsp: bool, known: dict[Any, Any]) -> dict[str, Any]:
    """One row of the table; ``known`` as for :func:`dovetail.rtl.fpga_parts.count_by_parts`."""
    from dovetail.rtl.deform.engine import DeformEngine
    from dovetail.rtl.fpga_parts import count_by_parts

    counts = count_by_parts(
        DeformEngine(engine), name="engine", family="xcup", dsp=dsp, known=known
    )
    return {
        "engine": _key(engine),
        "dsps": dsp,
        **{name: f"{counts[name]:g}" for name in COUNTED},
        "rtl_sha256": rtl_digest(engine),
        "yosys": version("pyosys"),
    }


def rtl_digest(engine: DeformEngineConfig) -> str:
    """Of the RTL that an engine's counts belong to."""
    from dovetail.rtl.deform.engine import DeformEngine
    from dovetail.rtl.verilog import rtlil_modules

    text = "".join(rtlil_modules(DeformEngine(engine), name="engine"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True, help="file to write")
    options = parser.parse_args()
    known: dict[Any, Any] = {}
    rows = [count(engine, dsp=dsp, known=known) for engine, dsp in engines()]
    with options.output.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
