"""A compute core synthesised and simulated as a whole, beside the sum of its units.

What the pricing of engines leaves out, because it knows units only, shows as the gap of the two.
``python -m dovetail.array_energy`` prints it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from dovetail.arch.cores import Core
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.events import Event
from dovetail.arch.units import Unit, core_units
from dovetail.errors import DovetailError
from dovetail.rtl.engine_synth import size_in
from dovetail.rtl.engines import compute_core
from dovetail.rtl.memory_ports import rtlil_without_memories
from dovetail.rtl.synth import SynthesisReport, synthesize, synthesize_rtlil
from dovetail.rtl.units import unit
from dovetail.stimuli import array_stimulus, stimulus
from dovetail.stimuli.tiles import Kind

__all__ = ["ArrayEnergy", "ArrayPart", "Cost", "array_energy"]

_OUTPUT_SIDE = "output"
"""Component of the units that are priced with a core and lie behind its accumulators."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What some logic takes in one run.

    Attributes
    ----------
    data_pj, clock_pj : float
        Dynamic energy of the whole run: of the data, and of the clock's edges.
    area_um2, leakage_nw : float
    """

    data_pj: float
    clock_pj: float
    area_um2: float
    leakage_nw: float

    @property
    def dynamic_pj(self) -> float:
        return self.data_pj + self.clock_pj


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayPart:
    """Equal units of a core, priced as a technology table prices them.

    Attributes
    ----------
    unit : Unit
    count : int
        How many there are.
    operations : int
        Of all of them, in the run.
    report : SynthesisReport
        Of one, alone, with its own stimulus.
    cost : Cost
        Of all of them.
    """

    unit: Unit
    count: int
    operations: int
    report: SynthesisReport
    cost: Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayEnergy:
    """A core without its accumulator memories: measured as one netlist, and as a sum.

    Attributes
    ----------
    engine : GemmEngineConfig
    events : dict of Event to int
        Of the run.
    report : SynthesisReport
        Of the whole core.
    parts : tuple of ArrayPart
    """

    engine: GemmEngineConfig
    events: Mapping[Event, int]
    report: SynthesisReport
    parts: tuple[ArrayPart, ...]

    @property
    def whole(self) -> Cost:
        cycles, operations = self.events[Event.CYCLE], self.events[Event.PE_OP]
        return Cost(
            data_pj=self.report.data_pj_per_op * operations,
            clock_pj=self.report.clock_pj_per_cycle * cycles,
            area_um2=self.report.area_um2,
            leakage_nw=self.report.leakage_nw,
        )

    @property
    def total(self) -> Cost:
        """The sum over the parts."""
        costs = [part.cost for part in self.parts]
        return Cost(
            data_pj=sum(cost.data_pj for cost in costs),
            clock_pj=sum(cost.clock_pj for cost in costs),
            area_um2=sum(cost.area_um2 for cost in costs),
            leakage_nw=sum(cost.leakage_nw for cost in costs),
        )

    def gap(self, figure: str) -> float:
        """By what share of the whole the sum of parts exceeds it.

        Parameters
        ----------
        figure : str
            ``dynamic_pj``, ``data_pj``, ``clock_pj``, ``area_um2`` or ``leakage_nw``.
        """
        whole: float = getattr(self.whole, figure)
        total: float = getattr(self.total, figure)
        return total / whole - 1


def array_energy(
    core: Core,
    *,
    liberty: Sequence[Path],
    clock_mhz: float,
    rows: int = 8,
    cols: int = 8,
    kind: Kind = "real",
) -> ArrayEnergy:
    """Synthesise and simulate a core as one, and each of its units alone.

    The whole streams GEMM tiles (:func:`dovetail.stimuli.array_stimulus`) and its outputs are
    checked.  Each unit gets its own stimulus of the same kind; its energy per operation counts for
    the operations of that run, its clock's for all its cycles.

    Parameters
    ----------
    core : str
        An integer core.
    liberty : sequence of Path
        Liberty files of one library.
    clock_mhz : float
    rows, cols : int
        Of the array.
    kind : str
        Operands: ``real``, ``random`` or ``zero``.
    """
    engine = GemmEngineConfig(core=core, rows=rows, cols=cols, clock_mhz=clock_mhz)
    run = array_stimulus(engine, kind=kind)
    report = synthesize_rtlil(
        [rtlil_without_memories(compute_core(engine), engine, name="core")],
        name="core",
        liberty=liberty,
        clock_mhz=clock_mhz,
        stimulus=run.without_memories,
        thorough=False,
        wide=True,
    )
    alone: dict[str, SynthesisReport] = {}
    parts = []
    for part in core_units(engine):
        if part.component == _OUTPUT_SIDE:
            continue
        if part.name not in alone:
            size = size_in(engine, part.name)
            alone[part.name] = synthesize(
                unit(part.name, size=size),
                name="unit",
                liberty=liberty,
                clock_mhz=clock_mhz,
                stimulus=stimulus(part.name, kind=kind, size=size),
                thorough=False,
            )
        parts.append(_priced(part, engine, run.events, alone[part.name]))
    return ArrayEnergy(engine=engine, events=run.events, report=report, parts=tuple(parts))


def _priced(
    part: Unit, engine: GemmEngineConfig, events: Mapping[Event, int], report: SynthesisReport
) -> ArrayPart:
    count, operations = part.count(engine), part.operations_in(engine, events)
    return ArrayPart(
        unit=part,
        count=count,
        operations=operations,
        report=report,
        cost=Cost(
            data_pj=operations * report.data_pj_per_op,
            clock_pj=count * events[Event.CYCLE] * report.clock_pj_per_cycle,
            area_um2=count * report.area_um2,
            leakage_nw=count * report.leakage_nw,
        ),
    )


def _table(found: ArrayEnergy) -> str:
    operations = found.events[Event.PE_OP]
    lines = ["| | units | data, pJ per PE op | clock | dynamic | area, um2 | leakage, uW |"]
    lines.append("|---|---|---|---|---|---|---|")

    def line(title: str, count: str, cost: Cost) -> None:
        energies = [cost.data_pj, cost.clock_pj, cost.dynamic_pj]
        cells = [f"{energy / operations:.4f}" for energy in energies]
        cells += [f"{cost.area_um2:,.0f}", f"{cost.leakage_nw / 1e3:.1f}"]
        lines.append(f"| {title} | {count} | {' | '.join(cells)} |")

    for part in found.parts:
        line(f"{part.unit.component}: `{part.unit.name}`", str(part.count), part.cost)
    line("sum of parts", "", found.total)
    line("whole", "", found.whole)
    figures = ("data_pj", "clock_pj", "dynamic_pj", "area_um2", "leakage_nw")
    gaps = " | ".join(f"{found.gap(figure):+.1%}" for figure in figures)
    lines.append(f"| gap | | {gaps} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the parts, their sum, the whole and the gaps; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m dovetail.array_energy",
        description="Compare a core, synthesised and simulated as one, with the sum of its units.",
        epilog="example: python -m dovetail.array_energy mixpe_w4a8 --liberty nangate45_typ.lib.gz",
    )
    parser.add_argument("core", choices=get_args(Core))
    parser.add_argument("--liberty", type=Path, action="append", required=True)
    parser.add_argument("--clock-mhz", type=float, default=500.0)
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--cols", type=int, default=8)
    parser.add_argument("--kind", choices=get_args(Kind), default="real")
    options = parser.parse_args(arguments)
    try:
        found = array_energy(**vars(options))
    except DovetailError as error:
        print(error, file=sys.stderr)
        return 2
    print(_table(found))
    for report in (found.report, *(part.report for part in found.parts)):
        if report.warning:
            print(report.warning)
    return 0


if __name__ == "__main__":
    sys.exit(main())
