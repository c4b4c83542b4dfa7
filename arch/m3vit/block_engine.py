"""What the engines of M3ViT's blocks have in common: a linear engine, ports and tokens."""

from __future__ import annotations

from pydantic import ConfigDict, model_validator
from pydantic.dataclasses import dataclass

from dovetail.arch.chained import ChainedEngineConfig
from dovetail.arch.engine import PositiveInt
from dovetail.arch.m3vit.formats import FEATURE
from dovetail.arch.spad import is_power_of_two, power_of_two
from dovetail.errors import ConfigError

__all__ = ["BlockEngineConfig"]

_BEAT_BITS = 21  # of a count of beats in a read command


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))
class BlockEngineConfig:
    """Base of an engine that runs a block of the encoder from DRAM to DRAM.

    Attributes
    ----------
    engine : ChainedEngineConfig
        For the linear layers; its port is that of all parts, and its DRAM latency that of all
        ports.
    max_tokens : int
    tile_tokens : int
        Tokens that the linear layers take at a time.
    sum_queue : int
        Results that wait for what they are added to; more than the DRAM latency, or they hold
        others back.
    """

    engine: ChainedEngineConfig
    max_tokens: PositiveInt
    tile_tokens: PositiveInt
    sum_queue: PositiveInt = 128

    @model_validator(mode="after")
    def _check_block(self) -> BlockEngineConfig:
        if self.port_bits % FEATURE.bits:
            raise ValueError(
                f"port_bits={self.port_bits} must be a whole number of features of "
                f"{FEATURE.bits} bits; change port_bits"
            )
        if self.engine.cols != self.engine.cols_padded:
            raise ValueError(
                f"cols={self.engine.cols} must be a power of two from 2 on; set it to "
                f"{self.engine.cols_padded}"
            )
        if not is_power_of_two(self.engine.lut_k):
            raise ValueError(
                f"lut_k={self.engine.lut_k} must be a power of two, so that steps of activations "
                f"lie without a gap; set it to {power_of_two(self.engine.lut_k)}"
            )
        if self.engine.dram_latency_cycles >= self.sum_queue:
            raise ValueError(
                f"sum_queue={self.sum_queue} must be above dram_latency_cycles="
                f"{self.engine.dram_latency_cycles}; raise it"
            )
        return self

    def check_tokens(self) -> None:
        """Refuse more tokens than one read command can name; of use once all else is checked."""
        if self.max_tokens * self.token_beats >= 1 << _BEAT_BITS:
            raise ValueError(
                f"max_tokens={self.max_tokens} of {self.token_beats} beats each must be below "
                f"2^{_BEAT_BITS} beats; lower max_tokens"
            )

    def check_call(self, tokens: int) -> None:
        """Refuse a run of none, or of more tokens than the engine takes: ConfigError."""
        if not 1 <= tokens <= self.max_tokens:
            raise ConfigError(
                f"tokens={tokens} must be from 1 to max_tokens={self.max_tokens}; change one of "
                f"them"
            )

    @property
    def port_bits(self) -> int:
        return self.engine.port_bits

    @property
    def clock_mhz(self) -> float:
        return self.engine.clock_mhz

    @property
    def lanes(self) -> int:
        """Features of a beat."""
        return self.port_bits // FEATURE.bits

    @property
    def token_beats(self) -> int:
        """From one token of the map to the next."""
        raise NotImplementedError
