"""Cycles and events of the MoE engine: norm, gate, and a chain of experts' layers, each exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dovetail.arch.events import Event
from dovetail.arch.m3vit.moe_engine import MoeEngineConfig, describe_moe
from dovetail.arch.m3vit.scatter import ADDRESS_CYCLES, PLAIN_CYCLES, add_cycles
from dovetail.errors import ShapeError
from dovetail.sim.gemm_chain import Chain, Link, LinkTimes
from dovetail.sim.m3vit_gate import GateTimes, gate_times
from dovetail.sim.m3vit_norm import NormTimes, norm_times

__all__ = ["ExpertTimes", "MoeResult", "simulate_moe"]

_TURN = 2
"""From a step's last cycle to the first in which the next step's GEMM is offered: it is over in
the next, and so it is the next one's turn; or an expert is looked up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpertTimes:
    """Both layers of one expert on its queue, by the run's clock."""

    expert: int
    tokens: int
    first: LinkTimes
    second: LinkTimes


@dataclass(frozen=True, slots=True, kw_only=True)
class MoeResult:
    """A run; its clock's cycle 0 is that in which start is accepted.

    Attributes
    ----------
    norm : NormTimes
    logits : LinkTimes
        Of the gate's layer.
    gate : GateTimes
        Cycle 0 of its clock is ``gate_start`` of the run's.
    gate_start : int
    experts : tuple of ExpertTimes
        Of those with tokens, ascending.
    events : dict of Event to int
        Every event of the vocabulary.
    """

    norm: NormTimes
    logits: LinkTimes
    gate: GateTimes
    gate_start: int
    experts: tuple[ExpertTimes, ...]
    events: Mapping[Event, int]

    @property
    def cycles(self) -> int:
        return self.events[Event.CYCLE]


def simulate_moe(config: MoeEngineConfig, queues: Sequence[int]) -> MoeResult:
    """Run tokens whose gate gives each expert a queue; nothing else of the data matters to time.

    Parameters
    ----------
    config : MoeEngineConfig
    queues : sequence of int
        Tokens of each expert; together ``top_k`` for each token.

    Raises
    ------
    ShapeError
        Where the queues are not those of ``top_k`` of ``experts`` for any number of tokens.
    ConfigError
        As of :func:`~dovetail.arch.m3vit.moe_engine.describe_moe`.
    """
    tokens = _tokens(config, queues)
    call = describe_moe(config, tokens)
    latency = config.engine.dram_latency_cycles
    norm = norm_times(config.norm, tokens, latency_cycles=latency)
    chain = Chain(config.linear, command_cycles=ADDRESS_CYCLES)
    logits = chain.add(
        Link(
            descriptor=config.gate.at(
                tokens,
                activation_address=call.normed_address,
                weight_address=call.gate_address,
                output_address=call.logit_address,
            ),
            offered=norm.cycles + _TURN,
            write_cycles=PLAIN_CYCLES,
        )
    )
    # The linear engine is busy up to its last result; then the reader starts.
    gate_start = logits.landed + 1
    gate = gate_times(
        tokens=tokens,
        experts=config.experts,
        top_k=config.top_k,
        lanes=config.lanes,
        latency_cycles=latency,
    )
    experts = []
    offered = gate_start + gate.cycles + _TURN
    for expert, length in enumerate(queues):
        if not length:
            continue
        weights = call.expert_address + expert * config.expert_beats
        first = chain.add(
            Link(
                descriptor=config.first.at(
                    length,
                    activation_address=call.normed_address,
                    weight_address=weights,
                    output_address=call.hidden_address,
                ),
                offered=offered,
                gap=_TURN,
                write_cycles=PLAIN_CYCLES,
            )
        )
        second = chain.add(
            Link(
                descriptor=config.second.at(
                    length,
                    activation_address=call.hidden_address,
                    weight_address=weights + config.first_beats,
                    output_address=call.x_address,
                    after_writes=True,
                ),
                write_cycles=add_cycles(latency),
            )
        )
        experts.append(ExpertTimes(expert=expert, tokens=length, first=first, second=second))

    gemms = chain.result
    of_map = tokens * config.token_beats
    chosen = tokens * config.top_k
    cycles = experts[-1].second.landed
    events = dict(gemms.events)
    events |= {
        Event.CYCLE: cycles,
        Event.NORM_CYCLE: logits.accepted,
        Event.GATE_CYCLE: cycles - logits.accepted - gemms.cycles,
        Event.NORM_BEAT: of_map,
        Event.LOGIT: tokens * config.experts,
        Event.CHOICE: chosen,
        Event.EXPERT: len(experts),
        Event.SCATTER_ADD: chosen * config.token_beats,
    }
    # The norm reads its scale and shift and the map, the gate its logits, the sums what they are
    # added to.
    logit_beats = -(-config.experts // config.lanes)
    events[Event.DRAM_READ] += config.token_beats + of_map + tokens * logit_beats
    events[Event.DRAM_READ] += events[Event.SCATTER_ADD]
    events[Event.DRAM_WRITE] += of_map
    return MoeResult(
        norm=norm,
        logits=logits,
        gate=gate,
        gate_start=gate_start,
        experts=tuple(experts),
        events=events,
    )


def _tokens(config: MoeEngineConfig, queues: Sequence[int]) -> int:
    """How many tokens the queues have."""
    if len(queues) != config.experts:
        raise ShapeError(
            f"queues of {len(queues)} experts, and the engine has experts={config.experts}; give "
            f"one length for each"
        )
    tokens, rest = divmod(sum(queues), config.top_k)
    if rest or not tokens or min(queues) < 0 or max(queues) > tokens:
        raise ShapeError(
            f"queues of {sum(queues)} tokens together, the longest {max(queues)}: each token must "
            f"stand in top_k={config.top_k} different ones; change the queues"
        )
    return tokens
