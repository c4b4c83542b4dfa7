"""What a worker process of a sweep does: evaluate chunks of points until its parent ends."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dovetail.arch.technology import Technology
from dovetail.errors import ConfigError
from dovetail.models.trace import Trace
from dovetail.sim.result import NetworkRun
from dovetail.sweeps.axes import Candidate
from dovetail.sweeps.evaluate import evaluate, evaluation_row, find_technology, run_row
from dovetail.sweeps.measures import Measures
from dovetail.systems import System, part, resolve


@dataclass(frozen=True)
class Context:
    """What all points of a sweep share; sent to each worker once."""

    system: System
    technology: str | None
    traces: tuple[Trace, ...]
    reject: str | None


@dataclass(frozen=True)
class _Loaded:
    context: Context
    technology: Technology | None
    parse: Callable[..., Any]
    reject: Callable[[Any], str | None] | None
    measures: Measures | None


_loaded: list[_Loaded] = []  # one in each worker, filled by start()


def start(context: Context) -> None:
    """Prepare this worker process."""
    # Ctrl-C reaches the whole process group; the parent alone decides what to do about it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        # A parent that is killed cannot tell its workers, which would wait for work for ever.
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _loaded[:] = [
        _Loaded(
            context,
            find_technology(context.technology) if context.technology else None,
            resolve(context.system.design),
            resolve(context.reject) if context.reject else None,
            resolve(context.system.measures) if context.system.measures else None,
        )
    ]


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


def work(candidates: Sequence[Candidate]) -> list[dict[str, Any]]:
    """Rows of a chunk of points, in a worker that was started."""
    return [_row(candidate, _loaded[0]) for candidate in candidates]


def _evaluated(design: Any, trace: Trace, loaded: _Loaded) -> tuple[NetworkRun, dict[str, Any]]:
    """A point's simulation and its columns, with prices where the sweep has some."""
    system = loaded.context.system
    if loaded.technology is None:
        result: NetworkRun = part(system, "simulate")(design, trace)
        return result, run_row(result, clock_mhz=design.engine.clock_mhz)
    evaluation = evaluate(design, trace, system=system, technology=loaded.technology)
    return evaluation.result, evaluation_row(evaluation)


def _row(candidate: Candidate, loaded: _Loaded) -> dict[str, Any]:
    row = {
        "point": candidate.point,
        "workload": candidate.workload,
        "settings": json.dumps(candidate.settings),
    }
    try:
        design = loaded.parse(candidate.design, source=f"point {candidate.point}")
        row |= {"design_id": design.design_id, "design": json.dumps(design.to_dict())}
        reason = loaded.reject(design) if loaded.reject else None
        if reason:
            return row | {"status": "rejected", "reason": reason}
        trace = loaded.context.traces[candidate.workload]
        result, columns = _evaluated(design, trace, loaded)
        own = loaded.measures.of(design, trace, result) if loaded.measures else {}
        return row | {"status": "ok", "measures": json.dumps(own)} | columns
    except ConfigError as error:
        return row | {"status": "rejected", "reason": str(error)}
    except Exception as error:  # one bad point must not end a sweep of thousands
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return row | {"status": "failed", "reason": reason}
