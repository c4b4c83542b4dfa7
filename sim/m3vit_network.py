"""An M3ViT encoder's blocks on an engine that computes them, one after the other, exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dovetail.arch.events import STALLS, Event
from dovetail.arch.m3vit.design import M3vitDesign
from dovetail.errors import ConfigError
from dovetail.models.m3vit.config import LAYERS
from dovetail.models.networks.m3vit_trace import config_of
from dovetail.models.trace import Trace
from dovetail.sim.m3vit_attention_engine import simulate_attention


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
    """Cycles and events of the attention halves of all blocks.

    Every block has as many tokens, and time does not depend on data, so all take as long.

    Parameters
    ----------
    design : M3vitDesign
    trace : Trace

    Raises
    ------
    TraceError
        Where the network is no M3ViT.
    ConfigError
        Where its tokens or heads are not those of the engine.
    """
    engine = design.engine
    network = config_of(trace)
    if (network.heads, network.head_dim) != (engine.heads, engine.head_dim):
        raise ConfigError(
            f"{trace.network} has {network.heads} heads of {network.head_dim}, and the engine "
            f"heads={engine.heads} of head_dim={engine.head_dim}; change the engine's"
        )
    run = simulate_attention(engine, network.tokens)
    layers = 4 * network.tokens * engine.width**2
    products = 2 * network.tokens**2 * engine.width
    return EncoderResult(
        runs=LAYERS,
        events={event: LAYERS * count for event, count in run.events.items()},
        macs=LAYERS * (layers + products),
        peak_macs_per_cycle=engine.peak_macs_per_cycle,
    )
