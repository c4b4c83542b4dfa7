"""The highest clock of a component: sizing depends on the clock asked for, so it is searched."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

__all__ = ["highest_clock"]

_RESOLUTION = 1.02
_STRIDE = 1.05
_ROUNDS = 8


def highest_clock(reach: Callable[[float], float], start_mhz: float) -> float:
    """Highest clock in MHz that any netlist reaches, sized for clocks tried by bisection.

    Two clocks are tried at a time.  The clock asked for is raised while a netlist meets it; between
    the highest that was met and the lowest that was not, the interval is cut in three until the two
    are within 2 %.  Sizing is a heuristic, so a netlist sized for a clock that it misses may still
    be the fastest; what it reaches counts as met.

    Parameters
    ----------
    reach : callable
        From the clock to size for to the clock that the netlist then reaches, in MHz.  Called from
        two threads at once.
    start_mhz : float
        A clock that a netlist is known to reach.
    """
    with ThreadPoolExecutor(max_workers=2) as workers:
        met, missed = start_mhz, math.inf
        stride = _STRIDE
        for _ in range(_ROUNDS):
            ratio = stride if missed == math.inf else (missed / met) ** (1 / 3)
            stride **= 2
            targets = (met * ratio, met * ratio**2)
            reached = list(workers.map(reach, targets))
            met = max(met, *reached)
            misses = (t for t, got in zip(targets, reached, strict=True) if got < t and t > met)
            missed = min(missed, *misses, math.inf)
            if missed <= met * _RESOLUTION:
                break
    return met
