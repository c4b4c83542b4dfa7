"""The attention engine: its parts' sizes, and where the maps of one run lie in DRAM."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pydantic import ConfigDict, model_validator
from pydantic.dataclasses import dataclass as validated

from dovetail.arch.engine import PositiveInt
from dovetail.arch.m3vit.attention import AttentionDesign
from dovetail.arch.m3vit.block_engine import BlockEngineConfig
from dovetail.arch.m3vit.formats import ATTENTION_BIAS, FEATURE
from dovetail.arch.m3vit.linear_layer import LinearLayer
from dovetail.arch.m3vit.norm import NormDesign
from dovetail.errors import ConfigError

__all__ = ["LAYERS", "AttentionCall", "AttentionEngineConfig", "describe_attention"]

LAYERS = ("query", "key", "value", "output")
"""The four linear layers, in the order in which they run and their operands stand."""


@validated(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))
class AttentionEngineConfig(BlockEngineConfig):
    """``x += output(attention(norm(x)))`` from DRAM to DRAM.

    Attributes
    ----------
    heads, head_dim : int
    parallel : int
        Queries held at a time.
    """

    heads: PositiveInt
    head_dim: PositiveInt
    parallel: PositiveInt

    @model_validator(mode="after")
    def _check(self) -> AttentionEngineConfig:
        row = self.engine.activation.row_bits // FEATURE.bits
        if self.width % self.engine.cols or self.width % row:
            raise ValueError(
                f"heads={self.heads} x head_dim={self.head_dim} must be a multiple of cols="
                f"{self.engine.cols} and of the {row} features of a scratchpad row, so that a "
                f"layer's results are the next one's activations; change one of them"
            )
        self.check_tokens()
        try:
            _ = self.attention, self.norm, self.layer.registers
        except ConfigError as problem:
            raise ValueError(str(problem)) from problem
        return self

    @property
    def peak_macs_per_cycle(self) -> int:
        """Of the linear unit and of both products together."""
        return self.engine.peak_macs_per_cycle + 2 * self.parallel * self.lanes

    @property
    def described(self) -> dict[str, str | int]:
        """What tells one engine from another at a glance."""
        return {
            "block": "attention",
            "heads": self.heads,
            "head_dim": self.head_dim,
            "parallel": self.parallel,
            "max_tokens": self.max_tokens,
        }

    @property
    def width(self) -> int:
        return self.heads * self.head_dim

    @property
    def token_beats(self) -> int:
        return self.width // self.lanes

    @property
    def attention(self) -> AttentionDesign:
        return AttentionDesign(
            parallel=self.parallel,
            lanes=self.lanes,
            heads=self.heads,
            head_dim=self.head_dim,
            max_tokens=self.max_tokens,
        )

    @property
    def norm(self) -> NormDesign:
        return NormDesign(width=self.width, lanes=self.lanes, block=self.lanes)

    @cached_property
    def layer(self) -> LinearLayer:
        """Each of :data:`LAYERS`."""
        return LinearLayer(
            engine=self.engine,
            outputs=self.width,
            inputs=self.width,
            most_rows=self.max_tokens,
            tile_rows=self.tile_tokens,
            bias=ATTENTION_BIAS,
        )

    @property
    def layer_beats(self) -> int:
        """From one layer's weights to the next one's."""
        return self.layer.weight_beats + self.layer.bias_beats


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionCall:
    """Run-time registers of the attention engine.

    Attributes
    ----------
    tokens : int
        From 1 on.
    norm_address, weight_address : int
        First beat of the norm's scale and shift, and of the layers' weights, each with its biases
        behind, in the order of :data:`LAYERS`.
    x_address : int
        Of the map to which attention is added.
    normed_address, query_address, key_address, value_address, context_address : int
        Of the maps between; the last may be the first, which is not needed any more.
    """

    tokens: int
    norm_address: int
    weight_address: int
    x_address: int
    normed_address: int
    query_address: int
    key_address: int
    value_address: int
    context_address: int


def describe_attention(config: AttentionEngineConfig, tokens: int) -> AttentionCall:
    """Everything one behind the other from address 0: norm, layers, and all maps, x first.

    Raises
    ------
    ConfigError
        Where there are more tokens than the engine takes, or none.
    """
    config.check_call(tokens)
    weights = config.token_beats
    x = weights + len(LAYERS) * config.layer_beats
    of_map = tokens * config.token_beats
    normed, query, key, value, context = (x + of_map * (place + 1) for place in range(5))
    return AttentionCall(
        tokens=tokens,
        norm_address=0,
        weight_address=weights,
        x_address=x,
        normed_address=normed,
        query_address=query,
        key_address=key,
        value_address=value,
        context_address=context,
    )
