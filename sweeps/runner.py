"""Run a sweep into a store: workers evaluate, this process alone writes."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from dovetail.errors import ConfigError, ToolError
from dovetail.models.importers import load_workload
from dovetail.models.trace import Trace
from dovetail.provenance import machine_provenance
from dovetail.sweeps import worker
from dovetail.sweeps.axes import Candidate, Sweep
from dovetail.sweeps.sweep_store import open_store
from dovetail.systems import part, resolve, system

CHUNK = 16  # points: long enough to hide the transport, short enough to stop within a second

Progress = Callable[[int, int], None]
"""Called with the points done and their total."""


@dataclass(frozen=True, kw_only=True)
class SweepSummary:
    """What one run of a sweep did.

    Attributes
    ----------
    store : Path
    points, rejected, failed : int
        Of the whole store.
    evaluated : int
        Points that this run added.
    seconds : float
        Wall-clock time of this run.
    """

    store: Path
    points: int
    rejected: int
    failed: int
    evaluated: int
    seconds: float

    @property
    def points_per_second(self) -> float:
        return self.evaluated / self.seconds


def load_traces(sweep: Sweep) -> tuple[Trace, ...]:
    """Traces of the sweep's workloads, in its order."""
    return tuple(
        load_workload(w.network, phase=w.phase, batch=w.batch, seq=w.seq) for w in sweep.workloads
    )


def run_sweep(
    sweep: Sweep,
    path: Path,
    *,
    resume: bool = False,
    jobs: int | None = None,
    progress: Progress = lambda done, total: None,
) -> SweepSummary:
    """Evaluate every point of ``sweep`` that the store at ``path`` lacks.

    The table is the same whatever the number of jobs, and however often the run was killed and
    resumed.

    Parameters
    ----------
    sweep : Sweep
    path : Path
        The store; made where it is missing.
    resume : bool
        Continue a store that exists.
    jobs : int, optional
        Worker processes; as many as there are processors unless given.
    progress : callable
        Called now and then with the points done and their total.
    """
    jobs = (os.cpu_count() or 1) if jobs is None else jobs
    if jobs < 1:
        raise ConfigError(f"jobs={jobs} must be at least 1; set it to the number of processors")
    traces = load_traces(sweep)
    began, started = time.perf_counter(), datetime.now(UTC).isoformat(timespec="seconds")
    with open_store(sweep, traces, path, resume=resume) as store:
        done = bytearray(len(sweep))
        for row in store.query("SELECT point FROM points"):
            done[row["point"]] = 1
        before = finished = sum(done)
        progress(finished, len(sweep))
        finish = _Finisher(sweep)
        context = worker.Context(system(sweep.system), sweep.technology, traces, sweep.reject)
        missing = (sweep.candidate(point) for point in range(len(sweep)) if not done[point])
        try:
            with contextlib.closing(_evaluated(_chunks(missing), context, jobs)) as evaluated:
                for rows in evaluated:
                    store.add_points([finish(row) for row in rows])
                    finished += len(rows)
                    progress(finished, len(sweep))
        finally:
            store.add_run(
                {
                    "started": started,
                    "seconds": time.perf_counter() - began,
                    "points": finished - before,
                    "jobs": jobs,
                    "provenance": json.dumps(machine_provenance()),
                }
            )
        return SweepSummary(
            store=path,
            points=store.count("ok"),
            rejected=store.count("rejected"),
            failed=store.count("failed"),
            evaluated=finished - before,
            seconds=time.perf_counter() - began,
        )


class _Finisher:
    """Adds to a row what this process knows: the measured error and the limits of the sweep."""

    def __init__(self, sweep: Sweep) -> None:
        entry = system(sweep.system)
        self._sweep = sweep
        self._parse = resolve(entry.design)
        # Here rather than in the workers, so that the network runs once per format.
        self._missing = resolve(entry.measures).missing if entry.measures else "leave it out"
        self._error = part(entry, "error") if sweep.measures_error else None

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Finish a row; what goes wrong becomes its reason, so that no row of a chunk is lost."""
        if row["status"] != "ok":
            return row
        try:
            return self._finished(row)
        except ConfigError as error:
            return _without_result(row, "rejected", str(error))
        except Exception as error:  # one bad point must not end a sweep of thousands
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            return _without_result(row, "failed", reason)

    def _finished(self, row: dict[str, Any]) -> dict[str, Any]:
        design = self._parse(json.loads(row["design"]), source=f"point {row['point']}")
        if self._error is not None:
            row["error"] = self._error(design)
        values = row | json.loads(row["measures"])
        for name in (*self._sweep.objectives, *self._sweep.limits):
            if values.get(name) is None:
                raise ConfigError(f"{name} is not known of this design: {self._missing}")
        for name, limit in self._sweep.limits.items():
            if values[name] > limit:
                reason = f"{name}={values[name]:.6g} exceeds the sweep's limit of {limit:.6g}"
                return _without_result(row, "rejected", reason)
        return row


def _without_result(row: dict[str, Any], status: str, reason: str) -> dict[str, Any]:
    kept = ("point", "workload", "settings", "design_id", "design")
    return {name: row[name] for name in kept} | {"status": status, "reason": reason}


def _chunks(candidates: Iterable[Candidate]) -> Iterator[list[Candidate]]:
    source = iter(candidates)
    while chunk := list(islice(source, CHUNK)):
        yield chunk


def _evaluated(
    chunks: Iterator[list[Candidate]], context: worker.Context, jobs: int
) -> Generator[list[dict[str, Any]], None, None]:
    """Rows of each chunk, as they are ready; at most a few chunks wait in memory."""
    # Fresh processes: a fork would copy the threads' locks of Numba and of the progress bar.
    pool = ProcessPoolExecutor(
        jobs, multiprocessing.get_context("spawn"), initializer=worker.start, initargs=(context,)
    )
    waiting: set[Future[list[dict[str, Any]]]] = set()
    try:
        for chunk in islice(chunks, jobs + 2):
            waiting.add(pool.submit(worker.work, chunk))
        while waiting:
            ready, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in ready:
                for chunk in islice(chunks, 1):
                    waiting.add(pool.submit(worker.work, chunk))
                yield future.result()
    except BrokenProcessPool:
        raise ToolError(
            "a worker process ended before its time (out of memory?); what was stored is kept: "
            "continue with --resume and fewer --jobs"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)
