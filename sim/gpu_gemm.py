"""One GEMM on a GPU: a machine and an operator become the kernel's numbers, and its best tiling.

Cycle-approximate: a model of bounds (:mod:`dovetail.sim.gpu_kernel`), with no RTL behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

from dovetail.arch.gpu_machine import GpuMachine
from dovetail.errors import ConfigError
from dovetail.sim.gpu_kernel import (
    GpuRates,
    Problem,
    Tiling,
    TilingCost,
    best_tiling,
    tiling_cost,
)

__all__ = ["GpuGemm", "Operands", "gpu_rates", "simulate_gpu_gemm"]

OTHER_REGISTERS = 28
"""Registers of a thread beside accumulators and operands: addresses, loop, predicates.

Calibrated on the authors' sample kernel (their Accel-Sim log: 92 registers), which nothing here
reproduces: 92 less 16 of accumulators (32 x 32 FP16 a warp), 32 of two sets of operands and 16 of
the tile on its way to shared memory.
"""

HIDDEN_BYTES = 2.0
"""Of a result: activations stay FP16 between operators on every machine."""

BOUNDS = ("tensor", "shared", "latency", "l2", "dram")
"""Of :mod:`dovetail.sim.gpu_kernel`, in the order in which a tie goes."""

Source = Literal["activation", "table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operands:
    """What a GEMM reads.

    Attributes
    ----------
    a : str
        ``activation``, or ready-made ``table`` of a LUT machine.
    weight_bits : int
        Of a weight in memory; a LUT core takes as many cycles.
    """

    a: Source
    weight_bits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuGemm:
    """A GEMM, its tiling and what bounds it.

    Attributes
    ----------
    machine : GpuMachine
    problem : Problem
    tiling : Tiling
    cost : TilingCost
        In cycles of the GPU's clock and bytes.
    """

    machine: GpuMachine
    problem: Problem
    tiling: Tiling
    cost: TilingCost

    @property
    def bound(self) -> str:
        """The slowest: one of :data:`BOUNDS`."""
        return max(BOUNDS, key=lambda name: float(getattr(self.cost, f"{name}_cycles")))

    @property
    def operations(self) -> int:
        return 2 * self.problem.m * self.problem.n * self.problem.k * self.problem.gemms

    @property
    def tops(self) -> float:
        """10^12 operations a second."""
        return self.operations * self.machine.hardware.clock_mhz.value * 1e-6 / self.cost.cycles

    @property
    def operations_per_dram_byte(self) -> float:
        return self.operations / self.cost.dram_moved


def a_bytes(machine: GpuMachine, source: Source) -> float:
    """Bytes of one activation, or of its share of a table."""
    bits = machine.table_bits_per_activation if source == "table" else machine.activation_bits
    return bits / 8


def gpu_rates(
    machine: GpuMachine, operands: Operands, *, output_bytes: float = HIDDEN_BYTES
) -> GpuRates:
    """Collect what the kernel must know of ``machine`` running a GEMM on ``operands``."""
    hardware, instruction = machine.hardware, machine.instruction
    # Operands that the instruction itself reads from shared memory take no registers.
    in_registers = machine.warps_per_instruction == 1
    multiplied_bits = operands.weight_bits if machine.core == "lut" else machine.activation_bits
    return GpuRates(
        sms=int(hardware.sms.value),
        tensor_cores=int(hardware.tensor_cores_per_sm.value),
        macs_per_cycle=machine.macs_per_cycle(operands.weight_bits),
        instruction_m=instruction.m,
        instruction_n=instruction.n,
        instruction_k=instruction.k,
        instruction_warps=machine.warps_per_instruction,
        a_bytes=a_bytes(machine, operands.a),
        w_bytes=operands.weight_bits / 8,
        a_register_bytes=a_bytes(machine, operands.a) * in_registers,
        w_register_bytes=multiplied_bits / 8 * in_registers,
        accumulator_bytes=machine.accumulator_bits / 8,
        output_bytes=output_bytes,
        registers_per_sm=int(hardware.registers_per_sm.value) * machine.register_capacity,
        registers_per_thread=int(hardware.registers_per_thread.value) * machine.register_capacity,
        other_registers=OTHER_REGISTERS,
        warps_per_sm=int(hardware.warps_per_sm.value),
        blocks_per_sm=int(hardware.blocks_per_sm.value),
        shared_per_sm=int(hardware.shared_bytes_per_sm.value),
        shared_per_block=int(hardware.shared_bytes_per_block.value),
        shared_bytes_per_cycle=hardware.shared_bytes_per_cycle.value,
        l2_bytes=hardware.l2_bytes.value,
        l2_bytes_per_cycle=hardware.l2_bytes_per_cycle.value,
        dram_bytes_per_cycle=hardware.dram_bytes_per_cycle,
        load_latency=hardware.load_latency_cycles,
    )


@cache
def simulate_gpu_gemm(
    machine: GpuMachine,
    problem: Problem,
    operands: Operands,
    *,
    output_bytes: float = HIDDEN_BYTES,
    tiling: Tiling | None = None,
) -> GpuGemm:
    """Cost of one GEMM, under its best tiling unless one is given.

    Raises
    ------
    ConfigError
        Where ``tiling`` does not fit the machine.
    """
    rates = gpu_rates(machine, operands, output_bytes=output_bytes)
    if tiling is None:
        tiling, cost = best_tiling(rates, problem)
    else:
        cost = tiling_cost(rates, problem, tiling)
    if cost.cycles == 0:
        raise ConfigError(
            f"tiling {tuple(tiling)} needs {cost.registers} registers a thread and "
            f"{tiling.stages} buffers of {tiling.step_k} k, which do not fit gpu={machine.gpu} "
            f"with register_capacity={machine.register_capacity}; use a smaller warp or block"
        )
    return GpuGemm(machine=machine, problem=problem, tiling=tiling, cost=cost)
