"""What a simulation returns: cycles, events and the mapping of each distinct GEMM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dovetail.arch.events import STALLS, Event
from dovetail.arch.gemm import Gemm, TileMapping


@dataclass(frozen=True, slots=True, kw_only=True)
class GemmResult:
    """One GEMM on an engine.

    Attributes
    ----------
    gemm : Gemm
    mapping : TileMapping
    events : dict of Event to int
        Every event of the vocabulary, equal to the RTL's counters.
    """

    gemm: Gemm
    mapping: TileMapping
    events: Mapping[Event, int]

    @property
    def cycles(self) -> int:
        return self.events[Event.CYCLE]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpResult:
    """One operator of a trace: ``count`` runs of the same GEMM, one after the other."""

    name: str
    layer: int
    count: int
    result: GemmResult

    @property
    def cycles(self) -> int:
        return self.count * self.result.cycles


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """A whole trace on an engine; operators run one after the other.

    Attributes
    ----------
    ops : tuple of OpResult
        GEMMs in program order.
    events : dict of Event to int
        Totals.
    macs : int
        Useful multiply-accumulates of the network, whatever the passes they took.
    peak_macs_per_cycle : int
        Of the engine, at its PE's own widths.
    """

    ops: tuple[OpResult, ...]
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
