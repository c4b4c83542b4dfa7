"""When each step of an M3ViT schedule runs and its weights load, as a trace that Perfetto opens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dovetail.sim.m3vit_schedule import ScheduleResult

TRACKS = ("load ping", "load pong", "load layer", "units", "wait")
"""Threads: loads into either half and of whole layers, what runs, and what it waits for."""


def schedule_timeline(result: ScheduleResult) -> dict[str, Any]:
    """Lay out one image through the encoder.

    Returns
    -------
    dict
        Chrome's trace-event format.  Times are in microseconds at the design's clock; a slice's
        cycles, block, expert (where it has one) and what bounds it are in ``args``.  Slices of one
        thread do not overlap.
    """
    events: list[dict[str, Any]] = [_named("process_name", 0, result.config.name)]
    events += [_named("thread_name", at, name) for at, name in enumerate(TRACKS)]
    per_us = result.design.clock_mhz
    for track, name, begin, end, args in _slices(result):
        events.append(
            {
                "name": name,
                "ph": "X",
                "pid": 0,
                "tid": TRACKS.index(track),
                "ts": begin / per_us,
                "dur": (end - begin) / per_us,
                "args": {"cycles": end - begin, **args},
            }
        )
    about = {"design": result.design.design_id, "clock_mhz": per_us, "cycles": result.cycles}
    return {"displayTimeUnit": "ns", "otherData": about, "traceEvents": events}


def _slices(result: ScheduleResult) -> Iterator[tuple[str, str, int, int, dict[str, Any]]]:
    """Track, name, begin, end and arguments of each slice, in program order."""
    half = before = 0
    rows = zip(
        result.steps,
        result.layers,
        result.experts,
        result.begin.tolist(),
        result.end.tolist(),
        result.loaded.tolist(),
        strict=True,
    )
    for step, layer, expert, begin, end, loaded in rows:
        args: dict[str, Any] = {"block": layer}
        name = step.name
        if expert >= 0:
            args["expert"] = expert
            name = f"{name} {expert}"
        if step.load_cycles:
            whole = step.name == "experts"
            track = "load layer" if whole else ("load ping", "load pong")[half]
            half = half if whole else 1 - half
            about = {**args, "bytes": step.weight_bytes}
            yield track, name, loaded - step.load_cycles, loaded, about
        if begin > before:
            yield "wait", f"weights of {name}", before, begin, args
        yield "units", name, begin, end, {**args, "bound": step.bound, "waits": step.wait_cycles}
        before = end


def _named(kind: str, thread: int, name: str) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "pid": 0, "tid": thread, "args": {"name": name}}
