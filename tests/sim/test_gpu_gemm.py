"""sim/gpu_gemm.py: a machine's numbers as the kernel gets them, and the paper's own tiling."""

from dataclasses import replace

import pytest

from dovetail.arch.gpu_machine import gpu_machines, machine_preset
from dovetail.errors import ConfigError
from dovetail.sim.gpu_gemm import Operands, gpu_rates, simulate_gpu_gemm
from dovetail.sim.gpu_kernel import Problem, Tiling

KERNEL = Problem(2048, 27648, 5120, 1)
ONE_BIT = Operands(a="table", weight_bits=1)
# Section 4.3: "thread block [128,512,32], warp [64,256,32]" for W1 A8.
ELONGATED = Tiling(block_m=128, block_n=512, step_k=32, warp_m=64, warp_n=256, stages=2)


def test_operands_of_a_lut_machine() -> None:
    rates = gpu_rates(machine_preset("a100-lut-4x"), Operands(a="table", weight_bits=2))
    assert (rates.a_bytes, rates.w_bytes) == (18 / 8, 2 / 8)
    assert (rates.a_register_bytes, rates.w_register_bytes) == (18 / 8, 2 / 8)
    assert rates.macs_per_cycle == 4 * 512 / 2
    assert rates.registers_per_sm == 2 * 65536 and rates.registers_per_thread == 2 * 255
    raw = gpu_rates(machine_preset("a100-lut-4x"), Operands(a="activation", weight_bits=8))
    assert (raw.a_bytes, raw.w_bytes, raw.macs_per_cycle) == (1.0, 1.0, 4 * 512 / 8)


def test_a_mac_core_widens_weights_on_their_way_into_registers() -> None:
    rates = gpu_rates(machine_preset("a100-int8"), Operands(a="activation", weight_bits=2))
    assert (rates.w_bytes, rates.w_register_bytes) == (2 / 8, 1.0)
    assert rates.macs_per_cycle == 512


def test_hopper_s_instruction_reads_shared_memory_and_not_registers() -> None:
    rates = gpu_rates(machine_preset("h100-fp8"), Operands(a="activation", weight_bits=8))
    assert (rates.a_register_bytes, rates.w_register_bytes) == (0, 0)
    assert (rates.instruction_m, rates.instruction_warps) == (64, 4)


def test_the_paper_s_elongated_tile_needs_its_doubled_registers() -> None:
    """64 x 256 FP16 sums are 256 registers of each of 32 threads, one more than a thread has."""
    machine = machine_preset("a100-lut-2x-w1a16")
    assert machine.register_capacity == 2
    doubled = simulate_gpu_gemm(machine, KERNEL, ONE_BIT, tiling=ELONGATED)
    assert doubled.cost.registers > 255
    with pytest.raises(
        ConfigError,
        match=r"^tiling \(128, 512, 32, 64, 256, 2\) needs 328 registers a thread and 2 buffers of "
        r"32 k, which do not fit gpu=a100 with register_capacity=1; use a smaller warp or block$",
    ):
        simulate_gpu_gemm(replace(machine, register_capacity=1), KERNEL, ONE_BIT, tiling=ELONGATED)


def test_the_elongated_tile_moves_less_than_a_square_one_of_as_many_results() -> None:
    """Tables take 18 bits an activation and weights one, so a tile square in bits is long in n."""
    machine = machine_preset("a100-lut-2x-w1a16")
    square = ELONGATED._replace(block_m=256, block_n=256, warp_m=128, warp_n=128)
    long, short = (
        simulate_gpu_gemm(machine, KERNEL, ONE_BIT, tiling=tiling).cost
        for tiling in (ELONGATED, square)
    )
    assert long.l2_moved < short.l2_moved
    assert long.shared_cycles < short.shared_cycles


@pytest.mark.parametrize("name", gpu_machines())
@pytest.mark.parametrize("problem", [KERNEL, Problem(1024, 3200, 3200, 1), Problem(1, 2, 100, 64)])
def test_no_machine_beats_its_peak_or_its_dram(name: str, problem: Problem) -> None:
    machine = machine_preset(name)
    lut = machine.core == "lut"
    operands = Operands(a="table" if lut else "activation", weight_bits=machine.weight_bits)
    gemm = simulate_gpu_gemm(machine, problem, operands)
    assert gemm.operations == 2 * problem.m * problem.n * problem.k * problem.gemms
    assert gemm.tops <= machine.peak_tops * (1 + 1e-12)
    seconds = gemm.operations / (gemm.tops * 1e12)
    assert gemm.cost.dram_moved / seconds <= machine.hardware.dram_gb_per_s.value * 1e9 * 1.000001
    assert getattr(gemm.cost, f"{gemm.bound}_cycles") == gemm.cost.cycles
    assert gemm.operations_per_dram_byte == gemm.operations / gemm.cost.dram_moved
