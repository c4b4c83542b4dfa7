"""GEMM engines that run chains of GEMMs: design points, and registers of one GEMM of a chain."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from dovetail.arch.cores import Core
from dovetail.arch.descriptor import Descriptor, describe
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.gemm import Gemm, TileMapping
from dovetail.errors import ConfigError

__all__ = ["WAITING_DESCRIPTORS", "ChainedEngineConfig", "describe_link"]

WAITING_DESCRIPTORS = 2
"""GEMMs that each part of a chained engine holds: the one it works on, and the next."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))
class ChainedEngineConfig(GemmEngineConfig):
    """An engine that takes the next GEMMs' registers while one runs, with a port for weights.

    Each row of a GEMM is a block of its own, so results can lie in DRAM row by row, in the layout
    of the activations that a next GEMM reads.

    Attributes
    ----------
    tag_bits : int
        Bits of a register that commands and results of a GEMM carry for whoever places the engine.
    """

    core: Core = "linear_w16a32"
    rows: Annotated[int, Field(gt=0, le=1)] = 1
    tag_bits: Annotated[int, Field(gt=0, le=64)] = 1

    @model_validator(mode="after")
    def _check_chain(self) -> ChainedEngineConfig:
        if not self.spec.biased:
            raise ValueError(f"core={self.core} does not run chains; set it to linear_w16a32")
        if self.port_bits > self.output_row_bits:
            raise ValueError(
                f"port_bits={self.port_bits} must be at most the {self.output_row_bits} bits of a "
                f"row of results; use a narrower port or more columns"
            )
        return self

    @property
    def chained(self) -> bool:
        return True

    @property
    def row_beats(self) -> int:
        """Beats of ``cols`` results of a row."""
        return self.output_row_bits // self.port_bits


def describe_link(
    config: ChainedEngineConfig,
    gemm: Gemm,
    mapping: TileMapping,
    *,
    activation_address: int,
    weight_address: int,
    scale_address: int = 0,
    output_address: int,
    output_shift: int = 0,
    bias_shift: int = 0,
    gelu: bool = False,
    after_writes: bool = False,
    tag: int = 0,
) -> Descriptor:
    """Registers of one GEMM of a chain, whose results lie row by row.

    A row of results starts where the one before ends, filled up to a whole number of ``cols``.

    Parameters
    ----------
    config : ChainedEngineConfig
    gemm, mapping
    activation_address, weight_address, scale_address, output_address : int
        First beat of each operand; biases are the scales.
    output_shift, bias_shift, gelu
        As of :func:`dovetail.arch.descriptor.describe`.
    after_writes : bool
        Activations are read only after all results of the GEMMs before have landed.
    tag : int
        Up to ``tag_bits`` bits.

    Raises
    ------
    ConfigError
    """
    if not 0 <= tag < 1 << config.tag_bits:
        raise ConfigError(
            f"tag={tag} must be from 0 to {(1 << config.tag_bits) - 1}; change tag or tag_bits"
        )
    found = describe(
        config,
        gemm,
        mapping,
        output_shift=output_shift,
        bias_shift=bias_shift,
        gelu=gelu,
    )
    row = found.n_blocks * config.row_beats
    return replace(
        found,
        output_tile_beats=row,
        output_column_beats=config.row_beats,
        output_tile_m_beats=mapping.tile_m * row,
        output_tile_n_beats=mapping.tile_n * config.row_beats,
        activation_address=activation_address,
        weight_address=weight_address,
        scale_address=scale_address,
        output_address=output_address,
        after_writes=int(after_writes),
        tag=tag,
    )
