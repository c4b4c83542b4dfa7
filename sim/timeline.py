"""When each tile of a run loads, streams and is written, as a trace that Perfetto opens."""

from __future__ import annotations

from typing import Any

from dovetail.arch.mixpe import MixpeDesign
from dovetail.sim.gemm_engine import tile_times
from dovetail.sim.result import RunResult

MOST_TILES = 2000  # of one GEMM; its later tiles repeat what these show
_TRACKS = (
    ("load weights", "load_weights", "weights_ready"),
    ("load activations", "load_activations", "activations_ready"),
    ("array", "stream", "streamed"),
    ("write", "write", "written"),
)


def timeline(design: MixpeDesign, result: RunResult) -> dict[str, Any]:
    """Lay out the tiles of each distinct GEMM of a run.

    Parameters
    ----------
    design : MixpeDesign
    result : RunResult
        Of that design; its mappings are taken.

    Returns
    -------
    dict
        Chrome's trace-event format, in microseconds at the engine's clock: a process for each
        distinct GEMM, named after the first operator that runs it and starting at 0, and a thread
        for each part of the engine.  At most ``MOST_TILES`` tiles of a GEMM.
    """
    events: list[dict[str, Any]] = []
    seen = set()
    for op in result.ops:
        gemm, mapping = op.result.gemm, op.result.mapping
        if (gemm, mapping) in seen:
            continue
        seen.add((gemm, mapping))
        process = len(seen)
        times = tile_times(design.engine, gemm, mapping)
        name = f"{op.name} {gemm.m} x {gemm.n} x {gemm.k}"
        if len(times) > MOST_TILES:
            name += f", first {MOST_TILES} of {len(times)} tiles"
        events.append(_named("process_name", process, 0, name))
        for thread, (track, begin, end) in enumerate(_TRACKS):
            events.append(_named("thread_name", process, thread, track))
            for tile in times[:MOST_TILES]:
                first, last = getattr(tile, begin), getattr(tile, end)
                if first >= 0:  # -1: nothing to load, or nothing to write yet
                    events.append(
                        {
                            "name": f"m {tile.m} n {tile.n} group {tile.g}",
                            "ph": "X",
                            "pid": process,
                            "tid": thread,
                            "ts": first / design.engine.clock_mhz,
                            "dur": (last - first) / design.engine.clock_mhz,
                        }
                    )
    return {"displayTimeUnit": "ns", "traceEvents": events}


def _named(kind: str, process: int, thread: int, name: str) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "pid": process, "tid": thread, "args": {"name": name}}
