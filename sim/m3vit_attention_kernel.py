"""Recurrences of the reordered attention unit: Numba kernels, one file.

Every beat is taken in order, as soon as its port has it, the places it needs are free and the beat
before it was taken; every result follows its beat by a constant and leaves when its port takes it.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Cycles = NDArray[np.int64]


@njit(cache=True, error_model="numpy")
def _begin(query: int, tokens: int, parallel: int) -> int:
    """Step in which a query begins; its last one is ``tokens - 1`` later."""
    return query // parallel * tokens + query % parallel


@njit(cache=True, error_model="numpy")
def _room(cycles: Cycles, number: int, depth: int) -> int:
    """First cycle in which the queue has a place for ``number``, of those taken out before."""
    return cycles[number - depth] + 1 if number >= depth else 0


@njit(cache=True, error_model="numpy")
def _next(cycles: Cycles, number: int, interval: int) -> int:
    """First cycle in which a port of that interval is willing once more."""
    return cycles[number - 1] + interval if number else 0


@njit(cache=True, error_model="numpy")
def scores(
    walk: Cycles, intervals: Cycles, latencies: Cycles, depths: Cycles
) -> tuple[Cycles, Cycles, Cycles, Cycles]:
    """Cycles of all transfers of the QK^T unit.

    Parameters
    ----------
    walk : int64
        tokens, slots, heads, beats of a head, steps.
    intervals : int64
        Of the ports of queries, keys, scores and rows.
    latencies, depths : int64
        To scores and to rows, and of their queues.

    Returns
    -------
    query, key, score, row : int64
    """
    tokens, parallel, heads, head_beats, steps = walk
    query = np.zeros(tokens * heads * head_beats, np.int64)
    key = np.zeros(steps * heads * head_beats, np.int64)
    score = np.zeros(steps * heads, np.int64)
    row = np.zeros(tokens * heads, np.int64)
    begun = ended = 0
    n_query = n_key = n_score = n_row = 0
    for step in range(steps):
        begins = begun < tokens and step == _begin(begun, tokens, parallel)
        ends = step == _begin(ended, tokens, parallel) + tokens - 1
        for _ in range(heads):
            for place in range(head_beats):
                now = _next(key, n_key, intervals[1])
                if begins:
                    now = max(now, _next(query, n_query, intervals[0]))
                if place == head_beats - 1:
                    now = max(now, _room(score, n_score, depths[0]))
                    if ends:
                        now = max(now, _room(row, n_row, depths[1]))
                key[n_key] = now
                n_key += 1
                if begins:
                    query[n_query] = now
                    n_query += 1
            score[n_score] = max(_next(score, n_score, intervals[2]), now + latencies[0])
            n_score += 1
            if ends:
                row[n_row] = max(_next(row, n_row, intervals[3]), now + latencies[1])
                n_row += 1
        begun += begins
        ended += ends
    return query, key, score, row


@njit(cache=True, error_model="numpy")
def values(
    walk: Cycles, intervals: Cycles, latencies: Cycles, depths: Cycles
) -> tuple[Cycles, Cycles, Cycles, Cycles]:
    """Cycles of all transfers of the M'V unit.

    Parameters
    ----------
    walk : int64
        tokens, slots, heads, beats of a head, steps.
    intervals : int64
        Of the ports of scores (of the unit behind it, where that is slower), rows, values, outputs.
    latencies, depths : int64
        To probabilities and to outputs, and of their queues.

    Returns
    -------
    score, row, value, output : int64
    """
    tokens, parallel, heads, head_beats, steps = walk
    score = np.zeros(steps * heads, np.int64)
    row = np.zeros(tokens * heads, np.int64)
    value = np.zeros(steps * heads * head_beats, np.int64)
    output = np.zeros(tokens * heads * head_beats, np.int64)
    used = np.zeros(steps * heads, np.int64)  # probabilities: taken out with their last beat
    begun = ended = 0
    n_score = n_row = n_value = n_output = 0
    for step in range(steps):
        begins = begun < tokens and step == _begin(begun, tokens, parallel)
        ends = step == _begin(ended, tokens, parallel) + tokens - 1
        for _ in range(heads):
            now = max(_next(score, n_score, intervals[0]), _room(used, n_score, depths[0]))
            if begins:
                now = max(now, _next(row, n_row, intervals[1]))
                row[n_row] = now
                n_row += 1
            score[n_score] = now
            ready = now + latencies[0]
            for _ in range(head_beats):
                now = max(ready, _next(value, n_value, intervals[2]))
                if ends:
                    now = max(now, _room(output, n_output, depths[1]))
                    leaves = max(_next(output, n_output, intervals[3]), now + latencies[1])
                    output[n_output] = leaves
                    n_output += 1
                value[n_value] = now
                n_value += 1
            used[n_score] = now
            n_score += 1
        begun += begins
        ended += ends
    return score, row, value, output
