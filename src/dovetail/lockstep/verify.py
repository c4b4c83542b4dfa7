"""``dovetail verify``: random engines and work in Verilator, against reference and simulator."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dovetail import systems
from dovetail.arch.engine import GemmEngineConfig
from dovetail.lockstep.compare import Comparison, Mismatch, compare
from dovetail.lockstep.random_cases import build_index, random_case, random_engine

WAVES_FOLDER = Path("dovetail-waves")


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePlan:
    """Where a system's random cases come from; its functions stand in modules, for processes.

    Attributes
    ----------
    work : str
        What a case runs, for a person: ``"GEMM"``.
    build_index : callable
        ``(seed) -> index`` of the engine that a seed runs on.
    engine : callable
        ``(index) -> configuration``.
    case : callable
        ``(configuration, seed, *, repeat) -> LockstepRun``.
    summary : callable
        ``(configurations) -> lines`` that say which engines ran.
    takes : type
        The engines of presets that run by this plan.
    compare : callable
        ``(cases of one engine, *, waves, most_waves) -> Comparison``.
    under_gaps : bool
        A case also runs under random gaps and back-pressure.
    """

    work: str
    build_index: Callable[[int], int]
    engine: Callable[[int], Any]
    case: Callable[..., Any]
    summary: Callable[[Sequence[Any]], list[str]]
    takes: type = object
    compare: Callable[..., Comparison] = compare
    under_gaps: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What ``dovetail verify`` found.

    Attributes
    ----------
    compared : int
        Cases, each run once exactly and once under random gaps.
    mismatches : dict of str to int
        Cases that differ, by kind: ``values``, ``cycles``, ``events``.
    configurations : int
        Structurally different builds.
    seconds : float
    lines : tuple of str
        For a person: what was compared, and every mismatch.
    """

    compared: int
    mismatches: dict[str, int]
    configurations: int
    seconds: float
    lines: tuple[str, ...]


def verify(
    system: str,
    *,
    preset: str | None = None,
    seeds: int = 200,
    seed: int = 0,
    waves: bool = False,
    jobs: int | None = None,
    plans: Sequence[CasePlan] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> VerifyReport:
    """Run ``seeds`` random cases, from seed number ``seed`` on.

    Parameters
    ----------
    system : str
    preset : str, optional
        Run all cases on this preset's engine instead of random ones.
    seeds, seed : int
        How many cases, and where they start.  A case depends on its number alone.
    waves : bool
        Write the waveform around every mismatch to ``dovetail-waves/``; else around those of one
        case an engine.
    jobs : int, optional
        Processes; default one per core.
    plans : sequence of CasePlan
        Of the system; that of the GEMM engine unless given.  Seeds are dealt to them in turn, and a
        preset's engine runs by the plans that take it.
    progress : callable
        Called with cases done and in all.
    """
    began = time.perf_counter()
    plans = plans or (GEMM_PLAN,)
    entry = systems.system(system)
    fixed = systems.resolve(entry.preset)(preset).engine if preset else None
    option = f" --preset {preset}" if preset else ""
    if fixed is not None:
        plans = [plan for plan in plans if isinstance(fixed, plan.takes)]
    numbers: dict[tuple[int, int], list[int]] = {}
    for number in range(seed, seed + seeds):
        place, own = number % len(plans), number // len(plans)
        # A fixed engine is one build; its cases still share the work among the processes.
        numbers.setdefault((place, plans[place].build_index(own)), []).append(number)
    most_waves = seeds if waves else 1
    comparisons: list[list[Comparison]] = [[] for _ in plans]
    done = 0
    progress(0, seeds)
    if fixed is not None:
        # Build once before the processes share it.
        plans[0].case(fixed, 0, repeat="").build()
    with ProcessPoolExecutor(max_workers=jobs or os.cpu_count()) as pool:
        try:
            waiting = {
                pool.submit(
                    _compare_seeds,
                    *(plans[place], system, option, fixed, index, group, len(plans), most_waves),
                ): place
                for (place, index), group in numbers.items()
            }
            for future in as_completed(waiting):
                comparison = future.result()
                comparisons[waiting[future]].append(comparison)
                done += comparison.cases
                progress(done, seeds)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    configurations: list[list[Any]] = [[fixed] if fixed else [] for _ in plans]
    if not fixed:
        for place, index in numbers:
            configurations[place].append(plans[place].engine(index))
    parts = [
        (plan, found, engines)
        for plan, found, engines in zip(plans, comparisons, configurations, strict=True)
        if found
    ]
    return _report(parts, time.perf_counter() - began)


def _compare_seeds(
    plan: CasePlan,
    system: str,
    option: str,
    fixed: Any,
    index: int,
    numbers: Sequence[int],
    plans: int,
    most_waves: int,
) -> Comparison:
    config = fixed or plan.engine(index)
    cases = [
        plan.case(
            config,
            number // plans,
            repeat=f"dovetail verify {system}{option} --seeds 1 --seed {number} --waves",
        )
        for number in numbers
    ]
    return plan.compare(cases, waves=WAVES_FOLDER, most_waves=most_waves)


def gemm_summary(configurations: Sequence[GemmEngineConfig]) -> list[str]:
    """Each core with the sizes of its engines."""

    def span(core: str, name: str) -> str:
        sizes = {getattr(config, name) for config in configurations if config.core == core}
        return ", ".join(str(size) for size in sorted(sizes))

    return [
        f"{core}: {sum(config.core == core for config in configurations)} engines; rows "
        f"{span(core, 'rows')}; cols {span(core, 'cols')}; port bits {span(core, 'port_bits')}"
        for core in sorted({config.core for config in configurations})
    ]


GEMM_PLAN = CasePlan(
    work="GEMM",
    build_index=build_index,
    engine=random_engine,
    case=random_case,
    summary=gemm_summary,
)


def _report(
    parts: Sequence[tuple[CasePlan, Sequence[Comparison], Sequence[Any]]], seconds: float
) -> VerifyReport:
    found: list[Mismatch] = []
    lines: list[str] = []
    for plan, comparisons, configurations in parts:
        mismatches = [mismatch for one in comparisons for mismatch in one.mismatches]
        found += mismatches
        lines += _lines(plan, comparisons, configurations, Counter(one.kind for one in mismatches))
    kinds = Counter(one.kind for one in found)
    return VerifyReport(
        compared=sum(one.cases for _, comparisons, _ in parts for one in comparisons),
        mismatches={kind: kinds[kind] for kind in ("values", "cycles", "events")},
        configurations=sum(len(configurations) for _, _, configurations in parts),
        seconds=seconds,
        lines=(*lines, f"{seconds:.0f} s", *map(str, found)),
    )


def _lines(
    plan: CasePlan,
    comparisons: Sequence[Comparison],
    configurations: Sequence[Any],
    kinds: Mapping[str, int],
) -> list[str]:
    """What was compared of one plan."""
    gaps = ", each {0} once exactly and once under random gaps and back-pressure"
    events = sum(one.events for one in comparisons)
    lines = [
        f"{sum(one.cases for one in comparisons)} {plan.work}s on {len(configurations)} engines",
        *plan.summary(configurations),
        f"values: {sum(one.values for one in comparisons):,} outputs against the reference"
        f"{gaps.format(plan.work) if plan.under_gaps else ''}: {kinds['values']} mismatches",
        f"cycles: {sum(one.cycles for one in comparisons):,} RTL cycles against the simulator, "
        f"{plan.work} by {plan.work}: {kinds['cycles']} mismatches",
    ]
    if events:
        lines.append(
            f"events: {events:,} counters against the simulator: {kinds['events']} mismatches"
        )
    return lines
