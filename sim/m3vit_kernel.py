"""Recurrences of the M3ViT schedules: Numba kernels, one file.

Steps run one after the other; weights load through one port, in the order of the steps that need
them, into two halves of a buffer (or a third place for the experts of a whole layer).  Each time is
a sum of constants and a maximum of earlier times.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Times = NDArray[np.int64]

LRU, FIFO = 0, 1


@njit(cache=True, error_model="numpy")
def run_steps(
    stream: Times, load: Times, known: Times, overlap: Times, whole_layer: Times
) -> tuple[Times, Times, Times]:
    """Begin and end of every step, and the end of every load.

    Parameters
    ----------
    stream : int64, shape (steps,)
        Cycles of a step once its weights are there.
    load : int64, shape (steps,)
        Cycles of loading its weights; 0 for none.
    known : int64, shape (steps,)
        Step at whose end it is known which weights to load; -1: from the start on.
    overlap : int64, shape (steps,)
        1: the load need not wait for the step before to end.
    whole_layer : int64, shape (steps,)
        1: the weights go to the place of whole layers, which has no second half.

    Returns
    -------
    begin, end, loaded : int64, shape (steps,)
        ``loaded`` is 0 for a step without weights.
    """
    steps = len(stream)
    begin, end, loaded = (
        np.zeros(steps, np.int64),
        np.zeros(steps, np.int64),
        np.zeros(steps, np.int64),
    )
    free = np.zeros(3, np.int64)  # two halves, and the place of whole layers
    half, port, before = 0, 0, 0
    for step in range(steps):
        ready = before
        place = -1
        if load[step] > 0:
            place = 2 if whole_layer[step] else half
            at = max(port, free[place])
            if known[step] >= 0:
                at = max(at, end[known[step]])
            if not overlap[step]:
                at = max(at, before)
            port = at + load[step]
            loaded[step] = port
            ready = max(ready, port)
            if place < 2:
                half = 1 - half
        begin[step] = ready
        end[step] = ready + stream[step]
        before = end[step]
        if place >= 0:
            free[place] = before
    return begin, end, loaded


@njit(cache=True, error_model="numpy")
def run_cache(
    uses: Times, experts: int, capacity: int, policy: int, load: int, stream: int, prefetch: int
) -> tuple[int, int]:
    """Cycles of going through ``uses`` of experts one by one, and how many were misses.

    Parameters
    ----------
    uses : int64, shape (uses,)
        Expert of each use.
    experts, capacity : int
        Experts there are, and that the cache holds.
    policy : int
        ``LRU`` or ``FIFO``.
    load, stream : int
        Cycles of loading an expert, and of one use of it.
    prefetch : int
        1: a miss is loaded while the use before it computes, where the cache has room for both.
    """
    stamp = np.full(experts, -1, np.int64)  # when an expert came, or was used last; -1: absent
    last_end = np.zeros(experts, np.int64)
    held, misses, port, begin, end = 0, 0, 0, 0, 0
    for use in range(len(uses)):
        expert = uses[use]
        ready = end
        if stamp[expert] < 0:
            misses += 1
            at = max(port, begin if prefetch else end)
            if held == capacity:
                victim = -1
                for other in range(experts):
                    if stamp[other] >= 0 and (victim < 0 or stamp[other] < stamp[victim]):
                        victim = other
                stamp[victim] = -1
                at = max(at, last_end[victim])
            else:
                held += 1
            port = at + load
            ready = max(ready, port)
            stamp[expert] = use
        elif policy == LRU:
            stamp[expert] = use
        begin = ready
        end = begin + stream
        last_end[expert] = end
    return end, misses
