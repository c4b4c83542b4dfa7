"""Hardware of an M3ViT accelerator as its schedule sees it: units, ports, buffers, and the order.

These designs are simulated at schedule level; they say nothing of registers or pipelines.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from dovetail.arch.designs import Design, DesignFamily
from dovetail.arch.m3vit.formats import FEATURE

Schedule = Literal["resident", "cached", "expert_by_expert"]
Buffer = Literal["image", "x", "tmp1", "tmp2", "tmp3", "hidden", "scores", "softmax", "weights"]
PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]

EDGE_MOE_PORTS: dict[Buffer, int] = {
    "image": 0,
    "tmp1": 0,
    "scores": 0,
    "x": 1,
    "tmp2": 1,
    "tmp3": 2,
    "hidden": 3,
    "softmax": 3,
    "weights": 4,
}
"""Which of Edge-MoE's five masters each buffer in DRAM is reached by [HLS interface pragmas]."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))
class ScheduleDesign(Design):
    """One accelerator whose layers run one after the other on shared units.

    Attributes
    ----------
    schedule : str
        ``resident``: the experts of a layer are all on chip, tokens go through one by one.
        ``cached``: tokens go one by one, experts are loaded on a miss.  ``expert_by_expert``: each
        expert is loaded once a layer and sees its whole queue.
    cache_experts : int
        Experts that the cache of ``cached`` holds.
    cache_policy : str
        Which expert leaves: the one not used for longest, or the one loaded first.
    prefetch : str
        Which weights load while something computes: ``none``; those of ``experts``; ``all``.
    linear_inputs, linear_outputs : int
        The linear unit multiplies so many inputs by so many outputs' weights a cycle.
    linear_units : int
        1: one unit for every linear layer.  More: that many separate ones share its outputs
        equally, rounded down, and each layer has only its own.
    attention_parallel : int
        p: queries held at a time.
    attention_reordered : bool
        A key (value) serves all p queries; else each query reads it again.
    softmax_passes : int
        1: while scores are made.  3: maximum, sum and division, each over the scores in DRAM.
    weight_buffer_bytes : int
        One of the two halves of the buffer for matrices.
    master_bits, port_bits : int
        Width of a beat in the accelerator, and of the port that carries it.
    bus_gb_s : float
        All ports together, 10^9 bytes a second.
    clock_mhz : float
    power_w : float
        Of the platform, as published; for ``accounting = "authors"``.
    """

    schedule: Schedule = "expert_by_expert"
    cache_experts: PositiveInt = 1
    cache_policy: Literal["lru", "fifo"] = "lru"
    prefetch: Literal["none", "experts", "all"] = "experts"
    linear_inputs: PositiveInt = 16
    linear_outputs: PositiveInt = 16
    linear_units: PositiveInt = 1
    attention_parallel: PositiveInt = 4
    attention_reordered: bool = True
    softmax_passes: Literal[1, 3] = 1
    weight_buffer_bytes: PositiveInt
    master_bits: PositiveInt = 256
    port_bits: PositiveInt = 128
    bus_gb_s: PositiveFloat
    clock_mhz: PositiveFloat = 300.0
    power_w: PositiveFloat

    @model_validator(mode="after")
    def _check(self) -> ScheduleDesign:
        if self.master_bits % FEATURE.bits:
            raise ValueError(
                f"master_bits={self.master_bits} must be a multiple of {FEATURE.bits}, the width "
                f"of a feature; change master_bits"
            )
        if self.linear_units > self.linear_outputs:
            raise ValueError(
                f"linear_units={self.linear_units} must be at most linear_outputs="
                f"{self.linear_outputs}, which they share; change one of them"
            )
        return self

    @property
    def lanes(self) -> int:
        """Features in a beat."""
        return self.master_bits // FEATURE.bits

    @property
    def beat_cycles(self) -> int:
        """Cycles that a beat occupies its port."""
        return -(-self.master_bits // self.port_bits)

    @property
    def bus_bytes_per_cycle(self) -> float:
        return self.bus_gb_s * 1e3 / self.clock_mhz

    @property
    def macs_per_cycle(self) -> int:
        """Of all linear units together."""
        return self.linear_inputs * self.linear_outputs


_FAMILY = DesignFamily(ScheduleDesign, title="an M3ViT schedule", folder="m3vit_schedule")
schedule_design = _FAMILY.design
schedule_presets = _FAMILY.presets
schedule_preset = _FAMILY.preset
