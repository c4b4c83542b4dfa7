"""``dovetail verify``: random engines and work in Verilator, against reference and simulator."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dovetail import systems
from dovetail.arch.engine import GemmEngineConfig
from dovetail.lockstep.compare import Comparison, Mismatch, compare
from dovetail.lockstep.random_cases import build_index, random_case, random_engine
from dovetail.lockstep.run import LockstepRun

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
    """

    work: str
    build_index: Callable[[int], int]
    engine: Callable[[int], Any]
    case: Callable[..., LockstepRun]
    summary: Callable[[Sequence[Any]], list[str]]


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
    plan: CasePlan | None = None,
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
    plan : CasePlan, optional
        Of the system; that of the GEMM engine unless given.
    progress : callable
        Called with cases done and in all.
    """
    began = time.perf_counter()
    plan = plan or GEMM_PLAN
    entry = systems.system(system)
    fixed = systems.resolve(entry.preset)(preset).engine if preset else None
    option = f" --preset {preset}" if preset else ""
    numbers: dict[int, list[int]] = {}
    for number in range(seed, seed + seeds):
        # A fixed engine is one build; its cases still share the work among the processes.
        numbers.setdefault(plan.build_index(number), []).append(number)
    most_waves = seeds if waves else 1
    comparisons = []
    done = 0
    progress(0, seeds)
    if fixed is not None:
        # Build once before the processes share it.
        plan.case(fixed, seed, repeat="").build()
    with ProcessPoolExecutor(max_workers=jobs or os.cpu_count()) as pool:
        try:
            waiting = [
                pool.submit(_compare_seeds, plan, system, option, fixed, index, group, most_waves)
                for index, group in numbers.items()
            ]
            for future in as_completed(waiting):
                comparisons.append(future.result())
                done += comparisons[-1].cases
                progress(done, seeds)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    configurations = [fixed] if fixed else [plan.engine(index) for index in numbers]
    return _report(plan, comparisons, configurations, time.perf_counter() - began)


def _compare_seeds(
    plan: CasePlan,
    system: str,
    option: str,
    fixed: Any,
    index: int,
    numbers: Sequence[int],
    most_waves: int,
) -> Comparison:
    config = fixed or plan.engine(index)
    cases = [
        plan.case(
            config,
            number,
            repeat=f"dovetail verify {system}{option} --seeds 1 --seed {number} --waves",
        )
        for number in numbers
    ]
    return compare(cases, waves=WAVES_FOLDER, most_waves=most_waves)


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
    plan: CasePlan,
    comparisons: Sequence[Comparison],
    configurations: Sequence[Any],
    seconds: float,
) -> VerifyReport:
    mismatches: list[Mismatch] = [found for one in comparisons for found in one.mismatches]
    kinds = Counter(found.kind for found in mismatches)
    cases = sum(one.cases for one in comparisons)
    lines = [
        f"{cases} {plan.work}s on {len(configurations)} engines",
        *plan.summary(configurations),
        f"values: {sum(one.values for one in comparisons):,} outputs against the reference, each "
        f"{plan.work} once exactly and once under random gaps and back-pressure: "
        f"{kinds['values']} mismatches",
        f"cycles: {sum(one.cycles for one in comparisons):,} RTL cycles against the simulator, "
        f"{plan.work} by {plan.work}: {kinds['cycles']} mismatches",
        f"events: {sum(one.events for one in comparisons):,} counters against the simulator: "
        f"{kinds['events']} mismatches",
        f"{seconds:.0f} s",
        *(str(found) for found in mismatches),
    ]
    return VerifyReport(
        compared=cases,
        mismatches={kind: kinds[kind] for kind in ("values", "cycles", "events")},
        configurations=len(configurations),
        seconds=seconds,
        lines=tuple(lines),
    )
