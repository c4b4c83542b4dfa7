"""The best tile sizes and loop order of a GEMM on an engine, by exhaustive search."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.gemm import (
    SMALLEST_TILE,
    Gemm,
    TileMapping,
    describe,
    mapping_problem,
    tile_rows,
)
from dovetail.errors import ConfigError
from dovetail.sim.gemm_engine import engine_timing, gemm_registers
from dovetail.sim.gemm_kernel import Candidates, search_mapping


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
    registers = gemm_registers(describe(config, gemm, SMALLEST_TILE))
    found = search_mapping(engine_timing(config), registers, candidates(config, gemm), slack)
    tile_m, tile_n, tile_k, n_outer, _ = found.tolist()
    return TileMapping(
        tile_m=tile_m,
        tile_n=tile_n,
        tile_k=tile_k,
        order="n_outer" if n_outer else "m_outer",
    )


def candidates(config: GemmEngineConfig, gemm: Gemm) -> Candidates:
    """The limits that :func:`dovetail.arch.gemm.mapping_problem` states, as the kernel's tables."""
    groups = -(-gemm.k // gemm.group)
    int8 = gemm.weight_format == "int8"
    a_rows, w_rows, s_rows = (np.zeros(groups + 1, dtype=np.int64) for _ in range(3))
    activation, weight, scale = config.activation, config.weight, config.scale
    for tile_k in range(1, groups + 1):
        tile = tile_k * gemm.group
        a_rows[tile_k] = tile_rows(activation, tile=tile, total=gemm.k)
        w_rows[tile_k] = tile_rows(weight, tile=tile, total=gemm.k, slices=1 + int8)
        if not int8:
            s_rows[tile_k] = tile_rows(scale, tile=tile_k, total=groups)
    return Candidates(
        a_rows=a_rows,
        w_rows=w_rows,
        s_rows=s_rows,
        a_half=activation.half_rows,
        w_half=weight.half_rows,
        s_half=scale.half_rows,
        o_tiles=config.accumulator_half_tiles,
    )
