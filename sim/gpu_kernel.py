"""Cost of a GEMM on a GPU under one tiling, and the search for the best: Numba kernels, one file.

A kernel is output stationary.  A thread block owns ``block_m`` x ``block_n`` results in registers,
its warps (those that issue an instruction together) ``warp_m`` x ``warp_n`` each, and walks k in
steps of ``step_k`` through a ring of ``stages`` buffers in shared memory.  The slowest of five
bounds decides:

* tensor: matrix instructions of the SM that gets the most blocks;
* shared: that SM's traffic to and from shared memory;
* latency: the chain of loads, products and stores of each of its blocks, where too few blocks are
  resident to hide it;
* l2: every block's operands, and the results;
* dram: what L2 does not hold from one group of concurrent blocks to the next.

One file, since Numba's cache does not see an edit of a callee in another one.
"""

from __future__ import annotations

from typing import NamedTuple

from numba import njit

BYTES_PER_WARP_REGISTER = 128
REGISTER_GRANULE = 8
"""Registers are allotted to a thread in eights (CUDA C++ Programming Guide, occupancy)."""
SHARED_BYTES_RESERVED = 1024
"""Of each block, by the system (Ampere Tuning Guide, 1.4.2.3: 164 KB an SM, 163 KB a block)."""
MAX_WARPS_PER_BLOCK = 32
MAX_BLOCK_M, MAX_BLOCK_N, MAX_STAGES = 256, 1024, 4


class GpuRates(NamedTuple):
    """What the kernel must know of a machine and its operands; cycles of the SM's clock."""

    sms: int
    tensor_cores: int  # of one SM
    macs_per_cycle: float  # of one tensor core
    instruction_m: int
    instruction_n: int
    instruction_k: int
    instruction_warps: int  # that issue it together
    a_bytes: float  # of one activation, or of its share of a table, in memory
    w_bytes: float  # of one weight in memory
    a_register_bytes: float
    w_register_bytes: float
    accumulator_bytes: float
    output_bytes: float
    registers_per_sm: int
    registers_per_thread: int
    other_registers: int  # of a thread: neither accumulators nor operands
    warps_per_sm: int
    blocks_per_sm: int
    shared_per_sm: int
    shared_per_block: int
    shared_bytes_per_cycle: float  # of one SM
    l2_bytes: float
    l2_bytes_per_cycle: float
    dram_bytes_per_cycle: float
    load_latency: float


class Problem(NamedTuple):
    """``gemms`` GEMMs of ``m`` x ``n`` results with ``k`` products each."""

    m: int
    n: int
    k: int
    gemms: int


class Tiling(NamedTuple):
    """One way to cut a GEMM; the module's docstring says what the fields are."""

    block_m: int
    block_n: int
    step_k: int
    warp_m: int
    warp_n: int
    stages: int


class TilingCost(NamedTuple):
    """What a tiling costs; ``cycles`` is the largest of the five, 0 where it does not fit."""

    cycles: float
    tensor_cycles: float
    shared_cycles: float
    latency_cycles: float
    l2_cycles: float
    dram_cycles: float
    l2_moved: float  # bytes
    dram_moved: float
    resident: int  # blocks of an SM
    registers: int  # of a thread


@njit(cache=True, error_model="numpy")
def _ceil_div(a: int, b: int) -> int:
    return -(-a // b)


@njit(cache=True, error_model="numpy")
def registers_of(r: GpuRates, t: Tiling) -> int:
    """32-bit registers of a thread: accumulators, two sets of operands, and the rest."""
    accumulators = r.accumulator_bytes * t.warp_m * t.warp_n / r.instruction_warps
    operands = 2 * r.instruction_k * (t.warp_m * r.a_register_bytes + t.warp_n * r.w_register_bytes)
    each = -(-accumulators // BYTES_PER_WARP_REGISTER) - (-operands // BYTES_PER_WARP_REGISTER)
    return _ceil_div(int(each) + r.other_registers, REGISTER_GRANULE) * REGISTER_GRANULE


@njit(cache=True, error_model="numpy")
def resident_blocks(r: GpuRates, t: Tiling, registers: int) -> int:
    """Blocks that an SM holds at once; 0 where not one fits."""
    warps = (t.block_m // t.warp_m) * (t.block_n // t.warp_n) * r.instruction_warps
    shared = t.stages * t.step_k * (t.block_m * r.a_bytes + t.block_n * r.w_bytes)
    if (
        warps > MAX_WARPS_PER_BLOCK
        or registers > r.registers_per_thread
        or shared > r.shared_per_block
    ):
        return 0
    by_registers = r.registers_per_sm // (registers * 32 * warps)
    by_shared = int(r.shared_per_sm // (shared + SHARED_BYTES_RESERVED))
    return min(min(by_registers, by_shared), min(r.warps_per_sm // warps, r.blocks_per_sm))


@njit(cache=True, error_model="numpy")
def dram_bytes(r: GpuRates, p: Problem, t: Tiling, concurrent: int) -> float:
    """Bytes that DRAM moves for one GEMM of ``p``: the best rectangle of concurrent blocks.

    The blocks that run at once form a rectangle of the grid and walk k together, so each operand
    panel of the rectangle comes from DRAM once.  From one rectangle to the next L2 keeps a panel
    where it fits beside the other operand's panel, and an operand where all of it fits beside one
    panel of the other.
    """
    grid_m, grid_n = _ceil_div(p.m, t.block_m), _ceil_div(p.n, t.block_n)
    a_all, w_all = p.m * p.k * r.a_bytes, p.n * p.k * r.w_bytes
    best = -1.0
    high = 1
    while True:
        high = min(high, grid_m)
        wide = max(1, min(grid_n, concurrent // high))
        rows, cols = _ceil_div(grid_m, high), _ceil_div(grid_n, wide)
        a_panel = min(a_all, high * t.block_m * p.k * r.a_bytes)
        w_panel = min(w_all, wide * t.block_n * p.k * r.w_bytes)
        both = a_panel + w_panel <= r.l2_bytes
        # Row by row: the row's panel of A stays, W comes again for each row; or column by column.
        a_times = 1 if both else cols
        w_times = 1 if w_all + a_panel <= r.l2_bytes else rows
        by_rows = a_all * a_times + w_all * w_times
        w_times = 1 if both else rows
        a_times = 1 if a_all + w_panel <= r.l2_bytes else cols
        moved = min(by_rows, a_all * a_times + w_all * w_times)
        if best < 0 or moved < best:
            best = moved
        if high == grid_m or high >= concurrent:
            return best + p.m * p.n * r.output_bytes
        high *= 2


@njit(cache=True, error_model="numpy")
def sm_cycles(r: GpuRates, p: Problem, t: Tiling, resident: int) -> tuple[float, float, float]:
    """The bounds ``tensor``, ``shared`` and ``latency`` of the SM that gets the most blocks."""
    blocks = _ceil_div(p.m, t.block_m) * _ceil_div(p.n, t.block_n) * p.gemms
    most = _ceil_div(blocks, r.sms)
    warps_m, warps_n = t.block_m // t.warp_m, t.block_n // t.warp_n
    warps = warps_m * warps_n * r.instruction_warps
    steps = _ceil_div(p.k, t.step_k)
    a_step, w_step = t.block_m * t.step_k * r.a_bytes, t.block_n * t.step_k * r.w_bytes
    # Written once; each warp reads its own rows of A and columns of W.
    shared = (a_step * (1 + warps_n) + w_step * (1 + warps_m)) / r.shared_bytes_per_cycle
    products = t.block_m * t.block_n * t.step_k / r.macs_per_cycle
    alone = max(products / min(r.tensor_cores, warps), shared)
    together = min(r.tensor_cores, warps * min(resident, most))
    l2_share = r.l2_bytes_per_cycle / r.sms
    first = r.load_latency + (a_step + w_step) / l2_share
    last = t.block_m * t.block_n * r.output_bytes / l2_share
    step = max(alone, r.load_latency / (t.stages - 1))
    return (
        most * steps * products / together,
        most * steps * shared,
        _ceil_div(most, resident) * (first + steps * step + last),
    )


@njit(cache=True, error_model="numpy")
def l2_bytes_of(r: GpuRates, p: Problem, t: Tiling) -> float:
    """Bytes between L2 and the SMs, of all ``p.gemms`` GEMMs."""
    a = p.m * p.k * r.a_bytes * _ceil_div(p.n, t.block_n)
    w = p.n * p.k * r.w_bytes * _ceil_div(p.m, t.block_m)
    return (a + w + p.m * p.n * r.output_bytes) * p.gemms


@njit(cache=True, error_model="numpy")
def tiling_cost(r: GpuRates, p: Problem, t: Tiling) -> TilingCost:
    """What ``p`` costs under ``t``."""
    registers = registers_of(r, t)
    resident = resident_blocks(r, t, registers)
    if resident == 0:
        return TilingCost(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, registers)
    tensor, shared, latency = sm_cycles(r, p, t, resident)
    l2_moved = l2_bytes_of(r, p, t)
    dram_moved = dram_bytes(r, p, t, r.sms * resident) * p.gemms
    l2, dram = l2_moved / r.l2_bytes_per_cycle, dram_moved / r.dram_bytes_per_cycle
    cycles = max(max(tensor, shared), max(latency, max(l2, dram)))
    return TilingCost(
        cycles, tensor, shared, latency, l2, dram, l2_moved, dram_moved, resident, registers
    )


@njit(cache=True, error_model="numpy")
def best_tiling(r: GpuRates, p: Problem) -> tuple[Tiling, TilingCost]:
    """Search every tiling of powers of two: least cycles, then least DRAM, then least L2 traffic.

    ``cycles`` is 0 where nothing fits.
    """
    best_t = Tiling(0, 0, 0, 0, 0, 0)
    best = TilingCost(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0)
    block_m = r.instruction_m
    while block_m <= MAX_BLOCK_M and (block_m == r.instruction_m or block_m < 2 * p.m):
        block_n = r.instruction_n
        while block_n <= MAX_BLOCK_N and (block_n == r.instruction_n or block_n < 2 * p.n):
            for doublings in range(3):
                step_k = r.instruction_k << doublings
                warp_m = r.instruction_m
                while warp_m <= block_m:
                    warp_n = r.instruction_n
                    while warp_n <= block_n:
                        for stages in range(2, MAX_STAGES + 1):
                            t = Tiling(block_m, block_n, step_k, warp_m, warp_n, stages)
                            registers = registers_of(r, t)
                            resident = resident_blocks(r, t, registers)
                            if resident == 0:
                                continue
                            # The cheap bounds first: most tilings need no look at DRAM.
                            if best.cycles > 0 and max(sm_cycles(r, p, t, resident)) > best.cycles:
                                continue
                            cost = tiling_cost(r, p, t)
                            if best.cycles == 0 or (
                                cost.cycles,
                                cost.dram_moved,
                                cost.l2_moved,
                            ) < (best.cycles, best.dram_moved, best.l2_moved):
                                best_t, best = t, cost
                        warp_n *= 2
                    warp_m *= 2
            block_n *= 2
        block_m *= 2
    return best_t, best
