"""Cycle-exact simulator of the GEMM engine: when each tile loads, streams, drains and is written.

Cycles and every event equal the RTL's counters, for every configuration and shape
(``dovetail verify``); the recurrence itself is in :mod:`dovetail.sim.gemm_kernel`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dovetail.arch.engine import GemmEngineConfig, SpadShape
from dovetail.arch.events import Event
from dovetail.arch.gemm import Descriptor, Gemm, TileMapping, describe
from dovetail.sim.gemm_kernel import LOG_COLUMNS, EngineTiming, Registers, run_gemm
from dovetail.sim.result import GemmResult


def engine_timing(config: GemmEngineConfig) -> EngineTiming:
    """Collect the constants of ``config`` that determine time."""
    nibble_array = int(config.core != "int8")
    return EngineTiming(
        rows=config.rows,
        cols=config.cols,
        drain_cycles=config.drain_cycles,
        result_latency=config.result_latency_cycles,
        dram_latency=config.dram_latency_cycles,
        group_segments=nibble_array,
        nibble_passes=nibble_array,
        **_spad("a", config.activation),
        **_spad("w", config.weight),
        **_spad("s", config.scale),
        row_beats=max(1, config.output_row_bits // config.port_bits),
        beat_rows=max(1, config.port_bits // config.output_row_bits),
    )


def _spad(name: str, shape: SpadShape) -> dict[str, int]:
    return {f"{name}_slices": shape.slices_per_row, f"{name}_beats": shape.beats_per_row}


_NO_LOG = np.zeros((0, LOG_COLUMNS), dtype=np.int64)


class TileTimes(NamedTuple):
    """Columns of :func:`tile_times`; cycles after start."""

    m: int  # first block of the tile along m, along n, and its first group
    n: int
    g: int
    load_weights: int  # commands go out; -1 where the tile's operand is there already
    weights_ready: int
    load_activations: int
    activations_ready: int
    stream: int  # first k enters the array
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
    events = np.zeros(len(Event), dtype=np.int64)
    run_gemm(timing, registers, events, skip, _NO_LOG)
    return GemmResult(
        gemm=gemm,
        mapping=mapping,
        events=dict(zip(Event, events.tolist(), strict=True)),
    )


def run_cycles(timing: EngineTiming, registers: Registers) -> int:
    """Cycles alone, of what was collected once: for searches that try many mappings."""
    events = np.zeros(len(Event), dtype=np.int64)
    run_gemm(timing, registers, events, True, _NO_LOG)
    return int(events[0])  # the vocabulary begins with CYCLE


def tile_times(config: GemmEngineConfig, gemm: Gemm, mapping: TileMapping) -> tuple[TileTimes, ...]:
    """When each tile loads, streams and is written, in the order of the loop nest."""
    descriptor = describe(config, gemm, mapping)
    tiles = 1
    for total, tile in (("m_blocks", "tile_m"), ("n_blocks", "tile_n"), ("groups", "tile_k")):
        tiles *= -(-getattr(descriptor, total) // getattr(descriptor, tile))
    log = np.zeros((tiles, LOG_COLUMNS), dtype=np.int64)
    events = np.zeros(len(Event), dtype=np.int64)
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
        int8=d.int8,
    )
