"""The MoE engine: its parts' sizes, and where the maps and weights of one run lie in DRAM."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from pydantic import ConfigDict, model_validator
from pydantic.dataclasses import dataclass as validated

from dovetail.arch.chained import ChainedEngineConfig
from dovetail.arch.engine import PositiveInt
from dovetail.arch.m3vit.block_engine import BlockEngineConfig
from dovetail.arch.m3vit.formats import BIAS, FEATURE, FixedFormat
from dovetail.arch.m3vit.linear_layer import LinearLayer
from dovetail.arch.m3vit.norm import NormDesign
from dovetail.errors import ConfigError

__all__ = ["MoeCall", "MoeEngineConfig", "describe_moe"]


@validated(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))
class MoeEngineConfig(BlockEngineConfig):
    """``x += mixture(norm(x))`` from DRAM to DRAM, expert by expert.

    Attributes
    ----------
    width, hidden : int
        Features of a token, and of an expert's hidden layer.
    experts, top_k : int
    """

    width: PositiveInt
    hidden: PositiveInt
    experts: PositiveInt
    top_k: PositiveInt

    @model_validator(mode="after")
    def _check(self) -> MoeEngineConfig:
        if self.top_k > self.experts:
            raise ValueError(
                f"top_k={self.top_k} must be at most experts={self.experts}; lower top_k"
            )
        self.check_tokens()
        try:
            layers = (self.gate, self.first, self.second)
            maps = [layer.registers for layer in layers]
        except ConfigError as problem:
            raise ValueError(str(problem)) from problem
        _, first, second = maps
        if (
            first.output_tile_beats != second.activation_block_beats
            or second.output_tile_beats != self.token_beats
        ):
            raise ValueError(
                f"width={self.width} and hidden={self.hidden} must fill up to as many columns of "
                f"cols={self.engine.cols} as to rows of {self.engine.activation.row_bits} bits of "
                f"the scratchpad, so that a layer's results are the next one's activations; "
                f"change one of them"
            )
        return self

    @property
    def peak_macs_per_cycle(self) -> int:
        return self.engine.peak_macs_per_cycle

    @property
    def described(self) -> dict[str, str | int]:
        """What tells one engine from another at a glance."""
        return {
            "block": "moe",
            "width": self.width,
            "hidden": self.hidden,
            "experts": self.experts,
            "top_k": self.top_k,
            "max_tokens": self.max_tokens,
        }

    @cached_property
    def linear(self) -> ChainedEngineConfig:
        """The linear engine; a tag says gathered or not, added or not, and of which expert."""
        return replace(self.engine, tag_bits=2 + self.expert_bits)

    @property
    def expert_bits(self) -> int:
        return max(1, (self.experts - 1).bit_length())

    @property
    def norm(self) -> NormDesign:
        return NormDesign(
            width=self.width,
            lanes=self.lanes,
            block=max(self.lanes, self.engine.activation.row_bits // FEATURE.bits),
        )

    @property
    def token_beats(self) -> int:
        return self.norm.token_beats

    def _layer(
        self,
        outputs: int,
        inputs: int,
        *,
        bias: FixedFormat | None = BIAS,
        gelu: bool = False,
    ) -> LinearLayer:
        return LinearLayer(
            engine=self.linear,
            outputs=outputs,
            inputs=inputs,
            most_rows=self.max_tokens,
            tile_rows=self.tile_tokens,
            bias=bias,
            gelu=gelu,
        )

    @cached_property
    def gate(self) -> LinearLayer:
        """From normed features to logits."""
        return self._layer(self.experts, self.width, bias=None)

    @cached_property
    def first(self) -> LinearLayer:
        """An expert's first layer."""
        return self._layer(self.hidden, self.width, gelu=True)

    @cached_property
    def second(self) -> LinearLayer:
        return self._layer(self.width, self.hidden)

    @property
    def logit_beats(self) -> int:
        """From one token's logits to the next one's."""
        return self.gate.registers.output_tile_beats

    @property
    def hidden_beats(self) -> int:
        return self.first.registers.output_tile_beats

    @property
    def first_beats(self) -> int:
        """From an expert's first layer to its second: weights, then biases."""
        return self.first.weight_beats + self.first.bias_beats

    @property
    def expert_beats(self) -> int:
        """From one expert to the next."""
        return self.first_beats + self.second.weight_beats + self.second.bias_beats


@dataclass(frozen=True, slots=True, kw_only=True)
class MoeCall:
    """Run-time registers of the MoE engine.

    Attributes
    ----------
    tokens : int
        From 1 on.
    norm_address : int
        First beat of the norm's scale and shift.
    gate_address : int
        Of the task's gate: all that another task changes.
    expert_address : int
        Of the experts, one behind the other, each with both layers and their biases.
    x_address : int
        Of the map to which the mixture is added.
    normed_address, logit_address, hidden_address : int
        Of the maps between.
    """

    tokens: int
    norm_address: int
    gate_address: int
    expert_address: int
    x_address: int
    normed_address: int
    logit_address: int
    hidden_address: int


def describe_moe(config: MoeEngineConfig, tokens: int, *, task: int = 0, tasks: int = 1) -> MoeCall:
    """Everything one behind the other from address 0: norm, gates, experts, and maps, x first.

    Parameters
    ----------
    config : MoeEngineConfig
    tokens : int
    task, tasks : int
        Which gate is used, and how many lie in memory.

    Raises
    ------
    ConfigError
        Where there are more tokens than the engine takes, or none.
    """
    config.check_call(tokens)
    gates = config.token_beats
    experts = gates + tasks * config.gate.weight_beats
    x = experts + config.experts * config.expert_beats
    normed = x + tokens * config.token_beats
    logits = normed + tokens * config.token_beats
    return MoeCall(
        tokens=tokens,
        norm_address=0,
        gate_address=gates + task * config.gate.weight_beats,
        expert_address=experts,
        x_address=x,
        normed_address=normed,
        logit_address=logits,
        hidden_address=logits + tokens * config.logit_beats,
    )
