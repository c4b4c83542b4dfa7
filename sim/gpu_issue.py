"""Cycles of one traced GEMM kernel, instruction by instruction: the LMMA-level check of the bounds.

Cycle-approximate.  A warp issues in order; what an instruction waits for is its operands and its
unit.  The program is CUTLASS's loop with two stages (``MmaPipelined``): fetch the next tile into
registers, multiply the first groups of k, put the tile into shared memory, meet the block's other
warps, multiply the last group.  Nothing is fitted: latencies and rates are the run's settings, and
the instructions beside those are what its count leaves over, spread evenly.
"""

from __future__ import annotations

import numpy as np

from dovetail.arch.accel_sim import AccelSimRun, TracedKernel
from dovetail.sim.gpu_issue_kernel import (
    ALU,
    BARRIER,
    FRAGMENT_BUFFERS,
    LOAD_GLOBAL,
    LOAD_SHARED,
    MMA,
    STORE_GLOBAL,
    STORE_RESULT,
    STORE_SHARED,
    IssueTiming,
    issue,
)

__all__ = ["issue_cycles", "warp_program"]

WARP_SIZE = 32
VECTOR_BYTES = 16
"""A thread moves 16 bytes with one instruction, as CUTLASS's iterators do (128-bit accesses)."""
ACCESS_BYTES = WARP_SIZE * VECTOR_BYTES

Instruction = tuple[int, int, int]
"""Kind, accumulator and fragment buffer, as in :func:`dovetail.sim.gpu_issue_kernel.issue`."""


def issue_cycles(run: AccelSimRun, kernel: TracedKernel) -> float:
    """Cycles of ``kernel`` under the settings of ``run``."""
    program = np.array(warp_program(kernel), dtype=np.int64)
    per_warp = kernel.warps * WARP_SIZE
    resident = min(
        run.blocks_per_sm, run.registers_per_sm // (kernel.registers_per_thread * per_warp)
    )
    share = run.schedulers_per_sm * ACCESS_BYTES
    timing = IssueTiming(
        mma_initiation=run.mma_initiation_cycles,
        mma_latency=run.mma_latency_cycles,
        alu_initiation=run.alu_initiation_cycles,
        shared_occupancy=share / run.shared_bytes_per_cycle,
        shared_latency=run.shared_latency_cycles,
        global_occupancy=share / run.l2_bytes_per_cycle_per_sm,
        global_latency=run.l1_latency_cycles + run.l2_latency_cycles,
    )
    cycles = issue(
        timing,
        program[:, 0],
        program[:, 1],
        program[:, 2],
        _tiles(kernel),
        -(-kernel.blocks // run.sms),
        resident,
    )
    return float(cycles)


def _tiles(kernel: TracedKernel) -> int:
    """Accumulator tiles of a warp, one an instruction."""
    return kernel.warp_m // kernel.mma_m * (kernel.warp_n // kernel.mma_n)


def _accesses(values: int, kernel: TracedKernel) -> int:
    """Instructions with which a warp moves ``values`` operands."""
    return -(-values * kernel.operand_bytes // ACCESS_BYTES)


def warp_program(kernel: TracedKernel) -> list[Instruction]:
    """What one warp issues for one block."""
    steps, groups = -(-kernel.k // kernel.step_k), kernel.step_k // kernel.mma_k
    tile = _accesses((kernel.block_m + kernel.block_n) * kernel.step_k // kernel.warps, kernel)
    fragments = _accesses((kernel.warp_m + kernel.warp_n) * kernel.mma_k, kernel)
    outputs = _accesses(kernel.warp_m * kernel.warp_n, kernel)
    fetch: list[Instruction] = [(LOAD_GLOBAL, 0, 0)] * tile
    publish: list[Instruction] = [*[(STORE_SHARED, 0, 0)] * tile, (BARRIER, 0, 0)]

    def program(others: int) -> list[Instruction]:
        made = [*fetch, *publish, *[(LOAD_SHARED, 0, 0)] * fragments]
        for step in range(steps):
            last = step == steps - 1
            for group in range(groups):
                buffer, following = group % FRAGMENT_BUFFERS, (group + 1) % FRAGMENT_BUFFERS
                if group == groups - 1 and not last:
                    made += publish
                if group < groups - 1 or not last:
                    made += [(LOAD_SHARED, 0, following)] * fragments
                if group == 0 and not last:
                    made += fetch
                made += [(ALU, 0, 0)] * (others // groups + (group < others % groups))
                for result in range(_tiles(kernel)):
                    made += [(MMA, result, buffer)] * kernel.mma_copies
        return [
            *made,
            *[(STORE_RESULT, 0, 0)] * outputs,
            (BARRIER, 0, 0),
            *[(LOAD_SHARED, 0, 0)] * outputs,
            *[(STORE_GLOBAL, 0, 0)] * outputs,
        ]

    per_warp = kernel.thread_instructions // (WARP_SIZE * kernel.warps * kernel.blocks)
    return program(max(0, (per_warp - len(program(0))) // steps))
