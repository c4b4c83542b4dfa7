"""When each call of a network loads, computes and drains, as a trace that Perfetto opens."""

from __future__ import annotations

from typing import Any

from dovetail.arch.deform import DeformDesign
from dovetail.arch.events import STALLS, Event
from dovetail.sim.deform_network import NetworkResult

_TRACKS = ("load", "compute", "drain")


def deform_timeline(design: DeformDesign, result: NetworkResult) -> dict[str, Any]:
    """Lay out the calls one after the other, each from the cycle in which it is accepted.

    Parameters
    ----------
    design : DeformDesign
    result : NetworkResult
        Of that design.

    Returns
    -------
    dict
        Chrome's trace-event format.  Times are in microseconds at the engine's clock.  A process is
        an engine.  Its threads are what a call does first (weights, scales and offsets are read),
        then (operands stream, with the cycles of each stall in ``args``), and last (all has
        entered, not all is written).  What the processor does between calls is not in it.
    """
    per_us = design.engine.clock_mhz
    events: list[dict[str, Any]] = []
    numbers = {engine: at for at, engine in enumerate(design.engines, start=1)}
    for engine, process in numbers.items():
        title = f"{engine.core} core, {engine.lanes} lanes, {engine.memory}"
        events.append(_named("process_name", process, 0, title))
        events += [_named("thread_name", process, at, name) for at, name in enumerate(_TRACKS)]
    begin = 0
    for call, one in result.calls:
        counts = one.events
        load, drain = counts[Event.STALL_WEIGHTS], counts[Event.STALL_DRAIN]
        end = begin + one.cycles
        pieces = ((begin, begin + load), (begin + load, end - drain), (end - drain, end))
        stalls = {str(event): int(counts[event]) for event in STALLS if counts[event]}
        for thread, (start, stop) in enumerate(pieces):
            if stop > start:
                events.append(
                    {
                        "name": f"{call.name} of block {call.layer}",
                        "ph": "X",
                        "pid": numbers[call.engine],
                        "tid": thread,
                        "ts": start / per_us,
                        "dur": (stop - start) / per_us,
                        "args": {"cycles": int(stop - start), **(stalls if thread == 1 else {})},
                    }
                )
        begin = end
    about = {"design": design.design_id, "clock_mhz": design.engine.clock_mhz}
    return {"displayTimeUnit": "ns", "otherData": about, "traceEvents": events}


def _named(kind: str, process: int, thread: int, name: str) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "pid": process, "tid": thread, "args": {"name": name}}
