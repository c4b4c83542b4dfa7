"""Random engines and GEMMs for lockstep, each fixed by its seed number alone.

Sizes are mostly the awkward ones: 1, a power of two, one more than a power of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dovetail.arch.cores import CORES, LUT_CORES, M3VIT_CORES, MAX_WEIGHT_BITS, MIXPE_CORES, Core
from dovetail.arch.engine import LEAST_LUT_K, SCALE_BITS, GemmEngineConfig
from dovetail.arch.gemm import SMALLEST_TILE, Gemm, LoopOrder, TileMapping, mapping_problem
from dovetail.lockstep.case import LockstepCase, random_operands
from dovetail.sim.mapping import best_mapping
from dovetail.sim.network import MAPPING_SLACK

# No common factor in the lengths, so that every pair comes.
_ROWS = (4, 8, 1, 9, 16, 2, 5, 3, 17, 8)
_COLS = (4, 1, 9, 8, 5, 2, 16, 17, 3)
_BUILDS_PER_BLOCK = 3
_SEEDS_PER_BLOCK = 24
_LUT_SEEDS_PER_BLOCK = 15
# Units, or rows of FP16 tables, times sums in a full table.
_MOST_SUMS, _MOST_FLOAT_SUMS = 4096, 256
# More than this and a case says little more, but runs long.
_MOST_K = 600
_MOST_BLOCKS = 5


def build_index(seed: int) -> int:
    """Which engine a seed runs on: each block of 24 seeds uses three, from the first seed on."""
    block, place = divmod(seed, _SEEDS_PER_BLOCK)
    return block * _BUILDS_PER_BLOCK + place % _BUILDS_PER_BLOCK


def random_engine(index: int) -> GemmEngineConfig:
    """Engine number ``index`` of MixPE and its baselines.

    Cores alternate, rows and columns cycle through awkward sizes.
    """
    return _random_engine(index, tuple(MIXPE_CORES))


def lut_build_index(seed: int) -> int:
    """Which engine a seed runs on: each block of 15 seeds uses three, from the first seed on."""
    block, place = divmod(seed, _LUT_SEEDS_PER_BLOCK)
    return block * _BUILDS_PER_BLOCK + place % _BUILDS_PER_BLOCK


def random_lut_engine(index: int) -> GemmEngineConfig:
    """Engine number ``index`` of LUT Tensor Core and its baselines, as :func:`random_engine`."""
    return _random_engine(index, tuple(LUT_CORES))


def random_linear_engine(index: int) -> GemmEngineConfig:
    """Engine number ``index`` of M3ViT's linear layers, as :func:`random_engine`."""
    return _random_engine(index, tuple(M3VIT_CORES))


def _random_engine(index: int, cores: Sequence[Core]) -> GemmEngineConfig:
    rng = np.random.default_rng([index, 1])
    # Each core walks through all sizes of its own.
    turn = index // len(cores)
    core = cores[index % len(cores)]
    spec = CORES[core]
    rows, cols = _ROWS[turn % len(_ROWS)], _COLS[turn % len(_COLS)]
    lut_k = 1
    if spec.broadcast:
        lut_k = LEAST_LUT_K + (turn + index) % (spec.most_lut_k - LEAST_LUT_K + 1)
        # Tables double with each k, and adders of FP16 are large; larger arrays only take longer to
        # build.
        most = _MOST_SUMS >> min(lut_k, 8)
        if spec.floating:
            rows, most = min(rows, max(1, _MOST_FLOAT_SUMS >> lut_k)), 8
        while rows * cols > max(4, most):
            rows, cols = (rows // 2, cols) if rows > cols else (rows, cols // 2)
    while True:
        values: dict[str, Any] = {
            "max_group": int(rng.choice([1, 16, 32, 64, 128, 256])),
            "sum_format": str(rng.choice(["fp16", "fp32"])) if spec.floating else "fp32",
            "activation_buffer_bytes": 1 << int(rng.integers(6, 14)),
            "weight_buffer_bytes": 1 << int(rng.integers(6, 14)),
            "scale_buffer_bytes": 1 << int(rng.integers(6, 12)),
            "accumulator_buffer_bytes": int(rng.integers(1, 12) * 2 * 6 * rows * cols),
            "port_bits": 1 << int(rng.integers(3, 11)),
        }
        if spec.broadcast:
            values |= {
                "lut_k": lut_k,
                "max_group": int(rng.choice([8, 32, 64, 128, 256])),
            }
        if spec.unit == "lookup":
            values |= {
                "table": str(rng.choice(["exact", "int8"])),
                "tables": str(rng.choice(["made", "made", "loaded"])),
            }
        if spec.bit_serial:
            values["zero_bits"] = int(rng.choice([4, 8]))
        try:
            return GemmEngineConfig(core=core, rows=rows, cols=cols, **values)
        except ValueError:  # buffers too small for this port: draw again
            continue


def random_case(config: GemmEngineConfig, seed: int, *, repeat: str) -> LockstepCase:
    """A GEMM for ``config`` with its mapping, operands, roundings and DRAM latency."""
    rng = np.random.default_rng([seed, 2])
    latency = int(rng.choice([1, 2, 3, 17, 64]))
    while True:
        gemm = _random_gemm(rng, config)
        mapping = _random_mapping(rng, config, gemm)
        if mapping is not None:
            break
    case = LockstepCase(
        config=config,
        gemm=gemm,
        mapping=mapping,
        operands=random_operands(rng, config.spec, gemm),
        output_shift=_random_output_shift(rng, config, gemm),
        weight_shift=int(rng.integers(0, 16)),
        gap_seed=seed,
        repeat=repeat,
    )
    if config.spec.biased:
        case = replace(case, bias_shift=int(rng.integers(0, 32)), gelu=bool(rng.integers(0, 2)))
    return case.with_latency(latency)


def _random_output_shift(rng: np.random.Generator, config: GemmEngineConfig, gemm: Gemm) -> int:
    """From always saturated to nearly always zero."""
    if config.spec.floating:
        return int(rng.integers(0, 40))
    if config.spec.biased:
        return int(rng.choice([0, 2, 14, 16]))
    scale_bits = SCALE_BITS if gemm.scaled else 0
    zero_bits = int(gemm.weight_format in ("uint4_zero", "zero_point"))
    products = config.spec.activation_bits + gemm.weight_bits + scale_bits + zero_bits - 2
    return int(rng.integers(0, min(47, products + gemm.k.bit_length())))


def _random_gemm(rng: np.random.Generator, config: GemmEngineConfig) -> Gemm:
    formats = config.spec.formats
    most_steps = config.max_group // config.lut_k
    group = config.lut_k << int(rng.integers(0, most_steps.bit_length()))

    def size(unit: int, most: int) -> int:
        awkward = [1, 2, 3, unit - 1, unit, unit + 1, 2 * unit, 2 * unit + 1]
        if rng.random() < 0.5:
            return int(max(1, min(most, rng.choice(awkward))))
        return int(rng.integers(1, most, endpoint=True))

    gemm = Gemm(
        m=size(config.rows, _MOST_BLOCKS * config.rows),
        n=size(config.cols, _MOST_BLOCKS * config.cols),
        k=size(group, min(_MOST_K, 6 * group + 20)),
        group=group,
    )
    weight_format = formats[int(rng.integers(len(formats)))]
    bits = None
    if config.spec.bit_serial and weight_format in config.spec.stored:
        most = config.zero_bits if weight_format == "zero_point" else MAX_WEIGHT_BITS
        bits = int(rng.integers(1, most, endpoint=True))
    return replace(gemm, weight_format=weight_format, bits=bits)


def _random_mapping(
    rng: np.random.Generator, config: GemmEngineConfig, gemm: Gemm
) -> TileMapping | None:
    """A mapping that fits: one in four the best, the others any; None where none was found."""
    if mapping_problem(config, gemm, SMALLEST_TILE):
        return None
    if rng.random() < 0.25:
        return best_mapping(config, gemm, slack=float(rng.choice([0.0, MAPPING_SLACK])))
    orders: tuple[LoopOrder, ...] = ("m_outer", "n_outer")
    for _ in range(20):
        mapping = TileMapping(
            tile_m=int(rng.integers(1, -(-gemm.m // config.rows), endpoint=True)),
            tile_n=int(rng.integers(1, -(-gemm.n // config.cols), endpoint=True)),
            tile_k=int(rng.integers(1, -(-gemm.k // gemm.group), endpoint=True)),
            order=orders[int(rng.integers(2))],
        )
        if not mapping_problem(config, gemm, mapping):
            return mapping
    return SMALLEST_TILE
