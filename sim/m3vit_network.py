"""An M3ViT encoder's blocks on an engine that computes them, one after the other, exactly."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dovetail.arch.events import Event
from dovetail.arch.m3vit.attention_engine import AttentionEngineConfig
from dovetail.arch.m3vit.design import M3vitDesign
from dovetail.arch.m3vit.moe_engine import MoeEngineConfig
from dovetail.errors import ConfigError
from dovetail.models.m3vit.config import LAYERS, M3vitConfig
from dovetail.models.networks.m3vit_trace import config_of, routing_of
from dovetail.models.trace import Trace
from dovetail.sim.m3vit_attention_engine import simulate_attention
from dovetail.sim.m3vit_moe_engine import simulate_moe
from dovetail.sim.result import Totals

_OTHERS = {
    "attention": ("attention_", "softmax", "q_proj_", "k_proj_", "v_proj_", "o_proj_"),
    "mixture": ("ffn_", "gate_", "expert_"),
}
"""How a trace names what a half does beside its GEMMs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfRun:
    """One run of the engine, as :class:`dovetail.sim.result.OneRun`."""

    shape: Mapping[str, Any]
    macs: int
    events: Mapping[Event, int]

    @property
    def key(self) -> Hashable:
        return tuple(self.shape.items())

    @property
    def cycles(self) -> int:
        return self.events[Event.CYCLE]


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfOperator:
    """A run under its block's number."""

    name: str
    layer: int
    result: HalfRun
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderResult(Totals):
    """What of an encoder an engine computes; the rest of the network is not in it.

    Attributes
    ----------
    ops : tuple of HalfOperator
        Runs of the engine, by block.
    events : dict of Event to int
        Totals.
    macs : int
        Useful multiply-accumulates of these runs.
    other_operations : int
        Of norms, softmax, GELU, biases and sums of these runs.
    peak_macs_per_cycle : int
        Of all units of the engine together.
    """

    ops: tuple[HalfOperator, ...]
    events: Mapping[Event, int]
    macs: int
    other_operations: int
    peak_macs_per_cycle: int

    @property
    def runs(self) -> int:
        """Of the engine."""
        return len(self.ops)


def simulate_encoder(design: M3vitDesign, trace: Trace) -> EncoderResult:
    """Cycles and events of that half of all blocks which the design computes.

    Parameters
    ----------
    design : M3vitDesign
    trace : Trace

    Raises
    ------
    TraceError
        Where the network is no M3ViT.
    ConfigError
        Where its tokens, heads or experts are not those of the engine.
    """
    network = config_of(trace)
    engine = design.engine
    ops = (
        _mixtures(engine, trace, network)
        if isinstance(engine, MoeEngineConfig)
        else _attentions(engine, trace, network)
    )
    return EncoderResult(
        ops=tuple(ops),
        events={event: sum(op.result.events[event] for op in ops) for event in Event},
        macs=sum(op.result.macs for op in ops),
        other_operations=_other_operations(trace, ops),
        peak_macs_per_cycle=engine.peak_macs_per_cycle,
    )


def _other_operations(trace: Trace, ops: Sequence[HalfOperator]) -> int:
    """What these runs do beside their MACs, by the trace's own count."""
    runs = {(op.name, op.layer) for op in ops}
    return sum(
        other.operations
        for other in trace.others
        for half, names in _OTHERS.items()
        if (half, other.layer) in runs and other.name.startswith(names)
    )


def _attentions(
    engine: AttentionEngineConfig, trace: Trace, network: M3vitConfig
) -> list[HalfOperator]:
    """Every block has as many tokens, and time does not depend on data, so all take as long."""
    if (network.heads, network.head_dim) != (engine.heads, engine.head_dim):
        raise ConfigError(
            f"{trace.network} has {network.heads} heads of {network.head_dim}, and the engine "
            f"heads={engine.heads} of head_dim={engine.head_dim}; change the engine's"
        )
    tokens = network.tokens
    run = HalfRun(
        shape={
            "tokens": tokens,
            "width": engine.width,
            "part": f"{engine.heads} heads of {engine.head_dim}",
        },
        macs=tokens * engine.width * (4 * engine.width + 2 * tokens),
        events=simulate_attention(engine, tokens).events,
    )
    return [HalfOperator(name="attention", layer=layer, result=run) for layer in range(LAYERS)]


def _mixtures(engine: MoeEngineConfig, trace: Trace, network: M3vitConfig) -> list[HalfOperator]:
    """Each with the queues that its gate makes."""
    for field, value in (
        ("width", network.hidden),
        ("hidden", network.expert_hidden),
        ("experts", network.experts),
        ("top_k", network.top_k),
    ):
        if getattr(engine, field) != value:
            raise ConfigError(
                f"{trace.network} has {field}={value}, and the engine {field}="
                f"{getattr(engine, field)}; change the engine's"
            )
    of_token = engine.width * (engine.experts + 2 * engine.top_k * engine.hidden)
    ops = []
    for layer, routing in sorted(routing_of(trace).items()):
        queues = routing.lengths.tolist()
        run = HalfRun(
            shape={
                "tokens": network.tokens,
                "width": engine.width,
                "part": f"{engine.top_k} of {engine.experts} experts",
                "queues": " ".join(map(str, queues)),
            },
            macs=network.tokens * of_token,
            events=simulate_moe(engine, queues).events,
        )
        ops.append(HalfOperator(name="mixture", layer=layer, result=run))
    return ops
