"""When each tile of a run loads, streams and is written, as a trace that Perfetto opens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from dovetail.arch.descriptor import describe
from dovetail.arch.events import Event
from dovetail.arch.lut import LutDesign
from dovetail.arch.mixpe import MixpeDesign
from dovetail.sim.gemm_engine import TileTimes, tile_count, tile_times
from dovetail.sim.result import GemmResult, RunResult

MOST_TILES = 2000  # of one GEMM; its later tiles repeat what these show
_TRACKS = ("load weights", "load activations", "array", "stall", "write")


class _Slice(NamedTuple):
    track: str
    name: str
    begin: int  # cycles after start
    end: int
    args: dict[str, int]


def timeline(design: MixpeDesign | LutDesign, result: RunResult) -> dict[str, Any]:
    """Lay out the tiles of each distinct GEMM of a run.

    Parameters
    ----------
    design : MixpeDesign or LutDesign
    result : RunResult
        Of that design; its mappings are taken.

    Returns
    -------
    dict
        Chrome's trace-event format.  Times are in microseconds at the engine's clock, and every
        slice has its cycles in ``args``.  A process is a distinct GEMM, named after the first
        operator that runs it and how often the network does, and begins at 0, the cycle in which
        its start is accepted.  A thread is a part of the engine: the read port's data for weights
        (with scales) and for activations, the array, what the array waits for between tiles, and
        write-back; slices of one thread do not overlap.  Of a GEMM of more than ``MOST_TILES``
        tiles only the first are shown, and its name says so.
    """
    runs: Counter[int] = Counter()
    first: dict[int, str] = {}
    results: dict[int, GemmResult] = {}
    for op in result.ops:
        # Operators that run the same GEMM share its result.
        key = id(op.result)
        runs[key] += op.count
        first.setdefault(key, op.name)
        results.setdefault(key, op.result)

    clock_mhz = design.engine.clock_mhz
    events: list[dict[str, Any]] = []
    for process, (key, one) in enumerate(results.items(), start=1):
        tiles = tile_times(design.engine, one.gemm, one.mapping, most=MOST_TILES)
        count = tile_count(describe(design.engine, one.gemm, one.mapping))
        name = f"{first[key]} {one.gemm.m} x {one.gemm.n} x {one.gemm.k}, count {runs[key]}"
        if count > len(tiles):
            name += f", first {len(tiles)} of {count} tiles"
        events.append(_named("process_name", process, 0, name))
        events.append(
            {
                "name": "process_labels",
                "ph": "M",
                "pid": process,
                "tid": 0,
                "args": {
                    "labels": f"{one.cycles} cycles, tile {one.mapping.tile_m} x "
                    f"{one.mapping.tile_n} x {one.mapping.tile_k}, {one.mapping.order}"
                },
            }
        )
        events += [_named("thread_name", process, at, name) for at, name in enumerate(_TRACKS)]
        shown = list(_slices(tiles))
        if count == len(tiles):
            # The last beat is accepted in cycle CYCLE, which ends one later.
            shown.append(_stall(Event.STALL_DRAIN, tiles[-1].streamed, one.cycles + 1))
        events += [
            {
                "name": piece.name,
                "ph": "X",
                "pid": process,
                "tid": _TRACKS.index(piece.track),
                "ts": piece.begin / clock_mhz,
                "dur": (piece.end - piece.begin) / clock_mhz,
                "args": {"cycles": piece.end - piece.begin, **piece.args},
            }
            for piece in shown
        ]
    about = {
        "design": design.design_id,
        "clock_mhz": clock_mhz,
        "most_tiles_of_one_gemm": MOST_TILES,
    }
    return {"displayTimeUnit": "ns", "otherData": about, "traceEvents": events}


def _slices(tiles: tuple[TileTimes, ...]) -> Iterator[_Slice]:
    """Slices of each tile, in the order of the tiles."""
    free = 1  # the array works from the cycle after start on
    for tile in tiles:
        name = f"tile m{tile.m} n{tile.n} g{tile.g}"
        for track, command, beats, ready in (
            ("load weights", tile.load_weights, tile.weight_beats, tile.weights_ready),
            (
                "load activations",
                tile.load_activations,
                tile.activation_beats,
                tile.activations_ready,
            ),
        ):
            if beats:
                yield _Slice(track, name, ready - beats, ready, {"command_cycle": command})
        for cause, until in (
            (Event.STALL_WEIGHTS, tile.weights_ready),
            (Event.STALL_ACTIVATIONS, tile.activations_ready),
            (Event.STALL_OUTPUT, tile.output_free),
            (Event.STALL_DEQUANT, tile.stream),
        ):
            if until > free:
                yield _stall(cause, free, until)
                free = until
        args = {"stream_cycles": tile.stream_cycles}
        yield _Slice("array", name, tile.stream, tile.streamed, args)
        free = tile.streamed
        if tile.write >= 0:
            yield _Slice("write", name, tile.write, tile.written, {})


def _stall(cause: Event, begin: int, end: int) -> _Slice:
    return _Slice("stall", cause.value, begin, end, {})


def _named(kind: str, process: int, thread: int, name: str) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "pid": process, "tid": thread, "args": {"name": name}}
