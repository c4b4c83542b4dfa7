"""Small engines, GEMMs and mappings for property tests: sizes at which edges and stalls abound."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from hypothesis import assume
from hypothesis import strategies as st

from dovetail.arch.cores import CORES, Core
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.gemm import Gemm, TileMapping, mapping_problem


class Run(NamedTuple):
    config: GemmEngineConfig
    gemm: Gemm
    mapping: TileMapping


@st.composite
def engines(draw: st.DrawFn, cores: Sequence[Core] = tuple(CORES)) -> GemmEngineConfig:
    rows, cols = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    core: Core = draw(st.sampled_from(cores))
    looks_up = core.startswith("lut_")
    try:
        return GemmEngineConfig(
            core=core,
            lut_k=draw(st.integers(2, 8)) if CORES[core].broadcast else 1,
            table=draw(st.sampled_from(["exact", "int8"])) if looks_up else "exact",
            tables=draw(st.sampled_from(["made", "loaded"])) if looks_up else "made",
            zero_bits=draw(st.sampled_from([4, 8])) if CORES[core].bit_serial else 4,
            rows=rows,
            cols=cols,
            max_group=256 if CORES[core].broadcast else 32,
            activation_buffer_bytes=1 << draw(st.integers(5, 11)),
            weight_buffer_bytes=1 << draw(st.integers(5, 11)),
            scale_buffer_bytes=1 << draw(st.integers(5, 9)),
            # Twice 1 to 9 array tiles of accumulators of 6 bytes or a little more.
            accumulator_buffer_bytes=14 * rows * cols * draw(st.integers(1, 9)),
            port_bits=1 << draw(st.integers(3, 9)),
            dram_latency_cycles=draw(st.integers(1, 80)),
        )
    except ValueError:  # no room for two rows of this port's width
        assume(False)
        raise


@st.composite
def gemms(draw: st.DrawFn, config: GemmEngineConfig, *, blocks: int = 6) -> Gemm:
    """At most ``blocks`` blocks along each dimension."""
    group = config.lut_k << draw(st.integers(0, 5))
    weight_format = draw(st.sampled_from(config.spec.formats))
    bits = None
    if weight_format in ("odd", "twos_complement", "zero_point"):
        most = config.zero_bits if weight_format == "zero_point" else 8
        bits = draw(st.integers(1, most))
    return Gemm(
        m=draw(st.integers(1, blocks * config.rows)),
        n=draw(st.integers(1, blocks * config.cols)),
        k=draw(st.integers(1, blocks * group)),
        weight_format=weight_format,
        group=group,
        bits=bits,
    )


def fitting(config: GemmEngineConfig, gemm: Gemm) -> list[TileMapping]:
    """Every mapping that the engine takes, by asking it for each."""
    m_blocks, n_blocks = -(-gemm.m // config.rows), -(-gemm.n // config.cols)
    sizes = product(
        range(1, m_blocks + 1), range(1, n_blocks + 1), range(1, -(-gemm.k // gemm.group) + 1)
    )
    mappings = [
        TileMapping(tile_m=m, tile_n=n, tile_k=k, order=order)
        for m, n, k in sizes
        for order in ("m_outer", "n_outer")
    ]
    return [mapping for mapping in mappings if mapping_problem(config, gemm, mapping) is None]


@st.composite
def runs(draw: st.DrawFn, *, blocks: int = 6, cores: Sequence[Core] = tuple(CORES)) -> Run:
    config = draw(engines(cores))
    gemm = draw(gemms(config, blocks=blocks))
    mappings = fitting(config, gemm)
    assume(mappings)
    return Run(config, gemm, draw(st.sampled_from(mappings)))
