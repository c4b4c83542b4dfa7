"""sim/gpu_kernel.py: bounds by hand, limits that no tiling beats, the search by brute force."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.sim.gpu_kernel import (
    GpuRates,
    Problem,
    Tiling,
    TilingCost,
    best_tiling,
    dram_bytes,
    l2_bytes_of,
    registers_of,
    resident_blocks,
    sm_cycles,
    tiling_cost,
)
from dovetail.tests.sim.gpu_cases import SMALL

SQUARE = Tiling(block_m=64, block_n=64, step_k=32, warp_m=32, warp_n=32, stages=3)


def test_registers_of_a_thread_by_hand() -> None:
    """32 x 32 sums of 4 bytes over 32 threads: 32; two sets of (32 + 32) x 16 of 2: 32; 28 more."""
    assert registers_of(SMALL, SQUARE) == 96  # 92, in eights
    assert registers_of(SMALL._replace(accumulator_bytes=2.0), SQUARE) == 80  # 76
    assert registers_of(SMALL._replace(instruction_warps=4), SQUARE) == 72  # 8 + 32 + 28


@pytest.mark.parametrize(
    ("change", "blocks"),
    [
        ({}, 5),  # 65,536 / (96 x 128) = 5.3 of registers; 24 KB of 164: 6.5
        ({"registers_per_sm": 131072}, 6),
        ({"registers_per_thread": 95}, 0),
        ({"shared_per_block": 24575}, 0),
        ({"shared_per_sm": 2 * (24576 + 1024)}, 2),
        ({"shared_per_sm": 2 * (24576 + 1024) - 1}, 1),
        ({"warps_per_sm": 11}, 2),
        ({"blocks_per_sm": 4}, 4),
    ],
)
def test_resident_blocks_by_hand(change: dict[str, int], blocks: int) -> None:
    rates = SMALL._replace(**change)
    assert resident_blocks(rates, SQUARE, registers_of(rates, SQUARE)) == blocks


def test_no_block_has_more_than_1024_threads() -> None:
    tiling = Tiling(256, 64, 16, 16, 16, 2)  # 64 warps
    assert resident_blocks(SMALL, tiling, registers_of(SMALL, tiling)) == 0


def test_bounds_of_an_sm_by_hand() -> None:
    """100 x 130 x 70 in blocks of 64 x 64 x 32: 2 x 3 blocks, 3 an SM, 3 steps."""
    tensor, shared, latency = sm_cycles(SMALL, Problem(100, 130, 70, 1), SQUARE, 5)
    assert tensor == 3 * 3 * (64 * 64 * 32) / (4 * 64)
    # 8 KB a step written, and read by two rows or columns of warps each.
    step = (8192 + 2 * 8192) / 128
    assert shared == 3 * 3 * step
    # All three blocks run at once: one chain of a load, three steps and a store, at half of L2.
    products = 64 * 64 * 32 / 256
    assert latency == (300 + 8192 / 32) + 3 * max(products, step) + 64 * 64 * 2 / 32
    _, _, alone = sm_cycles(SMALL, Problem(100, 130, 70, 1), SQUARE, 1)
    assert alone == 3 * latency


def test_each_warp_reads_its_own_rows_and_columns_from_shared_memory() -> None:
    """64 x 128 in warps of 32 x 32: A for each of four columns of warps, W for each of two rows."""
    tiling = Tiling(64, 128, 32, 32, 32, 3)
    rates = SMALL._replace(w_bytes=0.25)
    a, w = 64 * 32 * 2, 128 * 32 * 0.25
    shared = sm_cycles(rates, Problem(64, 128, 32, 1), tiling, 1)[1]
    assert shared == (a + 4 * a + w + 2 * w) / 128


def test_a_shallow_ring_waits_for_its_loads() -> None:
    deep = SQUARE._replace(stages=4)
    slow = SMALL._replace(load_latency=30000.0)
    shallow_cycles = sm_cycles(slow, Problem(64, 64, 320, 1), SQUARE._replace(stages=2), 1)[2]
    deep_cycles = sm_cycles(slow, Problem(64, 64, 320, 1), deep, 1)[2]
    first_and_last = 30000 + 8192 / 32 + 64 * 64 * 2 / 32
    assert shallow_cycles == first_and_last + 10 * 30000
    assert deep_cycles == first_and_last + 10 * 10000


def test_few_warps_leave_tensor_cores_idle() -> None:
    one_warp = Tiling(32, 32, 32, 32, 32, 3)
    problem = Problem(32, 32, 32, 1)
    assert sm_cycles(SMALL, problem, one_warp, 1)[0] == 32 * 32 * 32 / 64
    assert sm_cycles(SMALL, problem, one_warp, 4)[0] == 32 * 32 * 32 / 64
    four_blocks = Problem(32, 32, 32, 8)
    assert sm_cycles(SMALL, four_blocks, one_warp, 4)[0] == 4 * 32 * 32 * 32 / 256


def test_l2_carries_each_operand_once_for_each_block_of_the_other() -> None:
    a, w, out = 100 * 70 * 2, 130 * 70 * 2, 100 * 130 * 2
    assert l2_bytes_of(SMALL, Problem(100, 130, 70, 3), SQUARE) == 3 * (3 * a + 2 * w + out)


def test_dram_moves_everything_once_where_l2_holds_it() -> None:
    a, w, out = 100 * 70 * 2, 130 * 70 * 2, 100 * 130 * 2
    assert dram_bytes(SMALL, Problem(100, 130, 70, 1), SQUARE, 1) == a + w + out


def test_dram_moves_panels_again_where_l2_holds_nothing() -> None:
    """One block at a time and no L2: as many times as L2 itself; four in a square: half."""
    none = SMALL._replace(l2_bytes=0.0)
    problem = Problem(256, 256, 64, 1)
    operand, out = 256 * 64 * 2, 256 * 256 * 2
    assert dram_bytes(none, problem, SQUARE, 1) == 4 * operand + 4 * operand + out
    assert dram_bytes(none, problem, SQUARE, 4) == 2 * operand + 2 * operand + out
    assert dram_bytes(none, problem, SQUARE, 16) == operand + operand + out


def test_dram_keeps_one_panel_where_that_is_all_that_fits() -> None:
    """Two panels of one block fit: one operand once, the other once for each of four rows."""
    panel = 64 * 64 * 2
    some = SMALL._replace(l2_bytes=2.0 * panel)
    operand, out = 256 * 64 * 2, 256 * 256 * 2
    assert dram_bytes(some, Problem(256, 256, 64, 1), SQUARE, 1) == operand + 4 * operand + out
    all_of_one = SMALL._replace(l2_bytes=float(panel + operand))
    assert dram_bytes(all_of_one, Problem(256, 256, 64, 1), SQUARE, 1) == 2 * operand + out


@pytest.mark.parametrize(("m", "n"), [(1024, 128), (128, 1024)])
def test_dram_keeps_all_of_the_smaller_operand(m: int, n: int) -> None:
    """Two panels of one operand and one of the other fit; the larger one then comes once."""
    panel, out = 64 * 64 * 2, m * n * 2
    some = SMALL._replace(l2_bytes=3.0 * panel)
    assert dram_bytes(some, Problem(m, n, 64, 1), SQUARE, 1) == (16 + 2) * panel + out


PROBLEMS = st.builds(
    Problem,
    m=st.sampled_from([1, 2, 15, 16, 17, 64, 100, 1000]),
    n=st.sampled_from([1, 7, 8, 9, 64, 128, 130, 3000]),
    k=st.sampled_from([1, 16, 17, 100, 4096]),
    gemms=st.sampled_from([1, 2, 33]),
)
TILINGS = st.builds(
    Tiling,
    block_m=st.sampled_from([16, 64, 256]),
    block_n=st.sampled_from([8, 64, 512]),
    step_k=st.sampled_from([16, 64]),
    warp_m=st.sampled_from([16]),
    warp_n=st.sampled_from([8]),
    stages=st.sampled_from([2, 4]),
) | st.just(SQUARE)
RATES = st.builds(
    lambda l2, latency: SMALL._replace(l2_bytes=l2, load_latency=latency),
    st.sampled_from([0.0, 1e4, 1e6]),
    st.sampled_from([0.0, 300.0]),
)


@settings(max_examples=60)
@given(rates=RATES, problem=PROBLEMS, tiling=TILINGS)
def test_compiled_and_interpreted_kernels_agree(
    rates: GpuRates, problem: Problem, tiling: Tiling
) -> None:
    assert tiling_cost(rates, problem, tiling) == tiling_cost.py_func(rates, problem, tiling)


@settings(max_examples=60)
@given(rates=RATES, problem=PROBLEMS)
def test_the_best_tiling_beats_no_limit(rates: GpuRates, problem: Problem) -> None:
    """Neither peak nor bandwidth nor compulsory traffic, and L2 moves what DRAM does at least."""
    _, cost = best_tiling(rates, problem)
    m, n, k, gemms = problem
    assert cost.cycles >= m * n * k * gemms / (rates.sms * rates.tensor_cores * 64)
    compulsory = (m * k * 2 + n * k * 2 + m * n * 2) * gemms
    assert cost.dram_moved >= compulsory
    assert cost.l2_moved >= compulsory
    assert cost.cycles >= cost.dram_moved / rates.dram_bytes_per_cycle
    assert cost.cycles >= cost.l2_moved / rates.l2_bytes_per_cycle
    assert cost.cycles >= rates.load_latency


def cheapest(rates: GpuRates, problem: Problem) -> TilingCost:
    """Every tiling of powers of two, by brute force."""
    costs = []
    for block_m, block_n, step_k, stages in product(
        (16, 32, 64, 128, 256),
        (8, 16, 32, 64, 128, 256, 512, 1024),
        (16, 32, 64),
        (2, 3, 4),
    ):
        for warp_m, warp_n in product((16, 32, 64, 128, 256), (8, 16, 32, 64, 128, 256, 512, 1024)):
            if warp_m <= block_m and warp_n <= block_n:
                tiling = Tiling(block_m, block_n, step_k, warp_m, warp_n, stages)
                cost = tiling_cost(rates, problem, tiling)
                if cost.cycles > 0:
                    costs.append(cost)
    return min(costs, key=lambda cost: (cost.cycles, cost.dram_moved, cost.l2_moved))


FAST = SMALL._replace(macs_per_cycle=4096.0, l2_bytes_per_cycle=1e4, dram_bytes_per_cycle=1e3)
LONG = FAST._replace(a_bytes=2.25, a_register_bytes=2.25, w_bytes=0.25, w_register_bytes=0.25)


@pytest.mark.parametrize(
    ("rates", "problem"),
    [
        (SMALL, Problem(300, 500, 200, 1)),
        (SMALL._replace(l2_bytes=1e5), Problem(1000, 3000, 512, 1)),
        (SMALL._replace(l2_bytes=1e4), Problem(33, 40, 100, 7)),
        (FAST, Problem(1000, 3000, 512, 1)),
        (FAST, Problem(64, 64, 2048, 1)),
        (LONG._replace(accumulator_bytes=2.0), Problem(1000, 3000, 512, 1)),
        (LONG._replace(registers_per_thread=96), Problem(500, 300, 2000, 1)),
    ],
)
def test_the_search_finds_what_brute_force_finds(rates: GpuRates, problem: Problem) -> None:
    _, found = best_tiling(rates, problem)
    best = cheapest(rates, problem)
    assert (found.cycles, found.dram_moved, found.l2_moved) == (
        best.cycles,
        best.dram_moved,
        best.l2_moved,
    )


def test_more_of_anything_never_takes_longer() -> None:
    problem = Problem(1000, 3000, 512, 1)
    cycles = best_tiling(SMALL, problem)[1].cycles
    for change in (
        {"registers_per_sm": 131072, "registers_per_thread": 510},
        {"l2_bytes": 1e7},
        {"l2_bytes_per_cycle": 128.0},
        {"dram_bytes_per_cycle": 16.0},
        {"macs_per_cycle": 128.0},
        {"shared_bytes_per_cycle": 256.0},
        {"load_latency": 100.0},
        {"sms": 4},
    ):
        assert best_tiling(SMALL._replace(**change), problem)[1].cycles <= cycles, change
