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
    """First cycle that is so much later than the one before; 0 at first."""
    return cycles[number - 1] + interval if number else 0


@njit(cache=True, error_model="numpy")
def _willing(cycles: Cycles, number: int, port: Cycles) -> int:
    """First cycle in which a port is willing once more, or at all."""
    cycle: int = cycles[number - 1] + port[0] if number else port[1]
    return cycle


@njit(cache=True, error_model="numpy")
def _keys(
    query: Cycles,
    key: Cycles,
    first_query: int,
    first_key: int,
    head_beats: int,
    begins: bool,
    ports: Cycles,
    room: int,
) -> int:
    """Take a head's beats, its last one from ``room`` on; the cycle of that one."""
    now = 0
    for place in range(head_beats):
        now = _willing(key, first_key + place, ports[1])
        if begins:
            now = max(now, _willing(query, first_query + place, ports[0]))
        if place == head_beats - 1:
            now = max(now, room)
        key[first_key + place] = now
        if begins:
            query[first_query + place] = now
    return now


@njit(cache=True, error_model="numpy")
def _values(
    value: Cycles,
    output: Cycles,
    first_value: int,
    first_output: int,
    head_beats: int,
    ends: bool,
    ports: Cycles,
    ready: int,
    latency: int,
    depth: int,
) -> int:
    """Take a head's beats from ``ready`` on, and give its outputs; the cycle of the last beat."""
    now = 0
    for place in range(head_beats):
        now = max(ready, _willing(value, first_value + place, ports[0]))
        if ends:
            given = first_output + place
            now = max(now, _room(output, given, depth))
            output[given] = max(_willing(output, given, ports[1]), now + latency)
        value[first_value + place] = now
    return now


@njit(cache=True, error_model="numpy")
def scores(
    walk: Cycles, ports: Cycles, latencies: Cycles, depths: Cycles
) -> tuple[Cycles, Cycles, Cycles, Cycles]:
    """Cycles of all transfers of the QK^T unit.

    Parameters
    ----------
    walk : int64
        tokens, slots, heads, beats of a head, steps.
    ports : int64, shape (4, 2)
        Least cycles from one transfer to the next, and first cycle in which it is willing, of the
        ports of queries, keys, scores and rows.
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
    n_score = n_row = 0
    for step in range(steps):
        begins = begun < tokens and step == _begin(begun, tokens, parallel)
        ends = step == _begin(ended, tokens, parallel) + tokens - 1
        for head in range(heads):
            room = _room(score, n_score, depths[0])
            if ends:
                room = max(room, _room(row, n_row, depths[1]))
            first_query = (begun * heads + head) * head_beats
            first_key = n_score * head_beats
            now = _keys(query, key, first_query, first_key, head_beats, begins, ports, room)
            score[n_score] = max(_willing(score, n_score, ports[2]), now + latencies[0])
            n_score += 1
            if ends:
                row[n_row] = max(_willing(row, n_row, ports[3]), now + latencies[1])
                n_row += 1
        begun += begins
        ended += ends
    return query, key, score, row


@njit(cache=True, error_model="numpy")
def values(
    walk: Cycles, ports: Cycles, latencies: Cycles, depths: Cycles
) -> tuple[Cycles, Cycles, Cycles, Cycles]:
    """Cycles of all transfers of the M'V unit.

    Parameters
    ----------
    walk : int64
        tokens, slots, heads, beats of a head, steps.
    ports : int64, shape (4, 2)
        As of :func:`scores`, of scores (of the unit behind it, where that is slower), rows, values,
        outputs.
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
    n_score = n_row = n_output = 0
    for step in range(steps):
        begins = begun < tokens and step == _begin(begun, tokens, parallel)
        ends = step == _begin(ended, tokens, parallel) + tokens - 1
        for _ in range(heads):
            now = max(_willing(score, n_score, ports[0]), _room(used, n_score, depths[0]))
            if begins:
                now = max(now, _willing(row, n_row, ports[1]))
                row[n_row] = now
                n_row += 1
            score[n_score] = now
            used[n_score] = _values(
                value,
                output,
                n_score * head_beats,
                n_output,
                head_beats,
                ends,
                ports[2:],
                now + latencies[0],
                latencies[1],
                depths[1],
            )
            n_score += 1
            if ends:
                n_output += head_beats
        begun += begins
        ended += ends
    return score, row, value, output


@njit(cache=True, error_model="numpy")
def block(
    walk: Cycles, ports: Cycles, latencies: Cycles, depths: Cycles, turns: int
) -> tuple[Cycles, Cycles, Cycles, Cycles]:
    """Cycles of all transfers of both units with the store of scores between them.

    Parameters
    ----------
    walk : int64
        tokens, slots, heads, beats of a head, steps.
    ports : int64, shape (4, 2)
        As of :func:`scores`, of queries, keys, values and outputs.
    latencies, depths : int64
        To scores, rows, probabilities and outputs, and of their queues; the last depth is that of
        the store, which holds the scores that the second unit is behind.
    turns : int
        Least cycles between two scores that the second unit takes.

    Returns
    -------
    query, key, value, output : int64
    """
    tokens, parallel, heads, head_beats, steps = walk
    count = steps * heads
    query = np.zeros(tokens * heads * head_beats, np.int64)
    key = np.zeros(count * head_beats, np.int64)
    value = np.zeros(count * head_beats, np.int64)
    output = np.zeros(tokens * heads * head_beats, np.int64)
    enters = np.zeros(count, np.int64)  # a score into the store,
    leads = np.zeros(count, np.int64)  # from its memory to its output register,
    leaves = np.zeros(count, np.int64)  # and out of it
    used = np.zeros(count, np.int64)
    known = np.zeros(tokens * heads, np.int64)  # a row
    row = np.zeros(tokens * heads, np.int64)
    begun, ended = np.zeros(2, np.int64), np.zeros(2, np.int64)  # of each unit
    behind = (tokens - 1) * heads
    for now_enters in range(count + behind):
        # The second unit needs the row that ends as the first is so many scores ahead.
        for unit in range(2):
            n = now_enters - behind * unit
            if not 0 <= n < count:
                continue
            step, head = divmod(n, heads)
            begins = begun[unit] < tokens and step == _begin(begun[unit], tokens, parallel)
            ends = step == _begin(ended[unit], tokens, parallel) + tokens - 1
            begin_row, end_row = begun[unit] * heads + head, ended[unit] * heads + head
            if unit == 0:
                room = _room(enters, n, depths[0])
                if ends:
                    room = max(room, _room(row, end_row, depths[1]))
                now = _keys(
                    query,
                    key,
                    begin_row * head_beats,
                    n * head_beats,
                    head_beats,
                    begins,
                    ports,
                    room,
                )
                enters[n] = max(
                    _next(enters, n, 1), now + latencies[0], _room(leads, n, depths[4] - 1)
                )
                if ends:
                    known[end_row] = now + latencies[1]
            else:
                leads[n] = max(enters[n] + 1, _next(leaves, n, 0))
                now = max(leads[n] + 1, _next(leaves, n, turns), _room(used, n, depths[2]))
                if begins:
                    now = max(now, known[begin_row])
                    row[begin_row] = now
                leaves[n] = now
                used[n] = _values(
                    value,
                    output,
                    n * head_beats,
                    end_row * head_beats,
                    head_beats,
                    ends,
                    ports[2:],
                    now + latencies[2],
                    latencies[3],
                    depths[3],
                )
            if head == heads - 1:
                begun[unit] += begins
                ended[unit] += ends
    return query, key, value, output
