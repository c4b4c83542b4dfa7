"""Measure the parts of LUT arrays and their baselines in a cell library, one line of CSV each.

    python -m dovetail.lut_synthesis --library nangate45 --clock-mhz 250 \\
        --liberty nangate45_typ.lib.gz >> sweeps/measured/lut_synthesis.csv

makes the lines of one library; ``sweeps/lut_synthesis.py`` reads them.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dovetail.arch.dot_units import Activation, Kind
from dovetail.rtl.lut.design import DotDesign
from dovetail.rtl.synth import SynthesisReport, synthesize
from dovetail.stimuli.dot import Part, dot_component, dot_stimulus

__all__ = ["COLUMNS", "DotPart", "measure", "parts"]

CYCLES = 1024
"""Cycles of real operands that each netlist is simulated with."""

KEY = ("part", "kind", "activation", "lut_k", "weight_bits", "sums")
"""What tells the lines of a library apart."""

_MAIN: tuple[Activation, ...] = ("int8", "fp16")
_SERIAL: tuple[Kind, ...] = ("lookup", "add", "full")

COLUMNS = (
    "library",
    "clock_mhz",
    *KEY,
    "area_um2",
    "register_um2",
    "netlist_mhz",
    "energy_pj_per_cycle",
    "clock_pj_per_cycle",
    "leakage_nw",
    "rtl_sha256",
    "liberty_sha256",
    "yosys",
    "opensta",
)


@dataclass(frozen=True, kw_only=True)
class DotPart:
    """One thing to synthesise.

    Attributes
    ----------
    design : DotDesign
    part : str
        Of :func:`dovetail.stimuli.dot.dot_component`.
    energy : bool
        Run on real operands too.
    """

    design: DotDesign
    part: Part
    energy: bool

    @property
    def key(self) -> dict[str, str]:
        """Its :data:`KEY`."""
        design = self.design
        values = (
            self.part,
            design.kind,
            design.activation,
            str(design.lut_k),
            str(design.weight_bits),
            design.sums if design.floating else "exact",
        )
        return dict(zip(KEY, values, strict=True))


def _of(
    kind: Kind,
    activation: Activation,
    *,
    lut_k: int = 4,
    weight_bits: int = 1,
    part: Part = "unit",
    sums: str = "fp16",
    energy: bool = True,
) -> DotPart:
    design = DotDesign(
        kind=kind, activation=activation, lut_k=lut_k, weight_bits=weight_bits, sums=sums
    )
    return DotPart(design=design, part=part, energy=energy)


def parts() -> Iterator[DotPart]:
    """Every part of the study, those of which most depends first; a part may come twice."""
    # The steps from UNPU to LUT Tensor Core, W2A8.
    steps: tuple[Kind, ...] = ("full_signed", "plain", "lookup")
    for kind in steps:
        yield _of(kind, "int8", weight_bits=2)
    for kind in (steps[0], steps[-1]):
        yield _of(kind, "int8", weight_bits=2, part="head")
    yield _of("lookup", "int8", weight_bits=2, part="row_register")
    yield _of("full", "int8", weight_bits=2, part="row_register")
    yield _of("lookup", "int8", weight_bits=2, part="column_register")
    # One bit against whole weights.
    compared: tuple[Kind, ...] = ("lookup", "mac")
    for activation in _MAIN:
        for kind in compared:
            yield _of(kind, activation)
            yield _of(kind, activation, part="row_register")
        yield _of("mac", activation, part="column_register")
    # Activations of a table.
    for lut_k in (5, 3, 6, 2, 8, 7):
        yield _of("lookup", "int8", lut_k=lut_k, weight_bits=2)
    # Weight bits, and up to which energy is asked for.
    powered: tuple[tuple[Activation, int], ...] = (("int8", 4), ("fp16", 2))
    for weight_bits in (1, 2, 4, 8):
        for activation, most in powered:
            energy = weight_bits <= most
            for kind in _SERIAL:
                yield _of(kind, activation, weight_bits=weight_bits, energy=energy)
            if energy:
                yield _of("mac", activation, weight_bits=weight_bits)
    for kind in _SERIAL[1:]:
        for activation in _MAIN:
            yield _of(kind, activation, part="row_register", energy=False)
    yield _of("full", "int8", part="head", energy=False)
    # A small array as a whole, to hold against the sum of its parts.
    yield _of("lookup", "int8", weight_bits=2, part="array")
    # Activations of a table of floating-point numbers.
    for lut_k in (5, 3, 6, 2, 8, 7):
        yield _of("lookup", "fp16", lut_k=lut_k)
    # One bit with wider integers.
    for kind in compared:
        yield _of(kind, "int16")
        yield _of(kind, "int16", part="row_register")
    yield _of("mac", "int16", part="column_register")
    # Heads and sums of floating point, quantised tables, adders of 0 and 1.
    yield _of("full", "fp16", part="head", energy=False)
    yield _of("lookup", "fp16", part="head", energy=False)
    yield _of("lookup", "fp16", sums="fp32", energy=False)
    yield _of("mac", "fp16", sums="fp32", energy=False)
    yield _of("quantised", "int8", weight_bits=2)
    yield _of("quantised", "fp16", weight_bits=2)
    yield _of("quantised", "int8", weight_bits=2, part="head")
    yield _of("add_binary", "int8", weight_bits=2, energy=False)


def measure(part: DotPart, *, liberty: Sequence[Path], clock_mhz: float) -> SynthesisReport:
    """Synthesise one part, and run it on real operands where its energy is asked for."""
    operands = None
    if part.energy:
        operands = dot_stimulus(part.design, kind="real", part=part.part, cycles=CYCLES)
    return synthesize(
        dot_component(part.design, part.part),
        name="part",
        liberty=liberty,
        clock_mhz=clock_mhz,
        stimulus=operands,
        thorough=False,
    )


def _line(part: DotPart, library: str, report: SynthesisReport) -> dict[str, Any]:
    made = report.provenance
    return {
        "library": library,
        "clock_mhz": f"{report.clock_mhz:g}",
        **part.key,
        "area_um2": f"{report.area_um2:.5g}",
        "register_um2": f"{report.register_um2:.5g}",
        "netlist_mhz": f"{report.netlist_mhz:.0f}",
        "energy_pj_per_cycle": f"{report.energy.total_pj:.5g}" if part.energy else "",
        "clock_pj_per_cycle": f"{report.clock_pj_per_cycle:.5g}",
        "leakage_nw": f"{report.leakage_nw:.5g}",
        "rtl_sha256": made.rtl_sha256[:16],
        "liberty_sha256": " ".join(sha[:8] for sha in made.liberty_sha256.values()),
        "yosys": made.tools["yosys"],
        "opensta": made.tools["opensta"],
    }


def _main() -> None:
    parser = argparse.ArgumentParser(description="Lines of the table of LUT units' synthesis.")
    parser.add_argument("--library", required=True, help="name in the table")
    parser.add_argument("--clock-mhz", type=float, required=True)
    parser.add_argument("--liberty", type=Path, nargs="+", required=True)
    parser.add_argument("--done", type=Path, help="lines of an earlier run, to leave out")
    arguments = parser.parse_args()
    done = set()
    if arguments.done and arguments.done.exists():
        with arguments.done.open() as file:
            for row in csv.DictReader(file):
                if row["library"] == arguments.library:
                    done.add(tuple(row[name] for name in KEY))
    writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    if not done:
        writer.writeheader()
    for part in parts():
        key = tuple(part.key.values())
        if key in done:
            continue
        done.add(key)
        report = measure(part, liberty=arguments.liberty, clock_mhz=arguments.clock_mhz)
        writer.writerow(_line(part, arguments.library, report))
        sys.stdout.flush()


if __name__ == "__main__":
    _main()
