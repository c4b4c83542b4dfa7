"""``dovetail verify``: random engines and GEMMs in Verilator, against reference and simulator."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from dovetail import systems
from dovetail.arch.engine import GemmEngineConfig
from dovetail.lockstep.compare import Comparison, Mismatch, compare
from dovetail.lockstep.random_cases import build_index, random_case, random_engine

WAVES_FOLDER = Path("dovetail-waves")


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
    progress : callable
        Called with cases done and in all.
    """
    began = time.perf_counter()
    entry = systems.system(system)
    fixed = systems.resolve(entry.preset)(preset).engine if preset else None
    option = f" --preset {preset}" if preset else ""
    numbers: dict[int, list[int]] = {}
    for number in range(seed, seed + seeds):
        # A fixed engine is one build; its cases still share the work among the processes.
        numbers.setdefault(build_index(number), []).append(number)
    most_waves = seeds if waves else 1
    comparisons = []
    done = 0
    progress(0, seeds)
    if fixed is not None:
        _prepare(fixed)
    with ProcessPoolExecutor(max_workers=jobs or os.cpu_count()) as pool:
        try:
            waiting = [
                pool.submit(_compare_seeds, system, option, fixed, index, group, most_waves)
                for index, group in numbers.items()
            ]
            for future in as_completed(waiting):
                comparisons.append(future.result())
                done += comparisons[-1].cases
                progress(done, seeds)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    configurations = [fixed] if fixed else [random_engine(index) for index in numbers]
    return _report(comparisons, configurations, time.perf_counter() - began)


def _prepare(config: GemmEngineConfig) -> None:
    """Build once before the processes share it."""
    from dovetail.rtl.verilator import build

    build(config)


def _compare_seeds(
    system: str,
    option: str,
    fixed: GemmEngineConfig | None,
    index: int,
    numbers: Sequence[int],
    most_waves: int,
) -> Comparison:
    config = fixed or random_engine(index)
    cases = [
        random_case(
            config,
            number,
            repeat=f"dovetail verify {system}{option} --seeds 1 --seed {number} --waves",
        )
        for number in numbers
    ]
    return compare(cases, waves=WAVES_FOLDER, most_waves=most_waves)


def _report(
    comparisons: Sequence[Comparison], configurations: Sequence[GemmEngineConfig], seconds: float
) -> VerifyReport:
    mismatches: list[Mismatch] = [found for one in comparisons for found in one.mismatches]
    kinds = Counter(found.kind for found in mismatches)
    cores = sorted({config.core for config in configurations})
    cases = sum(one.cases for one in comparisons)

    def span(core: str, name: str) -> str:
        sizes = {getattr(config, name) for config in configurations if config.core == core}
        return ", ".join(str(size) for size in sorted(sizes))

    lines = [
        f"{cases} GEMMs on {len(configurations)} engines",
        *(
            f"{core}: {sum(config.core == core for config in configurations)} engines; rows "
            f"{span(core, 'rows')}; cols {span(core, 'cols')}; port bits {span(core, 'port_bits')}"
            for core in cores
        ),
        f"values: {sum(one.values for one in comparisons):,} outputs against the reference, each "
        f"GEMM once exactly and once under random gaps and back-pressure: "
        f"{kinds['values']} mismatches",
        f"cycles: {sum(one.cycles for one in comparisons):,} RTL cycles against the simulator, "
        f"GEMM by GEMM: {kinds['cycles']} mismatches",
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
