"""Four ports on one DRAM: when each pixel of the operator study is read, computed and written.

Events are taken in the order of time: of the ports that could begin a transaction, the earliest
does.  A port has one transaction under way.  Weights, features, offsets and results have a port
each.  A write takes as long as a read; refresh and the turning round of the bus are left out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["Counts", "Plan", "run_plan"]

_LFSR_TAPS = 0xB400  # x^16 + x^14 + x^13 + x^11 + 1, the longest sequence of 16 bits


class Plan(NamedTuple):
    """A mode of the study on a memory; times in ns.

    ``reads_per_pixel`` is 9 where taps are gathered and 1 where the map is streamed through a line
    buffer of ``2 * bound + 1`` rows.  ``pixels_ahead`` is how many pixels' taps may be gathered
    before the first of them is computed: 1 is serial, 2 overlaps.  ``offset_bytes`` are of one
    pixel, at most a burst; two bursts of offsets are held.
    """

    side: int
    bound: int
    reads_per_pixel: int
    pixels_ahead: int
    compute_ns: float
    weight_bursts: int
    offset_bytes: int
    burst_bytes: int
    transaction_ns: float
    transfer_ns: float
    banks: int
    row_bytes: int
    trcd_ns: float
    trp_ns: float
    read_latency_ns: float
    ns_per_byte: float
    cached: bool
    sets: int
    ways: int
    line_bytes: int
    hit_ns: float


class Counts(NamedTuple):
    """When everything is written, and what the memory did."""

    end_ns: float
    row_hits: int
    row_misses: int
    line_hits: int
    line_misses: int


@njit(cache=True, error_model="numpy")
def run_plan(p: Plan, taps: NDArray[np.int64]) -> Counts:
    """Run one mode.

    Parameters
    ----------
    p : Plan
    taps : int64, shape (side * side * 9,)
        Pixel that each tap of each output pixel reads, where taps are gathered.

    Returns
    -------
    Counts
    """
    pixels = p.side * p.side
    gather = p.reads_per_pixel > 1
    reads = pixels * p.reads_per_pixel
    rows = np.full(p.banks, -1, dtype=np.int64)
    bank_free = np.zeros(p.banks)
    tags = np.full((p.sets, p.ways), -1, dtype=np.int64)
    dirty = np.zeros((p.sets, p.ways), dtype=np.bool_)
    # Bus free from; random state; row hits, row misses, line hits, line misses.
    state = np.array([0.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    arrived, computed = np.zeros(pixels), np.zeros(pixels)
    map_bytes = pixels * p.burst_bytes
    weights_at = 2 * map_bytes
    offsets_at = weights_at + p.weight_bursts * p.burst_bytes
    offset_bursts = -(-pixels * p.offset_bytes // p.burst_bytes)
    offset_arrived = np.zeros(offset_bursts)

    # The weights of a call are loaded before anything else.
    begin = 0.0
    for burst in range(p.weight_bursts):
        begin = _transaction(
            p, weights_at + burst * p.burst_bytes, False, begin, rows, bank_free, tags, dirty, state
        )
    read, done, written, offset = 0, 0, 0, 0
    reader_free = writer_free = offsets_free = begin
    while written < pixels:
        if done < pixels and _input_of(p, done) < read and _offset_of(p, done) < offset:
            last = arrived[done] if gather else arrived[_input_of(p, done)]
            before = computed[done - 1] if done else begin
            if p.offset_bytes:
                before = max(before, offset_arrived[_offset_of(p, done)])
            computed[done] = max(before, last) + p.compute_ns
            done += 1
            continue
        at_read = at_write = at_offset = np.inf
        if read < reads:
            gate = _gate(p, read)
            needs = _offset_of(p, read // p.reads_per_pixel) if gather else -1
            if gate < done and needs < offset:
                at_read = max(reader_free, computed[gate] if gate >= 0 else begin)
                if needs >= 0:
                    at_read = max(at_read, offset_arrived[needs])
        if written < done:
            at_write = max(writer_free, computed[written])
        if offset < offset_bursts:
            # The last pixel with an offset in the burst whose place this one takes.
            gate = ((offset - 1) * p.burst_bytes - 1) // p.offset_bytes if offset > 1 else -1
            if gate < done:
                at_offset = max(offsets_free, computed[gate] if gate >= 0 else begin)
        if at_offset <= at_read and at_offset <= at_write:
            address = offsets_at + offset * p.burst_bytes
            offsets_free = _transaction(
                p, address, False, at_offset, rows, bank_free, tags, dirty, state
            )
            offset_arrived[offset] = offsets_free
            offset += 1
        elif at_read <= at_write:
            pixel = taps[read] if gather else read
            reader_free = _transaction(
                p, pixel * p.burst_bytes, False, at_read, rows, bank_free, tags, dirty, state
            )
            arrived[read // p.reads_per_pixel] = reader_free
            read += 1
        else:
            address = map_bytes + written * p.burst_bytes
            writer_free = _transaction(
                p, address, True, at_write, rows, bank_free, tags, dirty, state
            )
            written += 1
    return Counts(writer_free, int(state[2]), int(state[3]), int(state[4]), int(state[5]))


@njit(cache=True, error_model="numpy")
def _input_of(p: Plan, pixel: int) -> int:
    """The last read without which an output pixel cannot be computed."""
    if p.reads_per_pixel > 1:
        return (pixel + 1) * p.reads_per_pixel - 1
    row = min(pixel // p.side + p.bound, p.side - 1)
    return row * p.side + min(pixel % p.side + p.bound, p.side - 1)


@njit(cache=True, error_model="numpy")
def _offset_of(p: Plan, pixel: int) -> int:
    """The burst in which the last offset of an output pixel lies; -1 without offsets."""
    return ((pixel + 1) * p.offset_bytes - 1) // p.burst_bytes if p.offset_bytes else -1


@njit(cache=True, error_model="numpy")
def _gate(p: Plan, read: int) -> int:
    """The output pixel that must be computed before a read may begin; -1 for none."""
    if p.reads_per_pixel > 1:
        return read // p.reads_per_pixel - p.pixels_ahead
    # The place of the pixel 2N + 1 rows above, whose last window lies N below and N to the right.
    row = read // p.side - p.bound - 1
    if read // p.side < 2 * p.bound + 1:
        return -1
    return row * p.side + min(read % p.side + p.bound, p.side - 1)


@njit(cache=True, error_model="numpy")
def _transaction(
    p: Plan,
    address: int,
    write: bool,
    at: float,
    rows: NDArray[np.int64],
    bank_free: NDArray[np.float64],
    tags: NDArray[np.int64],
    dirty: NDArray[np.bool_],
    state: NDArray[np.float64],
) -> float:
    """Move one burst and return when its port can begin the next."""
    at += p.transaction_ns
    missing = p.burst_bytes
    if p.cached:
        at += p.hit_ns
        missing = 0
        for line in range(address // p.line_bytes, (address + p.burst_bytes) // p.line_bytes):
            if not _touch(p, line, write, at, rows, bank_free, tags, dirty, state):
                # A whole line is written, so it is not fetched.
                missing += 0 if write else p.line_bytes
    if missing == 0:
        return at + p.transfer_ns
    first = _dram(p, address, missing, at, rows, bank_free, state)
    return max(first + p.transfer_ns, first + missing * p.ns_per_byte)


@njit(cache=True, error_model="numpy")
def _touch(
    p: Plan,
    line: int,
    write: bool,
    at: float,
    rows: NDArray[np.int64],
    bank_free: NDArray[np.float64],
    tags: NDArray[np.int64],
    dirty: NDArray[np.bool_],
    state: NDArray[np.float64],
) -> bool:
    """Look a line up, bring it in where it is missing; a dirty victim goes to DRAM."""
    index = line % p.sets
    for way in range(p.ways):
        if tags[index, way] == line:
            dirty[index, way] |= write
            state[4] += 1
            return True
    state[5] += 1
    victim = -1
    for way in range(p.ways):
        if tags[index, way] < 0:
            victim = way
            break
    if victim < 0:
        random = int(state[1])
        state[1] = random >> 1 ^ (_LFSR_TAPS if random & 1 else 0)
        victim = random % p.ways
        if dirty[index, victim]:
            evicted = tags[index, victim] * p.line_bytes
            _dram(p, evicted, p.line_bytes, at, rows, bank_free, state)
    tags[index, victim] = line
    dirty[index, victim] = write
    return False


@njit(cache=True, error_model="numpy")
def _dram(
    p: Plan,
    address: int,
    size: int,
    at: float,
    rows: NDArray[np.int64],
    bank_free: NDArray[np.float64],
    state: NDArray[np.float64],
) -> float:
    """Read or write within one row and return when the first data are on the bus."""
    bank = address // p.row_bytes % p.banks
    row = address // (p.row_bytes * p.banks)
    begin = max(at, bank_free[bank])
    if rows[bank] == row:
        state[2] += 1
    else:
        begin += p.trcd_ns + (p.trp_ns if rows[bank] >= 0 else 0.0)
        rows[bank] = row
        state[3] += 1
    first: float = max(begin + p.read_latency_ns, state[0])
    state[0] = first + size * p.ns_per_byte
    bank_free[bank] = first + size * p.ns_per_byte - p.read_latency_ns
    return first
