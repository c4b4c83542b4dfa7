"""A network on a GPU, kernel by kernel: GEMMs, the work between them, and tables for LUT cores.

Cycle-approximate.  Kernels run one after the other and hand everything on through DRAM; a bias is
added in the epilogue of its GEMM and costs nothing.  Launching a kernel costs nothing either: the
authors' Accel-Sim run has ``-gpgpu_kernel_launch_latency 0``, and no published figure was found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from dovetail.arch.gpu_machine import LUT_K, TABLE_ENTRIES, GpuMachine
from dovetail.errors import ConfigError, TraceError
from dovetail.models.trace import GemmOp, OtherOp, Trace
from dovetail.sim.gpu_gemm import (
    HIDDEN_BYTES,
    GpuGemm,
    Operands,
    Source,
    a_bytes,
    simulate_gpu_gemm,
)
from dovetail.sim.gpu_kernel import Problem
from dovetail.sim.gpu_steps import steps_of

__all__ = ["GpuKernel", "GpuResult", "Part", "Precompute", "simulate_on_gpu"]

Precompute = Literal["none", "separate", "fused"]
Part = Literal["linear", "attention", "elementwise", "precompute"]

TABLE_ADDITIONS = 2 + 2 + TABLE_ENTRIES
"""Of one table: both sums of each half of four activations up to sign, then every entry."""
QUANTISE_OPERATIONS = 3 * TABLE_ENTRIES
"""Of one quantised table: the largest magnitude, then scale and round every entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuKernel:
    """One kernel.

    Attributes
    ----------
    name : str
    layer : int
    part : str
        ``linear``, ``attention`` (GEMMs on computed operands), ``elementwise`` or ``precompute``.
    cycles : float
    dram_bytes : float
    gemm : GpuGemm or None
    """

    name: str
    layer: int
    part: Part
    cycles: float
    dram_bytes: float
    gemm: GpuGemm | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuResult:
    """A network on a machine: its kernels in program order."""

    machine: GpuMachine
    trace: Trace
    kernels: tuple[GpuKernel, ...]

    @property
    def cycles(self) -> float:
        return sum(kernel.cycles for kernel in self.kernels)

    @property
    def time_ms(self) -> float:
        return self.cycles / self.machine.hardware.clock_mhz.value * 1e-3

    @property
    def utilization(self) -> float:
        """Operations of the GEMMs over the peak, in the whole time."""
        return 2 * self.trace.macs / (self.machine.peak_tops * 1e9 * self.time_ms)

    def bound_ms(self) -> dict[str, float]:
        """Time of the linear layers by what bounds them."""
        times: dict[str, float] = {}
        for kernel in self.kernels:
            if kernel.part == "linear" and kernel.gemm is not None:
                bound = kernel.gemm.bound
                times[bound] = times.get(bound, 0.0) + kernel.cycles
        per_ms = self.machine.hardware.clock_mhz.value * 1e3
        return {name: cycles / per_ms for name, cycles in times.items()}

    def part_ms(self, part: Part) -> float:
        """Time of one kind of kernel."""
        cycles = sum(kernel.cycles for kernel in self.kernels if kernel.part == part)
        return cycles / self.machine.hardware.clock_mhz.value * 1e-3


def simulate_on_gpu(
    machine: GpuMachine, trace: Trace, *, precompute: Precompute = "fused"
) -> GpuResult:
    """Time ``trace`` on ``machine``.

    Parameters
    ----------
    machine : GpuMachine
    trace : Trace
        A network whose other operators say how many values they move.
    precompute : str
        Who makes a LUT core's tables.  ``fused``: the kernel that makes the activations writes
        tables in their place.  ``separate``: a kernel of its own reads activations and writes
        tables, once for all GEMMs that share them.  ``none``: nobody; GEMMs read activations and
        look nothing up, to see what the other two cost.  A ``mac`` core needs no tables.
    """
    if precompute not in ("none", "separate", "fused"):
        raise ConfigError(
            f"precompute={precompute!r} must be none, separate or fused; change precompute"
        )
    return GpuResult(
        machine=machine, trace=trace, kernels=tuple(_kernels(machine, trace, precompute))
    )


def _kernels(machine: GpuMachine, trace: Trace, precompute: Precompute) -> Iterator[GpuKernel]:
    tables = machine.core == "lut" and precompute != "none"
    source: Source = "table" if tables else "activation"
    written: Source = "table" if tables and precompute == "fused" else "activation"
    for step in steps_of(trace):
        # Everything is written as FP16, but for activations of a GEMM: those are in its format.
        extra_bytes, extra_operations = 0.0, 0.0
        if step.feeds:
            extra_bytes = step.feeds * (a_bytes(machine, written) - HIDDEN_BYTES)
            if written == "table":
                extra_operations = _table_operations(machine, step.feeds)
        op = step.op
        if isinstance(op, OtherOp):
            yield _elementwise(machine, op, extra_bytes, extra_operations)
            continue
        if step.reads and tables and precompute == "separate":
            yield _precompute(machine, op, step.reads)
        results = op.m * op.n * op.count
        computed = op.weights == "activation"
        gemm = simulate_gpu_gemm(
            machine,
            Problem(op.m, op.n, op.k, op.count),
            Operands(
                a=source,
                weight_bits=machine.computed_weight_bits if computed else machine.weight_bits,
            ),
            output_bytes=HIDDEN_BYTES + extra_bytes / results,
        )
        yield GpuKernel(
            name=op.name,
            layer=op.layer,
            part="attention" if computed else "linear",
            # Tables in an epilogue are made by the vector units after the last product.
            cycles=gemm.cost.cycles + extra_operations / _lanes(machine),
            dram_bytes=gemm.cost.dram_moved,
            gemm=gemm,
        )


def _table_operations(machine: GpuMachine, activations: float) -> float:
    each = TABLE_ADDITIONS + (QUANTISE_OPERATIONS if machine.table == "int8" else 0)
    return activations / LUT_K * each


def _lanes(machine: GpuMachine) -> float:
    return machine.hardware.sms.value * machine.hardware.fp32_lanes_per_sm.value


def _elementwise(
    machine: GpuMachine, op: OtherOp, extra_bytes: float, extra_operations: float
) -> GpuKernel:
    if op.operations and not (op.values_read and op.values_written):
        raise TraceError(
            f"{op.name}: the trace does not say how many values it reads and writes, which a "
            f"GPU's time depends on; use a language or vision transformer, such as bitnet-3b or "
            f"vit-b-16, or a Hugging Face config"
        )
    moved = (op.values_read + op.values_written) * HIDDEN_BYTES + extra_bytes
    return _streaming(machine, op, "elementwise", moved, op.operations + extra_operations)


def _precompute(machine: GpuMachine, op: GemmOp, values: int) -> GpuKernel:
    moved = values * (a_bytes(machine, "activation") + a_bytes(machine, "table"))
    return _streaming(machine, op, "precompute", moved, _table_operations(machine, values))


def _streaming(
    machine: GpuMachine, op: GemmOp | OtherOp, part: Part, moved: float, operations: float
) -> GpuKernel:
    """A kernel that touches each value once: DRAM or the vector units bound it."""
    return GpuKernel(
        name=f"{op.name}_tables" if part == "precompute" else op.name,
        layer=op.layer,
        part=part,
        cycles=max(moved / machine.hardware.dram_bytes_per_cycle, operations / _lanes(machine)),
        dram_bytes=moved,
    )
