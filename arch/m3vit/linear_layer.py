"""A linear layer of fixed size on a chained engine: registers and operands but for the tokens."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from dovetail.arch.chained import ChainedEngineConfig, describe_link
from dovetail.arch.descriptor import Descriptor
from dovetail.arch.gemm import Gemm, TileMapping
from dovetail.arch.m3vit.formats import BIAS, FEATURE, WEIGHT, FixedFormat

__all__ = ["LinearLayer"]


@dataclass(frozen=True, kw_only=True)
class LinearLayer:
    """``outputs`` sums over ``inputs`` features each, of up to ``most_rows`` tokens.

    All weights are loaded at once, and stay while the tokens pass ``tile_rows`` at a time.

    Attributes
    ----------
    engine : ChainedEngineConfig
    outputs, inputs, most_rows, tile_rows : int
    bias : FixedFormat, optional
        None where there is no bias.
    gelu : bool
    """

    engine: ChainedEngineConfig
    outputs: int
    inputs: int
    most_rows: int
    tile_rows: int
    bias: FixedFormat | None = BIAS
    gelu: bool = False

    @property
    def group(self) -> int:
        return self.engine.max_group

    @cached_property
    def registers(self) -> Descriptor:
        """Of ``most_rows`` rows at addresses 0; ``m_blocks`` alone says how many there are.

        Raises
        ------
        ConfigError
            Where the layer does not fit the engine's buffers.
        """
        gemm = Gemm(
            m=self.most_rows,
            n=self.outputs,
            k=self.inputs,
            weight_format="int16" if self.bias is None else "int16_bias",
            group=self.group,
        )
        mapping = TileMapping(
            tile_m=self.tile_rows,
            tile_n=-(-self.outputs // self.engine.cols),
            tile_k=-(-self.inputs // self.group),
        )
        return describe_link(
            self.engine,
            gemm,
            mapping,
            activation_address=0,
            weight_address=0,
            output_address=0,
            output_shift=WEIGHT.fraction_bits,
            bias_shift=self._bias_shift,
            gelu=self.gelu,
        )

    @property
    def _bias_shift(self) -> int:
        if self.bias is None:
            return 0
        return FEATURE.fraction_bits + WEIGHT.fraction_bits - self.bias.fraction_bits

    @property
    def weight_beats(self) -> int:
        registers = self.registers
        return registers.n_blocks * registers.weight_block_beats

    @property
    def bias_beats(self) -> int:
        registers = self.registers
        return registers.n_blocks * registers.scale_block_beats

    def at(
        self,
        rows: int,
        *,
        activation_address: int,
        weight_address: int,
        output_address: int,
        after_writes: bool = False,
        tag: int = 0,
    ) -> Descriptor:
        """Registers of one run on ``rows`` tokens; biases stand behind the weights."""
        return replace(
            self.registers,
            m_blocks=rows,
            activation_address=activation_address,
            weight_address=weight_address,
            scale_address=weight_address + self.weight_beats,
            output_address=output_address,
            after_writes=int(after_writes),
            tag=tag,
        )
