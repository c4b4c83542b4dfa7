"""Which mappings may win: every mapping that fits, less those that a lower bound rules out.

The bounds follow from the engine's order of events, as the recurrence of
:mod:`dovetail.sim.gemm_kernel` states it; the search in :mod:`dovetail.sim.mapping` simulates what
they leave.

One file, since Numba's cache does not see an edit of a callee in another one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit


class Limits(NamedTuple):
    """Rows of half of each operand's scratchpad, and array tiles of half of the accumulators."""

    a_half: int
    w_half: int
    s_half: int
    o_tiles: int


# Columns of the table of k tiles, whose row ``tile_k`` describes k tiles of that many groups:
_A_ROWS = 0  # most scratchpad rows that one block of a tile takes
_W_ROWS = 1
_S_ROWS = 2
_A_BEATS = 3  # beats of one block over all k tiles, scales with the weights
_W_BEATS = 4
_A_FIRST = 5  # of the first k tile
_W_FIRST = 6
_LAST_K = 7  # length of the last k tile
_BUSY = 8  # cycles for which one array tile keeps the array or its drain chain
_FIRST_GAP = 9  # by how much the first segment is shorter than its drain
_COLUMNS = 10

_HUGE = np.iinfo(np.int64).max
_MOST_CHAINED = 1 << 48  # tiles whose latencies add up to less than 2^63 cycles


@njit(cache=True, error_model="numpy")
def _block_rows(first, count, slices):  # type: ignore[no-untyped-def]
    """Scratchpad rows that ``count`` slices from ``first`` on touch."""
    return (first % slices + count - 1) // slices + 1


@njit(cache=True, error_model="numpy")
def k_tiles(t, r):  # type: ignore[no-untyped-def]
    """The table of k tiles; row 0 is unused."""
    table = np.zeros((r.groups + 1, _COLUMNS), dtype=np.int64)
    slices = (t.unscaled_slices if r.unscaled else 1) * r.planes
    passes = 2 if r.unscaled and t.nibble_passes else 1
    for tile_k in range(1, r.groups + 1):
        row = table[tile_k]
        for g0 in range(0, r.groups, tile_k):
            count = min(tile_k, r.groups - g0)
            k0 = g0 * r.group
            k = min(r.k - k0, count * r.group)
            a_rows = _block_rows(k0, k, t.a_slices)
            w_rows = _block_rows(k0 * slices, k * slices, t.w_slices)
            s_rows = 0 if r.unscaled else _block_rows(g0, count, t.s_slices)
            row[_A_ROWS] = max(row[_A_ROWS], a_rows)
            row[_W_ROWS] = max(row[_W_ROWS], w_rows)
            row[_S_ROWS] = max(row[_S_ROWS], s_rows)
            row[_A_BEATS] += a_rows * t.a_beats
            row[_W_BEATS] += w_rows * t.w_beats + s_rows * t.s_beats
            if g0 == 0:
                row[_A_FIRST] = row[_A_BEATS]
                row[_W_FIRST] = row[_W_BEATS]
            row[_LAST_K] = k
            # Segments end as far apart as they are long, and as their rows take to drain.
            segment = min(r.group, k) if t.group_segments else k
            if g0 == 0:
                row[_FIRST_GAP] = max(0, t.drain_cycles - segment * r.planes)
            if t.group_segments:
                short = k - (count - 1) * r.group
                row[_BUSY] += (count - 1) * passes * max(r.group * r.planes, t.drain_cycles)
                row[_BUSY] += passes * max(short * r.planes, t.drain_cycles)
            else:
                row[_BUSY] += max(k * r.planes, t.drain_cycles)
    return table


@njit(cache=True, error_model="numpy")
def _reads(r, row, tm, tn, kt, n_outer):  # type: ignore[no-untyped-def]
    """Beats of activations, and of weights and scales, that a mapping of ``kt`` k tiles reads."""
    m_tiles = (r.m_blocks + tm - 1) // tm
    n_tiles = (r.n_blocks + tn - 1) // tn
    a_times, w_times = n_tiles, m_tiles
    if kt == 1:
        # With a single k tile the outer operand stays while the inner loop runs.
        if n_outer or n_tiles == 1:
            w_times = 1
        if not n_outer or m_tiles == 1:
            a_times = 1
    return r.m_blocks * a_times * row[_A_BEATS], r.n_blocks * w_times * row[_W_BEATS]


@njit(cache=True, error_model="numpy")
def _bound(t, r, row, tm, tn, kt, n_outer):  # type: ignore[no-untyped-def]
    """Bounds of the mapping of ``kt`` k tiles: cycles, cycles with a smaller ``tn``, read beats.

    The first two are lower bounds, the beats are exact.  With ``end`` for the cycle in which the
    last k has entered the array, each of these holds:

    - the first tile is loaded, then the array or its drain chain is busy with every segment;
    - the first tile is loaded, then the first output tile streams and all outputs are written;
    - every beat arrives, then the last tile streams;
    - a tile's half is free when the tile before the last one has ended, so an operand that moves
      with every tile needs ``end[i] >= end[i - 2] + latency + load[i] + stream[i]``; summed up for
      even and odd tiles, of which the later ends a tile's ``stream`` after the other.

    After ``end`` the last output tile drains and is written.
    """
    m_tiles = (r.m_blocks + tm - 1) // tm
    n_tiles = (r.n_blocks + tn - 1) // tn
    a_read, w_read = _reads(r, row, tm, tn, kt, n_outer)
    read = a_read + w_read
    a_first, w_first = tm * row[_A_FIRST], tn * row[_W_FIRST]
    passes = r.planes * (2 if r.unscaled and t.nibble_passes else 1)
    m_last = r.m_blocks - (m_tiles - 1) * tm
    n_last = r.n_blocks - (n_tiles - 1) * tn
    last_rows = (m_last - 1) * t.rows + r.rows_last
    column_stream = m_last * row[_LAST_K] * passes
    stream = r.m_blocks * r.n_blocks * r.k * passes
    before = 1 + t.dram_latency
    after = t.result_latency + 1

    loaded = before + a_first + w_first
    busy = loaded + r.m_blocks * r.n_blocks * row[_BUSY] - row[_FIRST_GAP]
    all_rows = ((r.m_blocks - 1) * t.rows + r.rows_last) * r.n_blocks
    writes = loaded + tm * tn * r.k * passes + all_rows * t.row_beats
    loads = before + read

    tiles = m_tiles * n_tiles * kt
    moving, moving_first = read, a_first + w_first
    if kt == 1:
        a_moves = m_tiles > 1 if n_outer else n_tiles == 1
        moving, moving_first = (a_read, a_first) if a_moves else (w_read, w_first)
    chain = 2 + tiles * t.dram_latency + moving + stream

    most = max(busy, loads + n_last * column_stream)
    if 1 < tiles <= _MOST_CHAINED:
        halves = chain + 2 * (a_first + w_first) - moving_first + n_last * column_stream
        most = max(most, (halves + 1) // 2)
    bound = max(most + last_rows * n_last * t.row_beats, writes) + after
    floor = 0
    if n_tiles > 1:  # where a smaller ``tn`` lets the same operand move
        floor = loads + column_stream
        if tiles <= _MOST_CHAINED:
            floor = max(floor, (chain + a_first + column_stream + 1) // 2)
        floor += last_rows * t.row_beats + after
    return bound, floor, read


@njit(cache=True, error_model="numpy")
def _most_n(r, c, row, tm):  # type: ignore[no-untyped-def]
    """Largest ``tile_n`` that fits beside ``tm``; 0 for none."""
    if tm > c.o_tiles or tm * row[_A_ROWS] > c.a_half:
        return 0
    most = min(r.n_blocks, c.o_tiles // tm, c.w_half // row[_W_ROWS])
    if row[_S_ROWS]:
        most = min(most, c.s_half // row[_S_ROWS])
    return most


@njit(cache=True, error_model="numpy")
def _unavoidable(t, r, row):  # type: ignore[no-untyped-def]
    """What ``busy`` of :func:`_bound` has without the first tile's load, whatever its size."""
    return (
        2
        + t.dram_latency
        + r.m_blocks * r.n_blocks * row[_BUSY]
        - row[_FIRST_GAP]
        + t.result_latency
        + r.rows_last * t.row_beats
    )


@njit(cache=True, error_model="numpy")
def _rank(r, tm, tn, tk, n_outer):  # type: ignore[no-untyped-def]
    """Order of mappings that are equal otherwise: large tiles first, then ``m_outer``."""
    rank = ((r.groups - tk) * r.m_blocks + r.m_blocks - tm) * r.n_blocks + r.n_blocks - tn
    return 2 * rank + n_outer


@njit(cache=True, error_model="numpy")
def next_by_bound(t, r, c, table, below, after):  # type: ignore[no-untyped-def]
    """Of the mappings whose bound is under ``below``, that which comes next after ``after``.

    Parameters
    ----------
    after : int64, shape (2,)
        Bound and rank of the mapping before, by which mappings are ordered; zeros for none.

    Returns
    -------
    int64, shape (6,)
        Bound, rank, ``tm, tn, tk, n_outer``; all zeros where none is left.
    """
    best = np.zeros(6, dtype=np.int64)
    best_bound = below - 1
    best_rank = np.int64(_HUGE)
    for tk in range(1, r.groups + 1):
        row = table[tk]
        kt = (r.groups + tk - 1) // tk
        fixed = _unavoidable(t, r, row)
        for tm in range(1, r.m_blocks + 1):
            # A larger tile only loads longer before anything streams.
            spare = best_bound - fixed - tm * row[_A_FIRST]
            if spare < row[_W_FIRST]:
                break
            for tn in range(min(_most_n(r, c, row, tm), spare // row[_W_FIRST]), 0, -1):
                least_floor = _HUGE
                for n_outer in range(2):
                    bound, floor, _ = _bound(t, r, row, tm, tn, kt, n_outer)
                    least_floor = min(least_floor, floor)
                    if not after[0] <= bound <= best_bound:
                        continue
                    rank = _rank(r, tm, tn, tk, n_outer)
                    if bound == after[0] and rank <= after[1]:
                        continue
                    if bound == best_bound and rank > best_rank:
                        continue
                    best_bound, best_rank = bound, rank
                    best[0], best[1] = bound, rank
                    best[2], best[3], best[4], best[5] = tm, tn, tk, n_outer
                if least_floor > best_bound:
                    break
    return best


@njit(cache=True, error_model="numpy")
def _before(read, bound, rank, read_b, bound_b, rank_b):  # type: ignore[no-untyped-def]
    """Whether the first mapping comes before the second one."""
    if read != read_b:
        return read < read_b
    return bound < bound_b or (bound == bound_b and rank < rank_b)


@njit(cache=True, error_model="numpy")
def next_by_reads(t, r, c, table, limit, after):  # type: ignore[no-untyped-def]
    """Of the mappings whose bound is at most ``limit``, that which comes next after ``after``.

    Parameters
    ----------
    after : int64, shape (3,)
        Reads, bound and rank of the mapping before, by which mappings are ordered; zeros for none.

    Returns
    -------
    int64, shape (7,)
        Reads, bound, rank, ``tm, tn, tk, n_outer``; zeros after the largest reads where none is
        left.
    """
    best = np.zeros(7, dtype=np.int64)
    best[0] = _HUGE
    for tk in range(r.groups, 0, -1):
        row = table[tk]
        kt = (r.groups + tk - 1) // tk
        fixed = _unavoidable(t, r, row)
        most_n = _most_n(r, c, row, np.int64(1))
        if most_n == 0:
            continue
        most_m = min(r.m_blocks, c.o_tiles, c.a_half // row[_A_ROWS])
        most_m = min(most_m, (limit - fixed - row[_W_FIRST]) // row[_A_FIRST])
        for tm in range(most_m, 0, -1):
            # Reads only grow as tiles get smaller, in either dimension.
            least_read = _HUGE
            for n_outer in range(2):
                least_read = min(least_read, sum(_reads(r, row, tm, most_n, kt, n_outer)))
            if least_read > best[0]:
                break
            spare = limit - fixed - tm * row[_A_FIRST]
            for tn in range(min(_most_n(r, c, row, tm), spare // row[_W_FIRST]), 0, -1):
                least_read = _HUGE
                for n_outer in range(2):
                    bound, _, read = _bound(t, r, row, tm, tn, kt, n_outer)
                    least_read = min(least_read, read)
                    if bound > limit:
                        continue
                    rank = _rank(r, tm, tn, tk, n_outer)
                    if not _before(after[0], after[1], after[2], read, bound, rank):
                        continue
                    if _before(read, bound, rank, best[0], best[1], best[2]):
                        best[0], best[1], best[2] = read, bound, rank
                        best[3], best[4], best[5], best[6] = tm, tn, tk, n_outer
                if least_read > best[0]:
                    break
    return best
