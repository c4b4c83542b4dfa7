"""The recurrence of the GEMM engine: Numba kernels, one file.

Loader, sequencer, core and writer are in order with constant latencies, so a tile's timing depends
only on a fixed set of ready times: the kernel is that max-plus recurrence.

Long GEMMs repeat the same tiles.  The recurrence only adds constants and takes maxima, so if all
its times at the start of one iteration of a loop equal those of an earlier iteration plus one
common shift, and the tiles that follow are the same, every later iteration repeats with that shift.
The kernel compares the times exactly and only then skips; what it skips is proved equal.

In a chain each part goes on with the next GEMM as it can, so the same times are kept from one GEMM
to the next; what lies between two GEMMs are a part's cycle for its next descriptor, the queues of
descriptors, and fences.

One file, since Numba's cache does not see an edit of a callee in another one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from dovetail.arch.events import Event


class EngineTiming(NamedTuple):
    """What the kernel must know of an engine, all in cycles, rows or beats."""

    rows: int
    cols: int
    drain_cycles: int
    result_latency: int
    dram_latency: int
    own_port: int  # 1: activations have a port of their own, 0: it is that of the weights
    a_latency: int  # from the command for an activation to its first beat
    group_segments: int  # 1: a segment is a group; 0: a whole k tile
    nibble_passes: int  # 1: INT8 weights take two passes
    unscaled_slices: int  # slices of a weight without group scales; a quantised one has one plane
    after_group: int  # 1: group sums are scaled
    group_sums: int  # 1: activations are summed to correct them
    head_dequant: int  # 1: weights are dequantised at the columns' heads
    makes_tables: int  # 1: a table is made of each step of a row
    a_slices: int  # slices per scratchpad row, and beats per row
    a_beats: int
    w_slices: int
    w_beats: int
    s_slices: int
    s_beats: int
    row_beats: int  # beats of one row of results, 1 where several rows share one
    beat_rows: int  # rows of results that share a beat
    output_cycles: int  # from a row's read to its beat, besides the two that it always takes


class Registers(NamedTuple):
    """The fields of a :class:`Descriptor` that determine time; ``k`` and ``group`` in steps."""

    m_blocks: int
    n_blocks: int
    groups: int
    rows_last: int
    cols_last: int
    k: int
    tile_m: int
    tile_n: int
    tile_k: int
    group: int
    n_outer: int
    unscaled: int
    planes: int


LOG_COLUMNS = 15
"""Columns of a tile log, :class:`dovetail.sim.gemm_engine.TileTimes`; it holds the first tiles."""

COUNTED = (
    Event.CYCLE,
    Event.STREAM,
    Event.STALL_WEIGHTS,
    Event.STALL_ACTIVATIONS,
    Event.STALL_OUTPUT,
    Event.STALL_DEQUANT,
    Event.STALL_DRAIN,
    Event.PE_OP,
    Event.TABLE,
    Event.GROUP_SUM,
    Event.WEIGHT_DEQUANT,
    Event.GROUP_DEQUANT,
    Event.ACCUMULATE,
    Event.OUTPUT,
    Event.ACTIVATION_READ,
    Event.ACTIVATION_WRITE,
    Event.WEIGHT_READ,
    Event.WEIGHT_WRITE,
    Event.SCALE_READ,
    Event.SCALE_WRITE,
    Event.ACCUMULATOR_READ,
    Event.ACCUMULATOR_WRITE,
    Event.DRAM_READ,
    Event.DRAM_WRITE,
)
"""Positions in the event vector.  Listed here, since Numba's cache does not see a change of the
vocabulary in another file: compiled kernels would count into the places of other events."""

_INDEX = {event: index for index, event in enumerate(COUNTED)}
_CYCLE = _INDEX[Event.CYCLE]
_STREAM = _INDEX[Event.STREAM]
_STALL_WEIGHTS = _INDEX[Event.STALL_WEIGHTS]
_STALL_ACTIVATIONS = _INDEX[Event.STALL_ACTIVATIONS]
_STALL_OUTPUT = _INDEX[Event.STALL_OUTPUT]
_STALL_DEQUANT = _INDEX[Event.STALL_DEQUANT]
_STALL_DRAIN = _INDEX[Event.STALL_DRAIN]
_PE_OP = _INDEX[Event.PE_OP]
_TABLE = _INDEX[Event.TABLE]
_GROUP_SUM = _INDEX[Event.GROUP_SUM]
_WEIGHT_DEQUANT = _INDEX[Event.WEIGHT_DEQUANT]
_GROUP_DEQUANT = _INDEX[Event.GROUP_DEQUANT]
_ACCUMULATE = _INDEX[Event.ACCUMULATE]
_OUTPUT = _INDEX[Event.OUTPUT]
_ACTIVATION_READ = _INDEX[Event.ACTIVATION_READ]
_ACTIVATION_WRITE = _INDEX[Event.ACTIVATION_WRITE]
_WEIGHT_READ = _INDEX[Event.WEIGHT_READ]
_WEIGHT_WRITE = _INDEX[Event.WEIGHT_WRITE]
_SCALE_READ = _INDEX[Event.SCALE_READ]
_SCALE_WRITE = _INDEX[Event.SCALE_WRITE]
_ACCUMULATOR_READ = _INDEX[Event.ACCUMULATOR_READ]
_ACCUMULATOR_WRITE = _INDEX[Event.ACCUMULATOR_WRITE]
_DRAM_READ = _INDEX[Event.DRAM_READ]
_DRAM_WRITE = _INDEX[Event.DRAM_WRITE]

# The state between two tiles: when each part is free, as the others see it.
_COMMAND = 0  # the next read command can go out
_BUS = 1  # the next read beat can arrive
_SEQUENCER = 2  # the next segment can start
_CHAIN = 3  # the drain chain is free
_WRITER = 4  # the next output tile can start
_W_FREE = 5  # the half of the weight buffer that is filled next, then the other one
_A_FREE = 7
_O_FREE = 9  # the half of the accumulators
_A_COMMAND = 11  # as the first two, of the port that activations have of their own
_A_BUS = 12
_STATE = 13

_PERIODS = 2  # double buffering makes patterns of one or of two tiles


@njit(cache=True, error_model="numpy")
def _block_rows(first, count, slices):  # type: ignore[no-untyped-def]
    """Scratchpad rows that ``count`` slices from ``first`` on touch."""
    return (first % slices + count - 1) // slices + 1


@njit(cache=True, error_model="numpy")
def _fetched_rows(first, group, groups, short, slices):  # type: ignore[no-untyped-def]
    """Scratchpad rows that segments fetch: ``groups - 1`` of ``group`` slices, one of ``short``.

    ``first`` is a multiple of ``group``.  A segment fetches each row that it touches once, so one
    in which a segment ends and the next begins counts twice: every row once, and once more at each
    border that is not a row's.
    """
    borders = groups - 1
    # Of the borders g * group, those with g divisible by this lie between two rows.
    every = max(1, slices // (group & -group))
    index = first // group
    between = (index + borders) // every - index // every
    return _block_rows(first, borders * group + short, slices) + borders - between


@njit(cache=True, error_model="numpy")
def _tile(t, r, s, e, m0, n0, g0, a_new, w_new, a_free, w_free, log, index):  # type: ignore[no-untyped-def]
    """Advance the state ``s`` and the events ``e`` over one tile."""
    m_count = min(r.tile_m, r.m_blocks - m0)
    n_count = min(r.tile_n, r.n_blocks - n0)
    g_count = min(r.tile_k, r.groups - g0)
    k0 = g0 * r.group
    last_k = g0 + g_count == r.groups
    k_count = r.k - k0 if last_k else g_count * r.group
    valid_rows = m_count * t.rows
    if m0 + m_count == r.m_blocks:
        valid_rows += r.rows_last - t.rows
    valid_cols = n_count * t.cols
    if n0 + n_count == r.n_blocks:
        valid_cols += r.cols_last - t.cols
    words = t.unscaled_slices if r.unscaled else 1
    slices = words * r.planes

    # Load: one command a block and cycle, one beat a cycle; a block has a beat at least, so only
    # the first command can delay the data.
    load_w = load_a = -1
    w_beats = s_beats = a_beats = 0
    w_ready = a_ready = 0
    if w_new:
        rows = _block_rows(k0 * slices, k_count * slices, t.w_slices)
        w_beats = n_count * rows * t.w_beats
        commands = n_count
        if not r.unscaled:
            s_beats = n_count * _block_rows(g0, g_count, t.s_slices) * t.s_beats
            commands += n_count
        load_w = max(s[_COMMAND], s[_W_FREE])
        s[_COMMAND] = load_w + commands
        s[_BUS] = max(s[_BUS], load_w + t.dram_latency) + w_beats + s_beats
        w_ready = s[_BUS]
        e[_WEIGHT_WRITE] += w_beats
        e[_SCALE_WRITE] += s_beats
        e[_DRAM_READ] += w_beats + s_beats
    command, bus = (_A_COMMAND, _A_BUS) if t.own_port else (_COMMAND, _BUS)
    if a_new:
        a_beats = m_count * _block_rows(k0, k_count, t.a_slices) * t.a_beats
        load_a = max(s[command], s[_A_FREE])
        s[command] = load_a + m_count
        s[bus] = max(s[bus], load_a + t.a_latency) + a_beats
        a_ready = s[bus]
        e[_ACTIVATION_WRITE] += a_beats
        e[_DRAM_READ] += a_beats
    s[_A_COMMAND], s[_A_BUS] = s[command], s[bus]

    # Wait for the tile's operands and accumulators, then for the drain chain.
    now = s[_SEQUENCER]
    e[_STALL_WEIGHTS] += max(0, w_ready - now)
    now = max(now, w_ready)
    e[_STALL_ACTIVATIONS] += max(0, a_ready - now)
    now = max(now, a_ready)
    output_free = -1
    if g0 == 0:
        output_free = s[_O_FREE]
        e[_STALL_OUTPUT] += max(0, output_free - now)
        now = max(now, output_free)
    passes = 2 if r.unscaled and t.nibble_passes else 1
    if t.group_segments:
        groups = g_count
        short = k_count - (g_count - 1) * r.group
        length = r.group if g_count > 1 else short
    else:
        groups = 1
        short = length = k_count
    cycles = length * r.planes  # of a segment, and of the last one
    short_cycles = short * r.planes
    wait = max(0, s[_CHAIN] - cycles - now)
    e[_STALL_DEQUANT] += wait
    start = now + wait

    # Stream all segments; the drain chain delays each but the first.
    array_tiles = m_count * n_count
    stream = array_tiles * k_count * passes * r.planes
    gaps = array_tiles * passes * (
        (groups - 1) * max(0, t.drain_cycles - cycles) + max(0, t.drain_cycles - short_cycles)
    ) - max(0, t.drain_cycles - cycles)
    end = start + stream + gaps
    e[_STREAM] += stream
    e[_STALL_DEQUANT] += gaps
    s[_SEQUENCER] = end
    s[_CHAIN] = end + t.drain_cycles
    if w_free:
        s[_W_FREE] = s[_W_FREE + 1]
        s[_W_FREE + 1] = end
    if a_free:
        s[_A_FREE] = s[_A_FREE + 1]
        s[_A_FREE + 1] = end

    e[_PE_OP] += passes * r.planes * k_count * valid_rows * valid_cols
    a_rows = _fetched_rows(k0, length, groups, short, t.a_slices)
    # Of the nibbles of a weight, a pass takes one, or a word has both.
    per_row = max(1, t.w_slices // words)
    w_rows = _fetched_rows(k0 * r.planes, length * r.planes, groups, short * r.planes, per_row)
    e[_ACTIVATION_READ] += array_tiles * passes * a_rows
    e[_WEIGHT_READ] += array_tiles * passes * w_rows
    if not r.unscaled:
        e[_SCALE_READ] += array_tiles * _block_rows(g0, g_count, t.s_slices)
    results = groups * passes * valid_rows * valid_cols
    e[_ACCUMULATE] += results
    if t.makes_tables:
        e[_TABLE] += k_count * n_count * valid_rows
    if t.group_sums:
        e[_GROUP_SUM] += passes * k_count * n_count * valid_rows
    if t.after_group:
        e[_GROUP_DEQUANT] += results
    elif t.head_dequant and not r.unscaled:
        e[_WEIGHT_DEQUANT] += k_count * m_count * valid_cols
    drained = groups * passes * n_count * valid_rows
    e[_ACCUMULATOR_WRITE] += drained
    e[_ACCUMULATOR_READ] += drained - (n_count * valid_rows if g0 == 0 else 0)

    # Write a finished output tile back.
    write = written = -1
    if last_k:
        read_back = n_count * valid_rows
        write = max(s[_WRITER], end + t.result_latency)
        written = write + read_back * t.row_beats
        s[_WRITER] = written
        s[_O_FREE] = s[_O_FREE + 1]
        s[_O_FREE + 1] = written
        e[_OUTPUT] += valid_rows * valid_cols
        e[_ACCUMULATOR_READ] += read_back
        if t.row_beats > 1:
            e[_DRAM_WRITE] += read_back * t.row_beats
        else:
            full = (t.rows + t.beat_rows - 1) // t.beat_rows
            beats = m_count * full
            if m0 + m_count == r.m_blocks:
                beats += (r.rows_last + t.beat_rows - 1) // t.beat_rows - full
            e[_DRAM_WRITE] += n_count * beats
    if index < log.shape[0]:
        row = log[index]
        row[0], row[1], row[2] = m0, n0, g0
        row[3], row[4], row[5] = load_w, w_beats + s_beats, w_ready if w_new else -1
        row[6], row[7], row[8] = load_a, a_beats, a_ready if a_new else -1
        row[9], row[10], row[11], row[12] = output_free, start, stream, end
        row[13], row[14] = write, written


@njit(cache=True, error_model="numpy")
def _normalise(t, s):  # type: ignore[no-untyped-def]
    """Raise times that lie in the past of what they are compared with; nothing later changes."""
    for place in range(2):
        s[_W_FREE + place] = max(s[_W_FREE + place], s[_COMMAND])
        s[_A_FREE + place] = max(s[_A_FREE + place], s[_A_COMMAND])
        s[_O_FREE + place] = max(s[_O_FREE + place], s[_SEQUENCER])
    s[_BUS] = max(s[_BUS], s[_COMMAND] + t.dram_latency)
    s[_A_BUS] = max(s[_A_BUS], s[_A_COMMAND] + t.a_latency)
    s[_WRITER] = max(s[_WRITER], s[_SEQUENCER] + t.result_latency)


@njit(cache=True, error_model="numpy")
def _copy(source, target):  # type: ignore[no-untyped-def]
    # A loop compiles in a tenth of the time that the assignment of a row takes to compile.
    for place in range(source.shape[0]):
        target[place] = source[place]


@njit(cache=True, error_model="numpy")
def _repeats(past, s):  # type: ignore[no-untyped-def]
    """Whether ``s`` is ``past`` plus one common shift."""
    shift = s[0] - past[0]
    for place in range(1, _STATE):
        if s[place] - past[place] != shift:
            return False
    return True


@njit(cache=True, error_model="numpy")
def _skip(past_s, past_e, s, e, seen, left):  # type: ignore[no-untyped-def]
    """Skip whole periods of the ``left`` equal iterations ahead; return how many iterations.

    ``past_s`` and ``past_e`` hold state and events before each of the last ``seen`` iterations.
    """
    for period in range(1, min(_PERIODS, seen) + 1):
        at = (seen - period) % _PERIODS
        if left >= period and _repeats(past_s[at], s):
            times = left // period
            shift = times * (s[0] - past_s[at, 0])
            for place in range(_STATE):
                s[place] += shift
            for event in range(e.shape[0]):
                e[event] += times * (e[event] - past_e[at, event])
            return times * period
    return 0


@njit(cache=True, error_model="numpy")
def _inner(t, r, s, e, outer0, first_outer, last_outer, skip, log, index):  # type: ignore[no-untyped-def]
    """All tiles of one iteration of the outer loop; return the index of the next tile."""
    inner_blocks = r.m_blocks if r.n_outer else r.n_blocks
    inner_tile = r.tile_m if r.n_outer else r.tile_n
    count = (inner_blocks + inner_tile - 1) // inner_tile
    k_tiles = (r.groups + r.tile_k - 1) // r.tile_k
    past_s = np.empty((_PERIODS, _STATE), dtype=np.int64)
    past_e = np.empty((_PERIODS, e.shape[0]), dtype=np.int64)
    seen = np.int64(0)
    i = 0
    while i < count:
        # Iterations 1 .. count - 2 are equal: full tiles, the outer operand neither new nor freed.
        if skip and 1 <= i < count - 1:
            _normalise(t, s)
            done = _skip(past_s, past_e, s, e, seen, count - 1 - i)
            if done:
                i += done
                seen = np.int64(0)
                continue
            _copy(s, past_s[seen % _PERIODS])
            _copy(e, past_e[seen % _PERIODS])
            seen += 1
        inner0 = i * inner_tile
        m0, n0 = (inner0, outer0) if r.n_outer else (outer0, inner0)
        for kt in range(k_tiles):
            many_k = k_tiles > 1
            first = i == 0 and kt == 0
            last = i == count - 1 and kt == k_tiles - 1
            inner_new = many_k or count > 1 or (first and first_outer)
            outer_new = many_k or first
            inner_free = many_k or count > 1 or (last and last_outer)
            outer_free = many_k or last
            a_new, w_new = (inner_new, outer_new) if r.n_outer else (outer_new, inner_new)
            a_free, w_free = (inner_free, outer_free) if r.n_outer else (outer_free, inner_free)
            _tile(t, r, s, e, m0, n0, kt * r.tile_k, a_new, w_new, a_free, w_free, log, index)
            index += 1
        i += 1
    return index


@njit(cache=True, error_model="numpy")
def _gemm(t, r, s, e, skip, log, index):  # type: ignore[no-untyped-def]
    """All tiles of a GEMM; return the index of the next tile."""
    outer_blocks = r.n_blocks if r.n_outer else r.m_blocks
    outer_tile = r.tile_n if r.n_outer else r.tile_m
    count = (outer_blocks + outer_tile - 1) // outer_tile
    past_s = np.empty((_PERIODS, _STATE), dtype=np.int64)
    past_e = np.empty((_PERIODS, e.shape[0]), dtype=np.int64)
    seen = np.int64(0)
    o = 0
    while o < count:
        if skip and 1 <= o < count - 1:
            _normalise(t, s)
            done = _skip(past_s, past_e, s, e, seen, count - 1 - o)
            if done:
                o += done
                seen = np.int64(0)
                continue
            _copy(s, past_s[seen % _PERIODS])
            _copy(e, past_e[seen % _PERIODS])
            seen += 1
        index = _inner(t, r, s, e, o * outer_tile, o == 0, o == count - 1, skip, log, index)
        o += 1
    return index


@njit(cache=True, error_model="numpy")
def run_gemm(t, r, e, skip, log):  # type: ignore[no-untyped-def]
    """Fill the zeroed event vector ``e``: kernel of ``dovetail.sim.gemm_engine.simulate_gemm``."""
    s = np.zeros(_STATE, dtype=np.int64)
    # The engine works from the cycle after start on.
    s[_COMMAND] = s[_SEQUENCER] = s[_WRITER] = 1
    # Not a literal, for which Numba would compile a copy of all callees.
    _gemm(t, r, s, e, skip, log, np.int64(0))
    # The last row is read one cycle before the writer is free, its beat leaves two cycles later.
    e[_CYCLE] = s[_WRITER] + 1 + t.output_cycles
    e[_STALL_DRAIN] = e[_CYCLE] - (s[_SEQUENCER] - 1)


# The parts of a chained engine that have a queue of descriptors, by what they advance.
_PARTS = (_COMMAND, _BUS, _A_COMMAND, _A_BUS, _SEQUENCER, _WRITER)

# The state of a chain between two GEMMs, behind that of the engine.
_GEMMS = _STATE  # how many were accepted
_ACCEPTED = _STATE + 1  # when the last one was
_LANDED = _STATE + 2  # when its last result reached memory
_LEFT = _STATE + 3  # when each part was free after the last GEMM but one, then after the last
CHAIN_STATE = _LEFT + 2 * len(_PARTS)
"""Length of the state of a chain, all zeros at its start."""

LINK_COLUMNS = 9
"""Columns of :class:`dovetail.sim.gemm_chain.LinkTimes`."""


@njit(cache=True, error_model="numpy")
def run_link(t, r, s, e, offered, fenced, write_cycles, skip, log, times):  # type: ignore[no-untyped-def]
    """Advance the chain's state ``s`` and its events over one GEMM, and fill its ``times``.

    Parameters
    ----------
    offered : int
        First cycle in which its descriptor is offered.
    fenced : int
        1: its activations are read when all results before have landed.
    write_cycles : int
        From the engine's write beats to memory, which takes one a cycle.
    log : int64, shape (tiles, LOG_COLUMNS)
        Its first tiles, of which there is at least one.
    """
    first = s[_GEMMS] == 0
    accepted = offered
    if not first:
        accepted = max(accepted, s[_ACCEPTED] + 1)
    if s[_GEMMS] >= 2:
        # A part has room again in the cycle after the last action of the GEMM before the last.
        for place in range(len(_PARTS)):
            accepted = max(accepted, s[_LEFT + place])
    for place, part in enumerate(_PARTS):
        s[_LEFT + place] = s[_LEFT + len(_PARTS) + place]
        # A cycle for the next descriptor, also where it was waiting.
        s[part] = max(s[part] + 1, accepted + 2)
    if fenced and not first:
        s[_A_COMMAND] = max(s[_A_COMMAND], s[_LANDED] + 2)
    beats = e[_DRAM_WRITE]
    _gemm(t, r, s[:_STATE], e, skip, log, np.int64(0))
    for place, part in enumerate(_PARTS):
        s[_LEFT + len(_PARTS) + place] = s[part]
    written = s[_WRITER] + 1 + t.output_cycles
    landed = written + write_cycles
    busy = accepted
    if not first:
        # Beats reach memory in order, one a cycle; those of one GEMM leave no faster.
        landed = max(landed, s[_LANDED] + e[_DRAM_WRITE] - beats)
        busy = max(busy, s[_LANDED])
    e[_CYCLE] += landed - busy
    s[_GEMMS] += 1
    s[_ACCEPTED], s[_LANDED] = accepted, landed
    times[0], times[1], times[2] = accepted, log[0, 3], s[_BUS]
    times[3], times[4] = log[0, 6], s[_A_BUS]
    times[5], times[6] = log[0, 10], s[_SEQUENCER]
    times[7], times[8] = written, landed
