"""Cycle-exact simulator of the GEMM engine: when each tile loads, streams, drains and is written.

Cycles and every event equal the RTL's counters, for every configuration and shape
(``dovetail verify``); the recurrence itself is in :mod:`dovetail.sim.gemm_kernel`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.descriptor import Descriptor, describe
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.events import Event
from dovetail.arch.gemm import Gemm, TileMapping
from dovetail.arch.spad import SpadShape
from dovetail.sim.gemm_kernel import COUNTED, LOG_COLUMNS, EngineTiming, Registers, run_gemm
from dovetail.sim.result import GemmResult


def engine_timing(config: GemmEngineConfig) -> EngineTiming:
    """Collect the constants of ``config`` that determine time."""
    spec = config.spec
    return EngineTiming(
        rows=config.rows,
        cols=config.cols,
        drain_cycles=config.drain_cycles,
        result_latency=config.result_latency_cycles,
        dram_latency=config.dram_latency_cycles,
        own_port=0,
        a_latency=config.dram_latency_cycles,
        group_segments=int(spec.group_segments),
        nibble_passes=int(spec.nibble_passes),
        unscaled_slices=config.weight_slices,
        after_group=int(spec.after_group),
        group_sums=int(spec.group_sums),
        head_dequant=int(spec.dequantise == "column_head"),
        makes_tables=int(config.makes_tables),
        **_spad("a", config.activation),
        **_spad("w", config.weight),
        **_spad("s", config.scale),
        row_beats=max(1, config.output_row_bits // config.port_bits),
        beat_rows=max(1, config.port_bits // config.output_row_bits),
        output_cycles=spec.output_cycles,
    )


def _spad(name: str, shape: SpadShape) -> dict[str, int]:
    return {f"{name}_slices": shape.slices_per_row, f"{name}_beats": shape.beats_per_row}


_NO_LOG = np.zeros((0, LOG_COLUMNS), dtype=np.int64)


class TileTimes(NamedTuple):
    """Columns of :func:`tile_times`; cycles after start, unless told otherwise."""

    m: int  # first block of the tile along m, along n, and its first group
    n: int
    g: int
    load_weights: int  # first command goes out; -1 where the tile's operand is there already
    weight_beats: int  # how many beats arrive, weights and scales, up to the cycle before ready
    weights_ready: int
    load_activations: int
    activation_beats: int
    activations_ready: int
    output_free: int  # its half of the accumulators; -1 where the tile adds to what is there
    stream: int  # first k enters the array
    stream_cycles: int  # how many cycles k enter in; between them the drain chain may be waited for
    streamed: int  # one past the last
    write: int  # write-back starts; -1 where the output tile is not complete
    written: int


def simulate_gemm(
    config: GemmEngineConfig, gemm: Gemm, mapping: TileMapping, *, skip: bool = True
) -> GemmResult:
    """Cycles and events of one GEMM under a given mapping.

    Parameters
    ----------
    config : GemmEngineConfig
    gemm : Gemm
    mapping : TileMapping
    skip : bool
        Skip stretches that provably repeat.  False runs every tile: the same result, slower.

    Raises
    ------
    ConfigError
        Where the mapping or the group does not fit the engine.
    """
    timing = engine_timing(config)
    registers = gemm_registers(describe(config, gemm, mapping))
    events = np.zeros(len(COUNTED), dtype=np.int64)
    run_gemm(timing, registers, events, skip, _NO_LOG)
    return GemmResult(
        gemm=gemm,
        mapping=mapping,
        events=named(events),
    )


def named(events: NDArray[np.int64]) -> dict[Event, int]:
    """The kernel's event vector by event; what it does not count is 0."""
    return dict.fromkeys(Event, 0) | dict(zip(COUNTED, events.tolist(), strict=True))


def run_cycles(timing: EngineTiming, registers: Registers) -> int:
    """Cycles alone, of what was collected once: for searches that try many mappings."""
    events = np.zeros(len(COUNTED), dtype=np.int64)
    run_gemm(timing, registers, events, True, _NO_LOG)
    return int(events[COUNTED.index(Event.CYCLE)])


def tile_count(descriptor: Descriptor) -> int:
    """Tiles in the loop nest."""
    tiles = 1
    for total, tile in (("m_blocks", "tile_m"), ("n_blocks", "tile_n"), ("groups", "tile_k")):
        tiles *= -(-getattr(descriptor, total) // getattr(descriptor, tile))
    return tiles


def tile_times(
    config: GemmEngineConfig, gemm: Gemm, mapping: TileMapping, *, most: int | None = None
) -> tuple[TileTimes, ...]:
    """When each tile loads, streams and is written, in the order of the loop nest.

    Parameters
    ----------
    config : GemmEngineConfig
    gemm : Gemm
    mapping : TileMapping
    most : int, optional
        Only the first so many tiles.
    """
    descriptor = describe(config, gemm, mapping)
    tiles = tile_count(descriptor)
    shown = tiles if most is None else min(tiles, most)
    log = np.zeros((shown, LOG_COLUMNS), dtype=np.int64)
    events = np.zeros(len(COUNTED), dtype=np.int64)
    run_gemm(engine_timing(config), gemm_registers(descriptor), events, False, log)
    return tuple(TileTimes(*row) for row in log.tolist())


def gemm_registers(d: Descriptor) -> Registers:
    """The part of a descriptor that determines time."""
    return Registers(
        m_blocks=d.m_blocks,
        n_blocks=d.n_blocks,
        groups=d.groups,
        rows_last=d.rows_last,
        cols_last=d.cols_last,
        k=d.k,
        tile_m=d.tile_m,
        tile_n=d.tile_n,
        tile_k=d.tile_k,
        group=1 << d.group_log2,
        n_outer=d.n_outer,
        unscaled=d.unscaled,
        planes=d.planes,
    )
