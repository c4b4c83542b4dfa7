"""Run cases of one engine in Verilator and compare values, cycles and events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from dovetail.arch.events import Event
from dovetail.lockstep.run import LockstepRun, Simulated, WrongValues
from dovetail.rtl.verilator import Build, Case, CaseResult

Kind = Literal["values", "cycles", "events"]
# Of the waveform, before and after the mismatch.
_WINDOW_CYCLES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """The first difference of its kind in one case.

    Attributes
    ----------
    kind : str
        ``values``: RTL against reference.  ``cycles``, ``events``: RTL against simulator.
    cycle : int
        After start.
    signal : str
        Port of the engine.
    rtl, expected : int
        The two values.
    count : int
        How many differ in this case.
    where : str
        The case: engine, what it runs.
    repeat : str
        Command that runs the case again.
    waves : str
        Waveform around the cycle; empty where none was written.
    """

    kind: Kind
    cycle: int
    signal: str
    rtl: int
    expected: int
    count: int
    where: str
    repeat: str
    waves: str = ""

    def __str__(self) -> str:
        seen = f"waveform {self.waves}; " if self.waves else ""
        return (
            f"{self.kind} differ in {self.count} place(s), first in cycle {self.cycle} at "
            f"{self.signal}: RTL {self.rtl}, expected {self.expected}; {self.where}; {seen}"
            f"repeat with `{self.repeat}`"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What was compared, and what differed.

    Attributes
    ----------
    cases : int
        Exact runs; each is followed by one under random gaps and back-pressure.
    values, cycles, events : int
        Outputs, RTL cycles and event counters compared.
    mismatches : tuple of Mismatch
    """

    cases: int
    values: int
    cycles: int
    events: int
    mismatches: tuple[Mismatch, ...]


def compare(
    cases: Sequence[LockstepRun], *, waves: Path | None = None, most_waves: int = 1
) -> Comparison:
    """Build the engine of ``cases`` (one structure for all) and run each case twice.

    First with the memory that docs/engine.md describes: values, cycles and events must be equal.
    Then under random gaps and back-pressure: values must be equal.

    Parameters
    ----------
    cases : sequence of LockstepRun
        Their configurations differ in nothing but the DRAM latency.
    waves : Path, optional
        Folder for the waveforms around mismatches.
    most_waves : int
        Of how many cases, since each is run again on a slower, traced build.
    """
    engine = cases[0].build()
    simulated = [case.simulate() for case in cases]
    runs = [
        case.rtl(cycles=result.cycles, gaps=gaps)
        for case, result in zip(cases, simulated, strict=True)
        for gaps in (False, True)
    ]
    results = _run_all(engine, runs)
    found = []
    values = cycles = 0
    for index, (case, expected) in enumerate(zip(cases, simulated, strict=True)):
        exact, gapped = results[2 * index : 2 * index + 2]
        values += 2 * case.outputs
        cycles += exact.cycles
        run = runs[2 * index]
        problems = _differences(case, expected, exact)
        if not problems:
            run = runs[2 * index + 1]
            problems = _value_differences(case, gapped)
        if problems and waves is not None and most_waves:
            most_waves -= 1
            problems = [_with_waves(case, run, problem, waves) for problem in problems]
        found += problems
    return Comparison(
        cases=len(cases),
        values=values,
        cycles=cycles,
        events=len(cases) * len(engine.engine.events),
        mismatches=tuple(found),
    )


def _run_all(engine: Build, runs: Sequence[Case]) -> list[CaseResult]:
    """Run all; after one that hangs, which ends the process, go on with the next in a new one."""
    results: list[CaseResult] = []
    while len(results) < len(runs):
        results += engine.run(runs[len(results) :])
    return results


def _differences(case: LockstepRun, expected: Simulated, rtl: CaseResult) -> list[Mismatch]:
    """Values, cycles and events of an exact run."""
    found = _value_differences(case, rtl)
    where = case.describe()
    # An event for which the engine has no counter must not be counted by its simulator.
    events = {
        event: (rtl.events.get(event, 0), expected.events[event])
        for event in Event
        if rtl.events.get(event, 0) != expected.events[event]
    }
    # The memory model counts cycles as well: the counter itself must not lie.
    if rtl.cycles != expected.cycles or Event.CYCLE in events:
        late = None if rtl.problem else case.late_write(rtl)
        found.append(
            Mismatch(
                kind="cycles",
                cycle=min(late.rtl, late.expected) if late else rtl.cycles,
                signal=f"write.valid ({late.what})" if late else "count_cycle",
                rtl=late.rtl if late else rtl.cycles,
                expected=late.expected if late else expected.cycles,
                count=abs(rtl.cycles - expected.cycles) or 1,
                where=where,
                repeat=case.repeat,
            )
        )
    events.pop(Event.CYCLE, None)
    if events:
        event, (seen, right) = next(iter(events.items()))
        found.append(
            Mismatch(
                kind="events",
                cycle=rtl.cycles,
                signal=f"count_{event}",
                rtl=seen,
                expected=right,
                count=len(events),
                where=where,
                repeat=case.repeat,
            )
        )
    return found


def _value_differences(case: LockstepRun, rtl: CaseResult) -> list[Mismatch]:
    """Outputs against the reference; also whether the run finished at all."""
    if rtl.problem:
        wrong = WrongValues(
            cycle=rtl.cycles,
            signal=f"busy ({rtl.problem})",
            rtl=1,
            expected=0,
            count=case.outputs,
        )
    else:
        found = case.wrong_values(rtl)
        if found is None:
            return []
        wrong = found
    return [
        Mismatch(
            kind="values",
            cycle=wrong.cycle,
            signal=wrong.signal,
            rtl=wrong.rtl,
            expected=wrong.expected,
            count=wrong.count,
            where=case.describe(),
            repeat=case.repeat,
        )
    ]


def _with_waves(case: LockstepRun, run: Case, problem: Mismatch, folder: Path) -> Mismatch:
    """Repeat the run that showed ``problem``, traced, and write the waveform around it."""
    folder.mkdir(parents=True, exist_ok=True)
    engine = case.build(traced=True)
    name = f"{engine.digest[:8]}-case{case.gap_seed}-{problem.kind}-cycle{problem.cycle}.vcd"
    window = (max(0, problem.cycle - _WINDOW_CYCLES), problem.cycle + _WINDOW_CYCLES)
    engine.run([replace(run, waves=window)], waves=folder / name)
    return replace(problem, waves=str(folder / name))
