"""Run cases of one engine in Verilator and compare values, cycles and events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from dovetail.arch.events import Event
from dovetail.lockstep.case import LockstepCase
from dovetail.models.gemm_layout import output_bytes, unpack_outputs
from dovetail.rtl.verilator import Build, Case, CaseResult, build
from dovetail.sim.gemm_engine import tile_times
from dovetail.sim.result import GemmResult

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
        The case: engine, GEMM, mapping.
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
    cases: Sequence[LockstepCase], *, waves: Path | None = None, most_waves: int = 1
) -> Comparison:
    """Build the engine of ``cases`` (one structure for all) and run each case twice.

    First as docs/engine.md describes the memory: values, cycles and events must be equal.  Then
    under random gaps and back-pressure: values must be equal.

    Parameters
    ----------
    cases : sequence of LockstepCase
        Their configurations differ in nothing but the DRAM latency.
    waves : Path, optional
        Folder for the waveforms around mismatches.
    most_waves : int
        Of how many cases, since each is run again on a slower, traced build.
    """
    engine = build(cases[0].config)
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
        values += 2 * case.gemm.m * case.gemm.n
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
        events=len(cases) * len(Event),
        mismatches=tuple(found),
    )


def _run_all(engine: Build, runs: Sequence[Case]) -> list[CaseResult]:
    """Run all; after one that hangs, which ends the process, go on with the next in a new one."""
    results: list[CaseResult] = []
    while len(results) < len(runs):
        results += engine.run(runs[len(results) :])
    return results


def _describe(case: LockstepCase) -> str:
    config = case.config
    return (
        f"{config.core} {config.rows} x {config.cols}, port {config.port_bits} bit, DRAM latency "
        f"{config.dram_latency_cycles}, {case.gemm}, {case.mapping}"
    )


def _differences(case: LockstepCase, expected: GemmResult, rtl: CaseResult) -> list[Mismatch]:
    """Values, cycles and events of an exact run."""
    found = _value_differences(case, rtl)
    where = _describe(case)
    events = {
        event: (rtl.events[event], expected.events[event])
        for event in Event
        if rtl.events[event] != expected.events[event]
    }
    # The memory model counts cycles as well: the counter itself must not lie.
    if rtl.cycles != expected.cycles or Event.CYCLE in events:
        cycle, seen, right = _first_late_write(case, rtl)
        found.append(
            Mismatch(
                kind="cycles",
                cycle=cycle,
                signal="write.valid (last beat of an output tile)" if seen else "count_cycle",
                rtl=seen or rtl.cycles,
                expected=right or expected.cycles,
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


def _first_late_write(case: LockstepCase, rtl: CaseResult) -> tuple[int, int, int]:
    """First output tile whose last beat was written in another cycle than simulated.

    Returns
    -------
    (int, int, int)
        The earlier of both cycles, the RTL's and the simulator's; the last two 0 where every tile
        was written when it should be.
    """
    d = case.descriptor
    written_at = np.array(rtl.written_at).reshape(d.n_blocks, d.m_blocks, -1)
    for tile in tile_times(case.config, case.gemm, case.mapping):
        if tile.written < 0:
            continue
        part = written_at[tile.n : tile.n + d.tile_n, tile.m : tile.m + d.tile_m]
        # One past the last row's read; the beat leaves two cycles after the read.
        seen, right = int(part.max()), tile.written + 1
        if seen != right:
            return min(seen, right), seen, right
    return rtl.cycles, 0, 0


def _value_differences(case: LockstepCase, rtl: CaseResult) -> list[Mismatch]:
    """Outputs against the reference; also whether the run finished at all."""
    where = _describe(case)
    if rtl.problem:
        return [
            Mismatch(
                kind="values",
                cycle=rtl.cycles,
                signal=f"busy ({rtl.problem})",
                rtl=1,
                expected=0,
                count=case.gemm.m * case.gemm.n,
                where=where,
                repeat=case.repeat,
            )
        ]
    descriptor = case.descriptor
    image = np.frombuffer(rtl.output, dtype=np.uint8)
    got = unpack_outputs(image, case.config, descriptor)
    want = case.reference()
    wrong = np.argwhere(got != want)
    if not len(wrong):
        return []
    beat_bytes = case.config.port_bits // 8
    at = output_bytes(case.config, descriptor)
    cycles = np.array(rtl.written_at)[at // beat_bytes]
    m, n = min(wrong.tolist(), key=lambda index: int(cycles[tuple(index)]))
    lane = int(at[m, n] % beat_bytes) * 8
    return [
        Mismatch(
            kind="values",
            cycle=int(cycles[m, n]),
            signal=f"write.payload.data[{lane}:{lane + 16}] (output m={m}, n={n})",
            rtl=int(got[m, n]),
            expected=int(want[m, n]),
            count=len(wrong),
            where=where,
            repeat=case.repeat,
        )
    ]


def _with_waves(case: LockstepCase, run: Case, problem: Mismatch, folder: Path) -> Mismatch:
    """Repeat the run that showed ``problem``, traced, and write the waveform around it."""
    folder.mkdir(parents=True, exist_ok=True)
    engine = build(case.config, traced=True)
    name = f"{engine.digest[:8]}-case{case.gap_seed}-{problem.kind}-cycle{problem.cycle}.vcd"
    window = (max(0, problem.cycle - _WINDOW_CYCLES), problem.cycle + _WINDOW_CYCLES)
    engine.run([replace(run, waves=window)], waves=folder / name)
    return replace(problem, waves=str(folder / name))
