"""Cycles and events of the attention engine: its steps one after the other, each exact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dovetail.arch.events import Event
from dovetail.arch.m3vit.attention_engine import LAYERS, AttentionEngineConfig, describe_attention
from dovetail.arch.m3vit.scatter import PLAIN_CYCLES, add_cycles
from dovetail.sim.gemm_chain import Chain, Link, LinkTimes
from dovetail.sim.m3vit_attention import BlockTimes, block_times
from dovetail.sim.m3vit_norm import NormTimes, norm_times

__all__ = ["AttentionResult", "simulate_attention"]

_TURN = 2
"""From a step's last beat written to the first cycle in which the next step's GEMM is offered: it
is not busy any more, and so it is the next one's turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionResult:
    """A run; its clock's cycle 0 is that in which start is accepted.

    Attributes
    ----------
    norm : NormTimes
        By the run's clock.
    layers : dict of str to LinkTimes
        Of each of :data:`~dovetail.arch.m3vit.attention_engine.LAYERS`, by the run's clock.
    products : BlockTimes
        Cycle 0 of their clock is ``products_start + 1`` of the run's.
    products_start : int
    events : dict of Event to int
        Every event of the vocabulary.
    """

    norm: NormTimes
    layers: Mapping[str, LinkTimes]
    products: BlockTimes
    products_start: int
    events: Mapping[Event, int]

    @property
    def cycles(self) -> int:
        return self.events[Event.CYCLE]


def simulate_attention(config: AttentionEngineConfig, tokens: int) -> AttentionResult:
    """Run ``tokens`` tokens.

    Parameters
    ----------
    config : AttentionEngineConfig
    tokens : int

    Raises
    ------
    ConfigError
        As of :func:`~dovetail.arch.m3vit.attention_engine.describe_attention`.
    """
    call = describe_attention(config, tokens)
    latency = config.engine.dram_latency_cycles
    norm = norm_times(config.norm, tokens, latency_cycles=latency)
    chain = Chain(config.engine)
    layers: dict[str, LinkTimes] = {}

    def run(name: str, source: int, target: int, *, offered: int, added: bool = False) -> None:
        place = LAYERS.index(name)
        descriptor = config.layer.at(
            tokens,
            activation_address=source,
            weight_address=call.weight_address + place * config.layer_beats,
            output_address=target,
        )
        layers[name] = chain.add(
            Link(
                descriptor=descriptor,
                offered=offered,
                write_cycles=add_cycles(latency) if added else PLAIN_CYCLES,
            )
        )

    first = norm.cycles + _TURN
    for name in LAYERS[:-1]:
        target: int = getattr(call, f"{name}_address")
        run(name, call.normed_address, target, offered=first)
    # The linear engine is busy up to its last result; then the products start.
    start = layers["value"].landed + 1
    products = block_times(config.attention, tokens, first=latency)
    written = start + products.cycles
    run("output", call.context_address, call.x_address, offered=written + _TURN, added=True)

    gemms = chain.result
    events = dict(gemms.events)
    of_map = tokens * config.token_beats
    cycles = layers["output"].landed
    passed = len(products.key)
    events |= {
        Event.CYCLE: cycles,
        Event.NORM_CYCLE: layers["query"].accepted,
        Event.ATTENTION_CYCLE: cycles - layers["query"].accepted - gemms.cycles,
        Event.NORM_BEAT: of_map,
        Event.QUERY_BEAT: len(products.query),
        Event.KEY_BEAT: passed,
        Event.VALUE_BEAT: len(products.value),
        Event.SCATTER_ADD: of_map,
    }
    # The norm reads its scale and shift and the map, the sums what they are added to.
    events[Event.DRAM_READ] += config.token_beats + 3 * of_map + 2 * passed
    events[Event.DRAM_WRITE] += 2 * of_map
    return AttentionResult(
        norm=norm, layers=layers, products=products, products_start=start, events=events
    )
