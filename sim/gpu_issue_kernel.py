"""Warps of one scheduler issue a kernel's instructions in order: the Numba kernel, one file.

All schedulers of an SM, and all SMs, are taken to be alike: each has one warp of every resident
block, a tensor core, and an equal share of shared memory and of the path to L2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

ALU, LOAD_GLOBAL, STORE_SHARED, BARRIER, LOAD_SHARED, MMA, STORE_RESULT, STORE_GLOBAL = range(8)
FRAGMENT_BUFFERS = 2


class IssueTiming(NamedTuple):
    """Cycles; an instruction of a warp occupies its unit, and its result comes after a latency."""

    mma_initiation: int
    mma_latency: int
    alu_initiation: int
    shared_occupancy: float  # one scheduler's share
    shared_latency: int
    global_occupancy: float
    global_latency: int


@njit(cache=True, error_model="numpy")
def issue(
    timing: IssueTiming,
    kinds: NDArray[np.int64],
    results: NDArray[np.int64],
    buffers: NDArray[np.int64],
    accumulators: int,
    blocks: int,
    resident: int,
) -> float:
    """Cycles until ``blocks`` warps have issued the program and their last result is there.

    Parameters
    ----------
    timing : IssueTiming
    kinds : int64, shape (instructions,)
        One of the constants above.
    results : int64, shape (instructions,)
        Accumulator of an ``MMA``.
    buffers : int64, shape (instructions,)
        Fragment buffer that a ``LOAD_SHARED`` fills and an ``MMA`` reads.
    accumulators : int
        Of a warp.
    blocks, resident : int
        That the SM runs in all, and at once; a warp that ends makes room for the next.
    """
    length = len(kinds)
    position = np.zeros(resident, np.int64)
    ready = np.zeros(resident)  # the next instruction of the warp may issue
    loaded = np.zeros(resident)  # global loads have arrived
    stored = np.zeros(resident)  # shared stores can be seen
    fragments = np.zeros((resident, FRAGMENT_BUFFERS))
    sums = np.zeros((resident, accumulators))
    running = min(resident, blocks)
    started = running
    alive = np.zeros(resident, np.bool_)
    alive[:running] = True
    tensor_free = shared_free = global_free = alu_free = 0.0
    now = end = 0.0
    last = resident - 1
    while running > 0:
        soonest = np.inf
        chosen = -1
        # Loose round robin: the first warp after the last that issued and can issue now.
        for offset in range(1, resident + 1):
            warp = (last + offset) % resident
            if not alive[warp]:
                continue
            here = position[warp]
            kind = kinds[here]
            at = ready[warp]
            if kind == ALU:
                at = max(at, alu_free)
            elif kind == STORE_SHARED:
                at = max(at, max(shared_free, loaded[warp]))
            elif kind == STORE_RESULT:
                at = max(at, max(shared_free, sums[warp].max()))
            elif kind == LOAD_SHARED:
                at = max(at, shared_free)
            elif kind == BARRIER:
                at = max(at, stored[warp])
            elif kind == MMA:
                operands = max(fragments[warp, buffers[here]], sums[warp, results[here]])
                at = max(at, max(tensor_free, operands))
            if at <= now:
                chosen = warp
                break
            soonest = min(soonest, at)
        if chosen < 0:
            now = soonest
            continue
        here = position[chosen]
        kind = kinds[here]
        if kind == ALU:
            alu_free = now + timing.alu_initiation
        elif kind == LOAD_GLOBAL:
            global_free = max(global_free, now) + timing.global_occupancy
            loaded[chosen] = max(loaded[chosen], global_free + timing.global_latency)
        elif kind == STORE_SHARED or kind == STORE_RESULT:
            shared_free = now + timing.shared_occupancy
            stored[chosen] = shared_free + timing.shared_latency
        elif kind == LOAD_SHARED:
            shared_free = now + timing.shared_occupancy
            buffer = buffers[here]
            fragments[chosen, buffer] = shared_free + timing.shared_latency
        elif kind == MMA:
            tensor_free = now + timing.mma_initiation
            sums[chosen, results[here]] = now + timing.mma_latency
            end = max(end, now + timing.mma_latency)
        # A global store leaves by the request network, on which nothing waits.
        ready[chosen] = now + 1
        position[chosen] += 1
        last = chosen
        if position[chosen] == length:
            end = max(end, now + 1)
            if started < blocks:
                started += 1
                position[chosen] = 0
            else:
                alive[chosen] = False
                running -= 1
        now += 1
    return end
