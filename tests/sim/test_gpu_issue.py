"""sim/gpu_issue.py and its kernel: programs timed by hand, and limits of the published one."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.arch.accel_sim import accel_sim
from dovetail.sim.gpu_issue import issue_cycles, warp_program
from dovetail.sim.gpu_issue_kernel import (
    ALU,
    BARRIER,
    LOAD_GLOBAL,
    LOAD_SHARED,
    MMA,
    STORE_GLOBAL,
    STORE_RESULT,
    STORE_SHARED,
    IssueTiming,
    issue,
)

TIMING = IssueTiming(
    mma_initiation=8,
    mma_latency=20,
    alu_initiation=2,
    shared_occupancy=16.0,
    shared_latency=29,
    global_occupancy=64.0,
    global_latency=226,
)
Program = list[tuple[int, int, int]]  # kind, accumulator, fragment buffer


def cycles(program: Program, *, blocks: int = 1, resident: int = 1) -> float:
    kinds, results, buffers = (np.array(column) for column in zip(*program, strict=True))
    return float(issue(TIMING, kinds, results, buffers, 8, blocks, resident))


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ([(ALU, 0, 0)], 1),
        ([(ALU, 0, 0)] * 3, 2 + 2 + 1),
        ([(MMA, 0, 0)], 20),
        # The second waits for the first's sum; another accumulator for the unit only.
        ([(MMA, 0, 0), (MMA, 0, 0)], 20 + 20),
        ([(MMA, 0, 0), (MMA, 1, 0)], 8 + 20),
        # A fragment is there when its load is through and its latency over.
        ([(LOAD_SHARED, 0, 1), (MMA, 0, 1)], 16 + 29 + 20),
        ([(LOAD_SHARED, 0, 1)] * 2 + [(MMA, 0, 1)], 16 + 16 + 29 + 20),
        ([(LOAD_SHARED, 0, 1), (MMA, 0, 0)], 1 + 20),
        # A shared store takes what a global load brings, the second one 64 cycles after the first.
        ([(LOAD_GLOBAL, 0, 0), (STORE_SHARED, 0, 0)], 64 + 226 + 1),
        ([(LOAD_GLOBAL, 0, 0)] * 2 + [(STORE_SHARED, 0, 0)], 128 + 226 + 1),
        # A barrier waits until the store can be seen; a global store is waited for by nothing.
        ([(STORE_SHARED, 0, 0), (BARRIER, 0, 0)], 16 + 29 + 1),
        ([(STORE_GLOBAL, 0, 0)] * 4, 4),
        # A result is stored when every sum is there.
        ([(MMA, 0, 0), (MMA, 1, 0), (STORE_RESULT, 0, 0)], 8 + 20 + 1),
    ],
)
def test_programs_by_hand(program: Program, expected: float) -> None:
    assert cycles(program) == expected


def test_a_second_warp_fills_the_first_one_s_gaps() -> None:
    chain = [(MMA, 0, 0)] * 4
    assert cycles(chain) == 4 * 20
    assert cycles(chain, blocks=2, resident=1) == 8 * 20
    # The second warp's first product waits for the unit, 8 cycles; then both keep step.
    assert cycles(chain, blocks=2, resident=2) == 8 + 4 * 20
    # Three warps need 24 cycles of the unit for what takes one of them 20.
    assert cycles(chain, blocks=3, resident=3) == 12 * 8 + 12


INSTRUCTIONS = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(0, 1)), min_size=1, max_size=30
)


@settings(max_examples=40)
@given(program=INSTRUCTIONS, blocks=st.integers(1, 5), resident=st.integers(1, 4))
def test_compiled_and_interpreted_kernels_agree(
    program: Program, blocks: int, resident: int
) -> None:
    kinds, results, buffers = (np.array(column) for column in zip(*program, strict=True))
    arguments = (TIMING, kinds, results, buffers, 8, blocks, resident)
    assert issue(*arguments) == issue.py_func(*arguments)


@settings(max_examples=40)
@given(program=INSTRUCTIONS, blocks=st.integers(1, 5), resident=st.integers(1, 4))
def test_no_program_is_faster_than_its_units_or_than_one_instruction_a_cycle(
    program: Program, blocks: int, resident: int
) -> None:
    taken = cycles(program, blocks=blocks, resident=resident)
    count = {kind: sum(k == kind for k, _, _ in program) * blocks for kind in range(8)}
    assert taken >= len(program) * blocks
    if count[MMA]:
        assert taken >= (count[MMA] - 1) * TIMING.mma_initiation + TIMING.mma_latency
    if count[ALU]:
        assert taken > (count[ALU] - 1) * TIMING.alu_initiation


LOG, KERNEL = accel_sim().log, accel_sim().kernel
# 1,728 blocks of 80 steps, in each of which a warp issues 2 x 4 x 2 instructions twice.
PRODUCTS = 1728 // 108 * 80 * 2 * 4 * 2 * 2


def test_a_kernel_of_one_instruction_by_hand() -> None:
    """One block of one warp with one product, 16 x 8 x 16, on the log's settings."""
    tiny = replace(
        KERNEL,
        m=16,
        n=8,
        k=16,
        block_m=16,
        block_n=8,
        step_k=16,
        warp_m=16,
        warp_n=8,
        mma_copies=1,
        thread_instructions=1,  # so that nothing is left over beside the program
    )
    assert [kind for kind, _, _ in warp_program(tiny)] == [
        *(LOAD_GLOBAL, LOAD_GLOBAL, STORE_SHARED, STORE_SHARED, BARRIER, LOAD_SHARED, LOAD_SHARED),
        *(MMA, STORE_RESULT, BARRIER, LOAD_SHARED, STORE_GLOBAL),
    ]
    # 16 and 8 rows of 16 values: 768 bytes, two accesses of 512; a scheduler has a quarter of 32
    # bytes a cycle from L2 and of 128 of shared memory.
    loaded = 2 * 64 + 39 + 187
    stored = loaded + 2 * 16 + 29
    fragment = (stored + 1) + 2 * 16 + 29
    product = fragment + 16
    visible = product + 16 + 29
    assert issue_cycles(LOG, tiny) == visible + 3  # barrier, load, and the store to memory


def test_the_published_kernel_keeps_its_tensor_core_busy_most_of_the_time() -> None:
    taken = issue_cycles(LOG, KERNEL)
    assert PRODUCTS * 16 == 655360
    assert 655360 < taken < 1.5 * 655360


def test_an_instant_memory_leaves_only_products_and_instructions() -> None:
    """One block at a time: products, and what stands between two of them."""
    instant = replace(
        LOG,
        shared_bytes_per_cycle=1 << 20,
        shared_latency_cycles=1,
        l1_latency_cycles=1,
        l2_latency_cycles=1,
        l2_bytes_per_cycle_per_sm=1 << 20,
    )
    taken = issue_cycles(instant, KERNEL)
    assert 655360 <= taken < 1.02 * 655360


def test_registers_limit_the_blocks_of_an_sm() -> None:
    """92 registers of 128 threads: five blocks of 65,536; more room changes nothing."""
    many, five = (replace(LOG, blocks_per_sm=blocks) for blocks in (32, 5))
    assert issue_cycles(many, KERNEL) == issue_cycles(five, KERNEL)
    assert issue_cycles(replace(LOG, blocks_per_sm=1), KERNEL) > issue_cycles(LOG, KERNEL)


def test_the_program_is_as_long_as_the_trace() -> None:
    """7,899 instructions a warp, of which those of the loop are divided evenly among its steps."""
    traced = KERNEL.thread_instructions / 32 / (1728 * 4)
    length = len(warp_program(KERNEL))
    assert traced - 80 < length <= traced
    kinds = [kind for kind, _, _ in warp_program(KERNEL)]
    assert kinds.count(MMA) * 1728 // 108 == PRODUCTS
    # 64 x 32 of both operands in every step, a quarter of it each warp's, 512 bytes at once.
    assert kinds.count(LOAD_GLOBAL) == 80 * 2 * 64 * 32 * 2 // 4 // 512
