"""A whole engine in a standard-cell library: its units, each synthesised once, times their number.

Synthesising an engine flat takes hours and adds nothing that its units do not have; what lies
between them (loader, sequencer, writer, drain control, the port's registers) is not in the sum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.units import core_units
from dovetail.rtl.stimulus import Stimulus
from dovetail.rtl.synth import SynthesisReport, synthesize
from dovetail.rtl.units import Size, axis, unit

__all__ = ["EngineSynthesis", "EngineUnit", "size_in", "synthesize_engine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineUnit:
    """Equal units of an engine.

    Attributes
    ----------
    name : str
        As :func:`dovetail.rtl.units.unit` knows it.
    size : int, str or None
        Of its axis in this engine.
    count : int
    report : SynthesisReport
        Of one.
    """

    name: str
    size: Size | None
    count: int
    report: SynthesisReport


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSynthesis:
    """The sum over an engine's units, without memories and control.

    Attributes
    ----------
    engine : GemmEngineConfig
    units : tuple of EngineUnit
    """

    engine: GemmEngineConfig
    units: tuple[EngineUnit, ...]

    @property
    def area_um2(self) -> float:
        return sum(unit.count * unit.report.area_um2 for unit in self.units)

    @property
    def cells(self) -> int:
        return sum(unit.count * unit.report.cells for unit in self.units)

    @property
    def leakage_nw(self) -> float:
        return sum(unit.count * unit.report.leakage_nw for unit in self.units)

    @property
    def fmax_mhz(self) -> float:
        """Clock that the slowest unit's netlist reaches, sized for the clock that was asked for."""
        return min(unit.report.netlist_mhz for unit in self.units)

    @property
    def energy_pj_per_op(self) -> float:
        """Of a MAC, were every unit to do an operation in every cycle.

        An upper bound: dequantisers and accumulators work once a segment and row, not always.
        """
        all_busy = sum(unit.count * unit.report.energy_pj_per_op for unit in self.units)
        return all_busy / self.engine.peak_macs_per_cycle

    @property
    def too_slow(self) -> tuple[EngineUnit, ...]:
        """Units that do not meet the clock."""
        return tuple(unit for unit in self.units if not unit.report.meets_clock)


def size_in(engine: GemmEngineConfig, name: str) -> Size | None:
    """Size of the axis of unit ``name`` as ``engine`` builds it; None without an axis."""
    sizes: dict[str | None, Size] = {
        "max_group": engine.max_group,
        "depth": engine.segments_in_flight,
        "sum_format": engine.sum_format,
    }
    return sizes.get(axis(name))


def synthesize_engine(
    engine: GemmEngineConfig,
    *,
    liberty: Sequence[Path],
    clock_mhz: float,
    stimulus: Callable[[str, Size | None], Stimulus | None],
    progress: Callable[[int, int], None],
) -> EngineSynthesis:
    """Synthesise each kind of unit of ``engine`` once.

    Parameters
    ----------
    engine : GemmEngineConfig
    liberty : sequence of Path
    clock_mhz : float
        As for :func:`dovetail.rtl.synth.synthesize`.
    stimulus : callable
        ``(name, size) -> Stimulus``, or None for equal toggles on all nets.
    progress : callable
        ``(units done, units)``.
    """
    counts: dict[str, int] = {}
    for part in core_units(engine):
        if part.count(engine):
            counts[part.name] = counts.get(part.name, 0) + part.count(engine)
    found = []
    for done, (name, count) in enumerate(counts.items()):
        progress(done, len(counts))
        size = size_in(engine, name)
        report = synthesize(
            unit(name, size=size),
            name="unit",
            liberty=liberty,
            clock_mhz=clock_mhz,
            stimulus=stimulus(name, size),
            thorough=False,
        )
        found.append(EngineUnit(name=name, size=size, count=count, report=report))
    progress(len(counts), len(counts))
    return EngineSynthesis(engine=engine, units=tuple(found))
