"""Cycles of a norm pass, beat by beat: what the RTL does, to the cycle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.m3vit.norm import NormDesign
from dovetail.errors import ShapeError

__all__ = ["NormTimes", "norm_times"]


@dataclass(frozen=True, slots=True)
class NormTimes:
    """When beats pass; 0 is the cycle of the start.

    Attributes
    ----------
    read, write : int64, shape (tokens * token_beats,)
        Of the map, in order.
    """

    read: NDArray[np.int64]
    write: NDArray[np.int64]

    @property
    def cycles(self) -> int:
        """From the start to the last beat written."""
        return int(self.write[-1])


def norm_times(design: NormDesign, tokens: int, *, latency_cycles: int) -> NormTimes:
    """Simulate a pass; memory answers after ``latency_cycles``, then with a beat a cycle.

    Both commands leave in the cycle after the start.  Beats enter as they come, and leave after
    their token's last one by the time of its statistics: since a token takes as long to enter as
    to leave, none waits for the one before.  Scale and shift come beside the first token.
    """
    if tokens < 1:
        raise ShapeError(f"tokens={tokens} must be at least 1; raise it")
    first = 1 + latency_cycles
    beats = np.arange(tokens * design.token_beats)
    known = first + design.token_beats - 1 + design.statistics_cycles
    return NormTimes(read=first + beats, write=known + design.output_cycles + beats)
