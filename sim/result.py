"""What a simulation returns: cycles, events and the mapping of each distinct GEMM."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from dovetail.arch.events import STALLS, Event
from dovetail.arch.gemm import Gemm, TileMapping


class OneRun(Protocol):
    """A GEMM, or a call of an engine, as a store keeps it."""

    @property
    def key(self) -> Hashable:
        """Equal for runs that are the same in all that is kept."""

    @property
    def shape(self) -> Mapping[str, Any]:
        """What was run and how, as plain data."""

    @property
    def macs(self) -> int: ...
    @property
    def cycles(self) -> int: ...
    @property
    def events(self) -> Mapping[Event, int]: ...


class Operator(Protocol):
    """``count`` equal runs, one after the other; ``layer`` is -1 outside the layers."""

    @property
    def name(self) -> str: ...
    @property
    def layer(self) -> int: ...
    @property
    def count(self) -> int: ...
    @property
    def result(self) -> OneRun: ...


class NetworkRun(Protocol):
    """What the simulation of a network returns, whatever the system."""

    @property
    def ops(self) -> Sequence[Operator]: ...
    @property
    def events(self) -> Mapping[Event, int]: ...
    @property
    def macs(self) -> int: ...
    @property
    def peak_macs_per_cycle(self) -> int: ...
    @property
    def cycles(self) -> int: ...
    @property
    def stall_cycles(self) -> int: ...
    @property
    def utilization(self) -> float: ...
    @property
    def other_operations(self) -> int:
        """Operations of the trace that are no MACs and whose time is in ``cycles``."""

    @property
    def found(self) -> Mapping[str, Any]:
        """What the simulation searched for, as arguments that spare the next one the search."""


class Totals:
    """What follows from the events and MACs of a :class:`NetworkRun`; a base of such results."""

    __slots__ = ()
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

    @property
    def other_operations(self) -> int:
        """None, unless a system times more than its MACs."""
        return 0

    @property
    def found(self) -> Mapping[str, Any]:
        """Nothing, unless a simulation searches."""
        return {}


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

    @property
    def key(self) -> Hashable:
        return self.gemm, self.mapping

    @property
    def shape(self) -> Mapping[str, Any]:
        return asdict(self.gemm) | asdict(self.mapping)

    @property
    def macs(self) -> int:
        return self.gemm.macs


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
class RunResult(Totals):
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
    def found(self) -> Mapping[str, Any]:
        return {"mappings": {op.result.gemm: op.result.mapping for op in self.ops}}
