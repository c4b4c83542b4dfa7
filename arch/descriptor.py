"""The engine's run-time registers for one GEMM.

``describe`` is the contract between the three descriptions: the simulator and the RTL both start
from its :class:`Descriptor`, and :mod:`dovetail.models.gemm_layout` packs operands by it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.gemm import (
    PLANE_FORMATS,
    Gemm,
    TileMapping,
    group_steps,
    mapping_problem,
    planes,
    steps,
    weight_slices,
)
from dovetail.arch.spad import SpadShape
from dovetail.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """Run-time registers of the engine for one GEMM; every field is a non-negative integer.

    Blocks are ``rows`` rows of activations or ``cols`` output channels.  Operands lie in DRAM as
    rows of the scratchpad that receives them (``SpadShape.row_bits``), one block after the other;
    results as array tiles, row blocks fastest.

    Attributes
    ----------
    m_blocks, n_blocks, groups : int
        Size of the iteration space.
    rows_last, cols_last, k : int
        Valid rows and columns of the last blocks, and the reduction length in steps.
    tile_m, tile_n, tile_k : int
        Tile in blocks and groups.
    group_log2, n_outer, unscaled, signed : int
        Group length in steps, loop order, weights without group scales, and whether INT4 weights
        are symmetric.
    planes, levels : int
        Bit planes of a weight that follow each other, 1 where the core is not bit-serial; and what
        its codes stand for: 0 ``odd``, 1 ``twos_complement``, 2 ``zero_point``.
    output_shift : int
        Right shift of the accumulator when it is rounded to 16 bits, 0 to 47; a floating-point one
        is divided by that power of two.  Where results of 32 bits are truncated, 0 to 16.
    weight_shift : int
        Right shift of weight x scale where weights are dequantised before the product, 0 to 15.
    activation_block_beats, weight_block_beats, scale_block_beats, output_tile_beats : int
        Beats of one whole block (of one array tile of results) in DRAM.
    activation_tile_beats, weight_tile_beats, scale_tile_beats : int
        From one tile of blocks to the next.
    output_column_beats, output_tile_m_beats, output_tile_n_beats : int
        From one column of array tiles to the next, and from one tile to the next along m and n.
    activation_address, weight_address, scale_address, output_address : int
        First beat of each operand.
    bias_shift, gelu : int
        Left shift of a bias before it is added, 0 to 31, and whether results pass GELU; only of
        engines whose core adds biases.
    after_writes, tag : int
        Read activations only after all results of earlier GEMMs have landed; and what commands and
        results carry along.  Only of engines that run chains, where results lie row by row:
        ``output_tile_beats`` is then a whole row, ``output_column_beats`` a block's part of it.
    """

    m_blocks: int
    n_blocks: int
    groups: int
    rows_last: int
    cols_last: int
    k: int
    tile_m: int
    tile_n: int
    tile_k: int
    group_log2: int
    n_outer: int
    unscaled: int
    signed: int
    planes: int
    levels: int
    output_shift: int
    weight_shift: int
    activation_block_beats: int
    weight_block_beats: int
    scale_block_beats: int
    output_tile_beats: int
    activation_tile_beats: int
    weight_tile_beats: int
    scale_tile_beats: int
    output_column_beats: int
    output_tile_m_beats: int
    output_tile_n_beats: int
    activation_address: int
    weight_address: int
    scale_address: int
    output_address: int
    bias_shift: int = 0
    gelu: int = 0
    after_writes: int = 0
    tag: int = 0


def _levels(config: GemmEngineConfig, gemm: Gemm) -> int:
    """The register that says what codes of a bit-serial core stand for; 0 for other cores."""
    if not config.spec.bit_serial:
        return 0
    return PLANE_FORMATS.index("twos_complement" if not gemm.scaled else gemm.weight_format)


def register_names(config: GemmEngineConfig) -> tuple[str, ...]:
    """Fields of :class:`Descriptor` that the engine of ``config`` has as registers."""
    absent: set[str] = set()
    if not config.spec.biased:
        absent |= {"bias_shift", "gelu"}
    if not config.chained:
        absent |= {"after_writes", "tag"}
    return tuple(field.name for field in fields(Descriptor) if field.name not in absent)


def registers(config: GemmEngineConfig, descriptor: Descriptor) -> dict[str, int]:
    """Values of an engine's registers, by name."""
    return {name: getattr(descriptor, name) for name in register_names(config)}


def describe(
    config: GemmEngineConfig,
    gemm: Gemm,
    mapping: TileMapping,
    *,
    output_shift: int = 0,
    weight_shift: int = 0,
    bias_shift: int = 0,
    gelu: bool = False,
) -> Descriptor:
    """Fill the engine's registers, with the operands one after the other from address 0.

    Raises
    ------
    ConfigError
        Where the group is longer than the engine's maximum or the tile does not fit.
    """
    if gemm.group > config.max_group:
        raise ConfigError(
            f"group={gemm.group} exceeds the engine's max_group={config.max_group}; "
            f"use a shorter group or build a larger engine"
        )
    problem = mapping_problem(config, gemm, mapping)
    if problem:
        raise ConfigError(problem)
    most_shift = config.accumulator_bits - config.spec.output_bits if config.spec.biased else 47
    if not 0 <= output_shift <= most_shift:
        raise ConfigError(
            f"output_shift={output_shift} must be from 0 to {most_shift}; change output_shift"
        )
    if (bias_shift or gelu) and not config.spec.biased:
        raise ConfigError(
            f"core={config.core} adds no bias and has no GELU; remove bias_shift and gelu"
        )
    if not 0 <= bias_shift < 32:
        raise ConfigError(f"bias_shift={bias_shift} must be from 0 to 31; change bias_shift")
    if not 0 <= weight_shift < 16:
        raise ConfigError(f"weight_shift={weight_shift} must be from 0 to 15; change weight_shift")
    m_blocks, n_blocks = -(-gemm.m // config.rows), -(-gemm.n // config.cols)
    groups = -(-gemm.k // gemm.group)

    def block_beats(spad: SpadShape, slices: int) -> int:
        return spad.rows(0, slices) * spad.beats_per_row

    total = steps(config, gemm)
    activation = block_beats(config.activation, total)
    weight = block_beats(config.weight, total * weight_slices(config, gemm))
    scale = block_beats(config.scale, groups) if gemm.scaled else 0
    output = -(-config.rows * config.output_row_bits // config.port_bits)
    weight_address = m_blocks * activation
    scale_address = weight_address + n_blocks * weight
    output_address = scale_address + n_blocks * scale
    return Descriptor(
        m_blocks=m_blocks,
        n_blocks=n_blocks,
        groups=groups,
        rows_last=gemm.m - (m_blocks - 1) * config.rows,
        cols_last=gemm.n - (n_blocks - 1) * config.cols,
        k=total,
        tile_m=mapping.tile_m,
        tile_n=mapping.tile_n,
        tile_k=mapping.tile_k,
        group_log2=group_steps(config, gemm).bit_length() - 1,
        n_outer=int(mapping.order == "n_outer"),
        unscaled=int(not gemm.scaled),
        signed=int(gemm.weight_format == "int4"),
        planes=planes(config, gemm),
        levels=_levels(config, gemm),
        output_shift=output_shift,
        weight_shift=weight_shift,
        activation_block_beats=activation,
        weight_block_beats=weight,
        scale_block_beats=scale,
        output_tile_beats=output,
        activation_tile_beats=mapping.tile_m * activation,
        weight_tile_beats=mapping.tile_n * weight,
        scale_tile_beats=mapping.tile_n * scale,
        output_column_beats=m_blocks * output,
        output_tile_m_beats=mapping.tile_m * output,
        output_tile_n_beats=mapping.tile_n * m_blocks * output,
        activation_address=0,
        weight_address=weight_address,
        scale_address=scale_address,
        output_address=output_address,
        bias_shift=bias_shift,
        gelu=int(gelu),
    )
