"""MixPE design points: an engine and the number formats it runs, with presets.

Source: arXiv 2411.16158 and the authors' simulator; each preset file says which of its values the
source states and which are ours.
"""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, model_validator
from pydantic.dataclasses import dataclass

from dovetail.arch.designs import Design, DesignFamily
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.spad import is_power_of_two


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))
class MixpeDesign(Design):
    """One MixPE (or baseline) accelerator with the formats of the network it runs.

    Attributes
    ----------
    engine : GemmEngineConfig
        The hardware; ``engine.core`` tells MixPE from its INT8 baseline.
    group : int
        Length of a weight group along k, a power of two up to ``engine.max_group``.
    zero_point : bool
        Weights 0..15 with a zero point per group; else symmetric, -8..7.
    kv_bits : int
        Bits of keys and values, the run-time "weights" of attention: 8 takes cores whose PEs
        multiply nibbles two passes, 4 one.  The FP16 core, which quantises nothing, takes them in
        FP16 and refuses 4.
    """

    engine: GemmEngineConfig
    group: int = 128
    zero_point: bool = False
    kv_bits: Literal[4, 8] = 8

    @model_validator(mode="after")
    def _check(self) -> MixpeDesign:
        if not is_power_of_two(self.group) or self.group > self.engine.max_group:
            raise ValueError(
                f"group={self.group} must be a power of two up to max_group="
                f"{self.engine.max_group}; use a shorter group or build a larger engine"
            )
        if self.engine.spec.dequantise == "never" and (self.kv_bits == 4 or self.zero_point):
            raise ValueError(
                f"core={self.engine.core} quantises nothing, so kv_bits=4 and zero_point=true do "
                f"not apply to it; remove them or use another core"
            )
        return self


_FAMILY = DesignFamily(MixpeDesign, title="a MixPE design", folder="mixpe")
mixpe_design = _FAMILY.design
presets = _FAMILY.presets
preset = _FAMILY.preset
