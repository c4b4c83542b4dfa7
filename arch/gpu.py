"""GPUs whose tensor cores are modelled: rates, capacities and latencies, each with its source.

``gpus.toml`` holds them.  Which tensor core a GPU carries is :class:`dovetail.arch.gpu_machine`'s.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from dovetail.arch.costs import STRICT, Sourced, Text
from dovetail.arch.tables import parse_table
from dovetail.errors import ConfigError

__all__ = ["Gpu", "gpu", "gpus"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Gpu:
    """One GPU; cycles are those of ``clock_mhz``.

    Attributes
    ----------
    title : str
    sms, tensor_cores_per_sm : Sourced
    clock_mhz : Sourced
    fp16_fma_per_tensor_core, int8_fma_per_tensor_core, fp8_fma_per_tensor_core : Sourced
        Dense fused multiply-adds of one of the vendor's tensor cores in a cycle; absent where it
        does not have the format.
    warps_per_mma : Sourced
        Warps that issue one of the vendor's matrix instructions together.  Where there are more
        than one, it reads its operands from shared memory, and they take no registers.
    fp32_lanes_per_sm : Sourced
        Scalar operations that the vector units do in a cycle.
    registers_per_sm, registers_per_thread : Sourced
        Of 32 bits.
    warps_per_sm, blocks_per_sm : Sourced
        Resident at once, at most.
    shared_bytes_per_sm, shared_bytes_per_block : Sourced
    shared_bytes_per_cycle : Sourced
        Of one SM, reads and writes together.
    l2_bytes, l2_bytes_per_cycle : Sourced
        Of the whole GPU.
    dram_gb_per_s : Sourced
        10^9 bytes a second.
    shared_latency_cycles, l1_latency_cycles, l2_latency_cycles, dram_latency_cycles : Sourced
        What each level adds to a load that reaches it; shared memory stands alone.
    """

    title: Text
    sms: Sourced
    tensor_cores_per_sm: Sourced
    clock_mhz: Sourced
    fp16_fma_per_tensor_core: Sourced
    int8_fma_per_tensor_core: Sourced
    fp8_fma_per_tensor_core: Sourced | None = None
    warps_per_mma: Sourced
    fp32_lanes_per_sm: Sourced
    registers_per_sm: Sourced
    registers_per_thread: Sourced
    warps_per_sm: Sourced
    blocks_per_sm: Sourced
    shared_bytes_per_sm: Sourced
    shared_bytes_per_block: Sourced
    shared_bytes_per_cycle: Sourced
    shared_latency_cycles: Sourced
    l1_latency_cycles: Sourced
    l2_bytes: Sourced
    l2_bytes_per_cycle: Sourced
    l2_latency_cycles: Sourced
    dram_gb_per_s: Sourced
    dram_latency_cycles: Sourced

    @property
    def dram_bytes_per_cycle(self) -> float:
        return self.dram_gb_per_s.value * 1e3 / self.clock_mhz.value

    @property
    def load_latency_cycles(self) -> float:
        """Of a load that every cache misses."""
        return (
            self.l1_latency_cycles.value
            + self.l2_latency_cycles.value
            + self.dram_latency_cycles.value
        )


@dataclass(frozen=True, kw_only=True, config=STRICT)
class _Gpus:
    sources: dict[str, Text]
    gpus: dict[str, Gpu]


_ADAPTER: TypeAdapter[_Gpus] = TypeAdapter(_Gpus)


@cache
def _table() -> dict[str, Gpu]:
    text = (files("dovetail.arch") / "gpus.toml").read_text(encoding="utf-8")
    return parse_table(_ADAPTER, text, origin="arch/gpus.toml").gpus


def gpus() -> tuple[str, ...]:
    """Names of the GPUs."""
    return tuple(sorted(_table()))


def gpu(name: str) -> Gpu:
    """Return the GPU called ``name``, such as ``"a100"``."""
    if name not in _table():
        raise ConfigError(f"no GPU named {name!r}; the GPUs are {', '.join(gpus())}")
    return _table()[name]
