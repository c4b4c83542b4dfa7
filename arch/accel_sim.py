"""The Accel-Sim run that the LUT Tensor Core authors published: its settings and its kernel."""

from __future__ import annotations

import json
import tomllib
from functools import cache
from importlib.resources import files
from typing import Annotated

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

__all__ = [
    "SECTOR_BYTES",
    "AccelSim",
    "AccelSimRun",
    "CountedTraffic",
    "TracedKernel",
    "accel_sim",
]

SECTOR_BYTES = 32

PositiveInt = Annotated[int, Field(gt=0)]
_STRICT = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class AccelSimRun:
    """Settings of one run that an issue model reads; cycles of the core clock."""

    source: Annotated[str, Field(min_length=1)]
    sms: PositiveInt
    schedulers_per_sm: PositiveInt
    mma_initiation_cycles: PositiveInt
    mma_latency_cycles: PositiveInt
    alu_initiation_cycles: PositiveInt
    shared_bytes_per_cycle: PositiveInt
    shared_latency_cycles: PositiveInt
    l1_latency_cycles: PositiveInt
    l2_latency_cycles: PositiveInt
    l2_bytes_per_cycle_per_sm: PositiveInt
    blocks_per_sm: PositiveInt
    registers_per_sm: PositiveInt


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class TracedKernel:
    """A GEMM of CUTLASS with two stages, as its trace has it.

    Attributes
    ----------
    m, n, k : int
    block_m, block_n, step_k, warp_m, warp_n, mma_m, mma_n, mma_k : int
        Tiles of a thread block, a warp and an instruction.
    mma_copies : int
        How often each matrix instruction stands in the trace.
    operand_bytes : int
    registers_per_thread : int
    thread_instructions : int
        Of the whole kernel, counted by the run.
    """

    m: PositiveInt
    n: PositiveInt
    k: PositiveInt
    block_m: PositiveInt
    block_n: PositiveInt
    step_k: PositiveInt
    warp_m: PositiveInt
    warp_n: PositiveInt
    mma_m: PositiveInt
    mma_n: PositiveInt
    mma_k: PositiveInt
    mma_copies: PositiveInt
    operand_bytes: PositiveInt
    registers_per_thread: PositiveInt
    thread_instructions: PositiveInt

    @property
    def warps(self) -> int:
        """Of a thread block."""
        return self.block_m // self.warp_m * (self.block_n // self.warp_n)

    @property
    def blocks(self) -> int:
        return -(-self.m // self.block_m) * -(-self.n // self.block_n)


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class CountedTraffic:
    """Sectors of 32 bytes that a run counted: accesses of L2, and those that missed."""

    l2_sectors: PositiveInt
    l2_missed_sectors: PositiveInt


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class AccelSim:
    """Both settings, the kernel, and what the log counted."""

    log: AccelSimRun
    config: AccelSimRun
    kernel: TracedKernel
    counted: CountedTraffic


@cache
def accel_sim() -> AccelSim:
    """The packaged table."""
    path = files("dovetail.arch") / "accel_sim.toml"
    values = tomllib.loads(path.read_text(encoding="utf-8"))
    # JSON mode keeps strict types and still turns nested tables into nested configurations.
    return TypeAdapter(AccelSim).validate_json(json.dumps(values))
