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
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from dovetail.arch.technology import Technology
from dovetail.errors import ConfigError, StoreError, ToolError
from dovetail.models.importers import load_workload
from dovetail.models.trace import Trace
from dovetail.provenance import machine_provenance, result_provenance
from dovetail.sweeps import worker
from dovetail.sweeps.axes import Candidate, Sweep
from dovetail.sweeps.evaluate import find_technology
from dovetail.sweeps.store import Store
from dovetail.systems import resolve, system

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
    with _store(sweep, traces, path, resume=resume) as store:
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


def _store(sweep: Sweep, traces: tuple[Trace, ...], path: Path, *, resume: bool) -> Store:
    """Open the store to append to, having checked that it holds this very sweep."""
    # Through JSON, as it will be read back.
    definition = json.loads(json.dumps(sweep.definition()))
    prices = json.loads(json.dumps(_prices(find_technology(sweep.technology))))
    provenance = result_provenance()
    workloads = [_workload_row(at, trace) for at, trace in enumerate(traces)]
    if not (resume and path.exists()):
        meta = {"sweep": definition, "technology": prices, "provenance": provenance}
        return Store.create(path, meta=meta, workloads=workloads)
    store = Store.append(path)
    try:
        held = store.meta("sweep")
        changed = sorted(key for key in definition if held.get(key) != definition[key])
        ids = [row["trace_id"] for row in store.query("SELECT * FROM workloads ORDER BY workload")]
        if not changed and ids != [row["trace_id"] for row in workloads]:
            changed = ["a network"]
        if not changed and store.meta("technology") != prices:
            changed = ["the technology table"]
        if changed:
            raise StoreError(
                f"{path}: holds a sweep that differs from {sweep.name!r} in {', '.join(changed)}; "
                f"undo the change, or name another file with --store"
            )
        if store.meta("provenance") != provenance:
            raise StoreError(
                f"{path}: was begun by other code (source {store.meta('provenance')['source']}, "
                f"this is {provenance['source']}), whose numbers may differ; continue it with "
                f"that code and its packages, or name another file with --store"
            )
    except BaseException:
        store.close()
        raise
    return store


def _prices(table: Technology) -> dict[str, Any]:
    """What the report needs of a technology, each figure with its source."""
    return {
        "name": table.name,
        "title": table.title,
        "notes": list(table.notes),
        "figures": {
            path: {
                "value": figure.range.value,
                "low": figure.range.low,
                "high": figure.range.high,
                "node_nm": figure.node_nm,
                "source": figure.source,
            }
            for path, figure in table.figures().items()
        },
    }


def _workload_row(at: int, trace: Trace) -> dict[str, Any]:
    return {
        "workload": at,
        "network": trace.network,
        "phase": trace.phase,
        "batch": trace.batch,
        "seq": trace.seq,
        "trace_id": trace.trace_id,
        "macs": trace.macs,
        "notes": json.dumps(trace.notes),
        "others": json.dumps([asdict(op) for op in trace.others]),
    }


class _Finisher:
    """Adds to a row what this process knows: the measured error and the limits of the sweep."""

    def __init__(self, sweep: Sweep) -> None:
        entry = system(sweep.system)
        self._sweep = sweep
        self._parse = resolve(entry.design)
        wanted = "error" in sweep.objectives or "error" in sweep.limits
        # Here rather than in the workers, so that the network runs once per format.
        self._error = resolve(entry.error) if wanted else None

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        if row["status"] != "ok":
            return row
        design = self._parse(json.loads(row["design"]), source=f"point {row['point']}")
        if self._error is not None:
            row["error"] = self._error(design)
        for name, limit in self._sweep.limits.items():
            if row[name] > limit:
                reason = f"{name}={row[name]:.6g} exceeds the sweep's limit of {limit:.6g}"
                kept = ("point", "workload", "settings", "design_id", "design")
                return {name: row[name] for name in kept} | {"status": "rejected", "reason": reason}
        return row


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
