"""An M3ViT encoder's blocks on an engine that computes them, one after the other, exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dovetail.arch.events import STALLS, Event
from dovetail.arch.m3vit.attention_engine import AttentionEngineConfig
from dovetail.arch.m3vit.design import M3vitDesign
from dovetail.arch.m3vit.moe_engine import MoeEngineConfig
from dovetail.errors import ConfigError
from dovetail.models.m3vit.config import LAYERS, M3vitConfig
from dovetail.models.networks.m3vit_trace import config_of, routing_of
from dovetail.models.trace import Trace
from dovetail.sim.m3vit_attention_engine import simulate_attention
from dovetail.sim.m3vit_moe_engine import simulate_moe


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderResult:
    """What of an encoder an engine computes; the rest of the network is not in it.

    Attributes
    ----------
    runs : int
        Of the engine.
    events : dict of Event to int
        Totals.
    macs : int
        Useful multiply-accumulates of these runs.
    peak_macs_per_cycle : int
        Of all units of the engine together.
    """

    runs: int
    events: Mapping[Event, int]
    macs: int
    peak_macs_per_cycle: int

    @property
    def cycles(self) -> int:
        return self.events[Event.CYCLE]

    @property
    def stall_cycles(self) -> int:
        return sum(self.events[event] for event in STALLS)

    @property
    def utilization(self) -> float:
        """Useful MACs / (peak x cycles)."""
        return self.macs / (self.peak_macs_per_cycle * self.cycles)


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
    runs = (
        _mixtures(engine, trace, network)
        if isinstance(engine, MoeEngineConfig)
        else _attentions(engine, trace, network)
    )
    return EncoderResult(
        runs=len(runs),
        events={event: sum(run[event] for run in runs) for event in Event},
        macs=_macs(engine, network, len(runs)),
        peak_macs_per_cycle=engine.peak_macs_per_cycle,
    )


def _attentions(
    engine: AttentionEngineConfig, trace: Trace, network: M3vitConfig
) -> list[Mapping[Event, int]]:
    """Every block has as many tokens, and time does not depend on data, so all take as long."""
    if (network.heads, network.head_dim) != (engine.heads, engine.head_dim):
        raise ConfigError(
            f"{trace.network} has {network.heads} heads of {network.head_dim}, and the engine "
            f"heads={engine.heads} of head_dim={engine.head_dim}; change the engine's"
        )
    return [simulate_attention(engine, network.tokens).events] * LAYERS


def _mixtures(
    engine: MoeEngineConfig, trace: Trace, network: M3vitConfig
) -> list[Mapping[Event, int]]:
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
    return [
        simulate_moe(engine, routing.lengths.tolist()).events
        for _, routing in sorted(routing_of(trace).items())
    ]


def _macs(engine: AttentionEngineConfig | MoeEngineConfig, network: M3vitConfig, runs: int) -> int:
    """Useful ones of so many runs."""
    if isinstance(engine, MoeEngineConfig):
        of_token = engine.width * (engine.experts + 2 * engine.top_k * engine.hidden)
    else:
        of_token = engine.width * (4 * engine.width + 2 * network.tokens)
    return runs * network.tokens * of_token
