"""The best tile sizes and loop order of a GEMM on an engine, by exhaustive search."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from dovetail.arch.descriptor import describe
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.gemm import SMALLEST_TILE, Gemm, TileMapping, mapping_problem
from dovetail.errors import ConfigError
from dovetail.sim.gemm_engine import engine_timing, gemm_registers, run_cycles
from dovetail.sim.mapping_kernel import Limits, k_tiles, next_by_bound, next_by_reads

_HUGE = int(np.iinfo(np.int64).max)


def best_mapping(config: GemmEngineConfig, gemm: Gemm, *, slack: float = 0.0) -> TileMapping:
    """The mapping with the fewest cycles, or one that is nearly as fast and reads less.

    Every combination of tile sizes and loop order that fits the scratchpads is considered; bounds
    spare simulating those that cannot win.  Results are remembered.

    Parameters
    ----------
    config : GemmEngineConfig
    gemm : Gemm
    slack : float
        Of all mappings within ``1 + slack`` times the fewest cycles, take that which reads the
        fewest DRAM beats; of equal ones the fastest.  At 0 a compute-bound GEMM gets the smallest
        tiles, which save a few cycles of the first load and read their operands many times over.

    Raises
    ------
    ConfigError
        Where the group is longer than the engine's maximum or not even one block of each operand
        fits.
    """
    # The clock does not change cycles, so designs that differ only in it share a search.
    if not 0 <= slack <= 1:
        raise ConfigError(f"slack={slack} must be from 0 to 1; 0.01 allows one percent more cycles")
    return _search(replace(config, clock_mhz=500.0), gemm, slack)


@lru_cache(maxsize=65536)
def _search(config: GemmEngineConfig, gemm: Gemm, slack: float) -> TileMapping:
    problem = mapping_problem(config, gemm, SMALLEST_TILE)
    if problem:
        raise ConfigError(f"{gemm} fits in no tile: {problem}")
    timing = engine_timing(config)
    registers = gemm_registers(describe(config, gemm, SMALLEST_TILE))
    limits, table = mapping_limits(config), k_tiles(timing, registers)

    def cycles_of(tile_m: int, tile_n: int, tile_k: int, n_outer: int) -> int:
        mapped = registers._replace(tile_m=tile_m, tile_n=tile_n, tile_k=tile_k, n_outer=n_outer)
        return run_cycles(timing, mapped)

    # The fewest cycles of all, by rising bounds, until the bound reaches the fewest so far.
    fewest = _HUGE
    after = np.zeros(2, dtype=np.int64)
    while True:
        found = next_by_bound(timing, registers, limits, table, fewest, after)
        bound, _, *mapping = found.tolist()
        if not bound:
            break
        fewest = min(fewest, cycles_of(*mapping))
        after = found[:2]

    # Of those that are fast enough, by rising reads, which are exact, the first and its equals.
    limit = int(fewest * (1 + slack))
    best: list[int] = []
    best_read = best_cycles = _HUGE
    after = np.zeros(3, dtype=np.int64)
    while True:
        found = next_by_reads(timing, registers, limits, table, limit, after)
        read, bound, _, *mapping = found.tolist()
        if not bound or read > best_read or bound >= best_cycles:
            break
        cycles = cycles_of(*mapping)
        if cycles <= limit and cycles < best_cycles:
            best, best_read, best_cycles = mapping, read, cycles
        after = found[:3]
    tile_m, tile_n, tile_k, n_outer = best
    return TileMapping(
        tile_m=tile_m,
        tile_n=tile_n,
        tile_k=tile_k,
        order="n_outer" if n_outer else "m_outer",
    )


def mapping_limits(config: GemmEngineConfig) -> Limits:
    """What :func:`dovetail.arch.gemm.mapping_problem` compares a tile with."""
    return Limits(
        a_half=config.activation.half_rows,
        w_half=config.weight.half_rows,
        s_half=config.scale.half_rows,
        o_tiles=config.accumulator_half_tiles,
    )
