"""What a system gives to be run in lockstep: one case, three ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from dovetail.arch.events import Event
from dovetail.rtl.verilator import Build, Case, CaseResult

__all__ = ["LateWrite", "LockstepRun", "Simulated", "WrongValues"]


class Simulated(Protocol):
    """What a simulator returns."""

    @property
    def cycles(self) -> int: ...

    @property
    def events(self) -> Mapping[Event, int]:
        """Every event of the vocabulary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongValues:
    """Outputs that differ from the reference, and the one that was written first.

    Attributes
    ----------
    cycle : int
        In which it was written.
    signal : str
        Port and lane, and which output it is.
    rtl, expected : int
    count : int
        How many differ.
    """

    cycle: int
    signal: str
    rtl: int
    expected: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LateWrite:
    """The first beat that was written in another cycle than simulated.

    Attributes
    ----------
    what : str
        The beat.
    rtl, expected : int
        Cycle after start.
    """

    what: str
    rtl: int
    expected: int


class LockstepRun(Protocol):
    """One case of one engine; ``gap_seed`` fixes its gaps, ``repeat`` is the command for it."""

    @property
    def repeat(self) -> str: ...

    @property
    def gap_seed(self) -> int: ...

    @property
    def outputs(self) -> int:
        """Values that the engine writes."""

    def build(self, *, traced: bool = False) -> Build:
        """The compiled engine, the same for all cases of a comparison."""

    def simulate(self) -> Simulated: ...

    def rtl(self, *, cycles: int, gaps: bool = False) -> Case:
        """The case for Verilator; ``cycles`` is what it should take without gaps."""

    def describe(self) -> str:
        """Engine and work in one line."""

    def wrong_values(self, rtl: CaseResult) -> WrongValues | None:
        """Compare with the reference."""

    def late_write(self, rtl: CaseResult) -> LateWrite | None:
        """Compare the times of written beats with the simulator's."""
