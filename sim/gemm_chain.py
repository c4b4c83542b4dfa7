"""Cycle-exact simulator of the chained GEMM engine: GEMM after GEMM, as its parts go on with each.

Cycles and every event equal the RTL's counters; the recurrence is in
:mod:`dovetail.sim.gemm_kernel`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dovetail.arch.chained import ChainedEngineConfig
from dovetail.arch.descriptor import Descriptor
from dovetail.arch.events import STALLS, Event
from dovetail.sim.gemm_engine import TileTimes, engine_timing, gemm_registers, named, tile_count
from dovetail.sim.gemm_kernel import (
    CHAIN_STATE,
    COUNTED,
    LINK_COLUMNS,
    LOG_COLUMNS,
    run_link,
)

__all__ = ["Chain", "ChainResult", "Link", "LinkTimes", "simulate_chain"]


class LinkTimes(NamedTuple):
    """When the parts of one GEMM happen, in cycles of the chain's clock."""

    accepted: int  # its descriptor
    ask_weights: int  # first command
    weights_loaded: int  # one past the last beat
    ask_activations: int
    activations_loaded: int
    stream: int  # first step enters the array
    streamed: int  # one past the last
    written: int  # the last beat leaves the engine
    landed: int  # and reaches memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One GEMM of a chain.

    Attributes
    ----------
    descriptor : Descriptor
        Of :func:`dovetail.arch.chained.describe_link`.
    offered : int
        Cycle from which its descriptor is offered.
    gap : int
        Cycles from the acceptance of the descriptor before to that from which it is offered.
    write_cycles : int
        From the engine's write beats to their acceptance by memory, one a cycle and in order.
    """

    descriptor: Descriptor
    offered: int = 0
    gap: int = 1
    write_cycles: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainResult:
    """A chain on an engine.

    Attributes
    ----------
    links : tuple of LinkTimes
    events : dict of Event to int
        Every event of the vocabulary, equal to the RTL's counters; ``CYCLE`` are those in which
        the engine is busy.
    """

    links: tuple[LinkTimes, ...]
    events: Mapping[Event, int]

    @property
    def cycles(self) -> int:
        return self.events[Event.CYCLE]


class Chain:
    """An engine's chain so far; :meth:`add` runs one more GEMM.

    Parameters
    ----------
    config : ChainedEngineConfig
    command_cycles : int
        Registers between the engine's commands for activations and memory.
    skip : bool
        Skip stretches that provably repeat.
    """

    def __init__(
        self, config: ChainedEngineConfig, *, command_cycles: int = 0, skip: bool = True
    ) -> None:
        latency = config.dram_latency_cycles + command_cycles
        self._timing = engine_timing(config)._replace(own_port=1, a_latency=latency)
        self._skip = skip
        self._state = np.zeros(CHAIN_STATE, dtype=np.int64)
        self._events = np.zeros(len(COUNTED), dtype=np.int64)
        self._links: list[LinkTimes] = []

    def add(self, link: Link) -> LinkTimes:
        """When the next GEMM's parts happen."""
        return self._run(link, tiles=1, skip=self._skip)[0]

    def tiles(self, link: Link) -> tuple[TileTimes, ...]:
        """As :meth:`add`, but when each of its tiles loads, streams and is written."""
        return self._run(link, tiles=tile_count(link.descriptor), skip=False)[1]

    def _run(
        self, link: Link, *, tiles: int, skip: bool
    ) -> tuple[LinkTimes, tuple[TileTimes, ...]]:
        offered = link.offered
        if self._links:
            offered = max(offered, self._links[-1].accepted + link.gap)
        log = np.zeros((tiles, LOG_COLUMNS), dtype=np.int64)
        times = np.zeros(LINK_COLUMNS, dtype=np.int64)
        run_link(
            self._timing,
            gemm_registers(link.descriptor),
            self._state,
            self._events,
            offered,
            link.descriptor.after_writes,
            link.write_cycles,
            skip,
            log,
            times,
        )
        self._links.append(LinkTimes(*times.tolist()))
        return self._links[-1], tuple(TileTimes(*row) for row in log.tolist())

    @property
    def result(self) -> ChainResult:
        """Of all GEMMs so far."""
        events = named(self._events)
        working = events[Event.STREAM] + sum(events[stall] for stall in STALLS)
        events[Event.STALL_DRAIN] = events[Event.CYCLE] - working
        return ChainResult(links=tuple(self._links), events=events)


def simulate_chain(
    config: ChainedEngineConfig,
    links: Iterable[Link],
    *,
    command_cycles: int = 0,
    skip: bool = True,
) -> ChainResult:
    """Cycles and events of GEMMs that an engine takes one after the other.

    Parameters
    ----------
    config : ChainedEngineConfig
    links : iterable of Link
    command_cycles, skip
        As of :class:`Chain`.
    """
    chain = Chain(config, command_cycles=command_cycles, skip=skip)
    for link in links:
        chain.add(link)
    return chain.result
