"""LUT Tensor Core design points: an engine and the weights it runs, with presets.

Source: LUT Tensor Core (DOI 10.1145/3695053.3731057); each preset file says which of its values the
paper states and which are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from dovetail.arch.cores import MAX_WEIGHT_BITS, WeightFormat
from dovetail.arch.designs import Design, DesignFamily
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.spad import is_power_of_two

_WHOLE_BITS: Mapping[WeightFormat, int] = {"int4": 4, "int8_scaled": 8, "fp16": 16}


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))
class LutDesign(Design):
    """One LUT accelerator, or one that it is compared with, and the weights of its network.

    Keys and values of attention, which are computed at run time, have 8 bits on integer cores and
    bit-serial ones, and FP16 on a core that quantises nothing.

    Attributes
    ----------
    engine : GemmEngineConfig
        The hardware; ``engine.core`` tells the LUT core from its baselines.
    weight_bits : int
        Bits of a stored weight: 1 to 8 on bit-serial cores; on others those that they multiply,
        4 of INT4, 8 of INT8, 16 of FP16, which is not quantised.
    levels : str
        What a code stands for (:class:`dovetail.arch.gemm.Gemm`): ``odd``, ``twos_complement`` or
        ``zero_point``.  Cores that multiply INT4 do not have ``odd``, those that multiply INT8 only
        ``twos_complement``.
    group : int
        Length of a weight group along k: a power of two of steps, up to ``engine.max_group``.
    """

    engine: GemmEngineConfig
    weight_bits: Annotated[int, Field(ge=1, le=16)] = 2
    levels: Literal["odd", "twos_complement", "zero_point"] = "odd"
    group: int = 128

    @model_validator(mode="after")
    def _check(self) -> LutDesign:
        engine, spec = self.engine, self.engine.spec
        steps, rest = divmod(self.group, engine.lut_k)
        if rest or not is_power_of_two(steps) or self.group > engine.max_group:
            raise ValueError(
                f"group={self.group} must be a power of two of steps of lut_k={engine.lut_k}, up "
                f"to max_group={engine.max_group}; use a shorter group or build a larger engine"
            )
        least, most = 1, MAX_WEIGHT_BITS
        if not spec.bit_serial:
            least = most = _WHOLE_BITS[spec.stored[0]]
        if not least <= self.weight_bits <= most:
            allowed = f"from {least} to {most}" if least < most else f"{most}"
            raise ValueError(
                f"weight_bits={self.weight_bits} must be {allowed} for core={engine.core}; "
                f"change weight_bits"
            )
        if self.levels not in self._levels:
            raise ValueError(
                f"levels={self.levels} does not go with core={engine.core}; use "
                f"{' or '.join(self._levels)}"
            )
        if self.levels == "zero_point" and self.weight_bits > engine.zero_bits:
            raise ValueError(
                f"levels=zero_point with weight_bits={self.weight_bits} exceeds the engine's "
                f"zero_bits={engine.zero_bits}; set engine.zero_bits to 8 or use other levels"
            )
        return self

    @property
    def weight_format(self) -> WeightFormat:
        """Of stored weights, as the core takes them."""
        if self.engine.spec.bit_serial:
            return self.levels
        if self.levels == "zero_point":
            return "uint4_zero"
        return self.engine.spec.stored[0]

    @property
    def _levels(self) -> tuple[str, ...]:
        """What codes can stand for on this core; of FP16 it says nothing."""
        spec = self.engine.spec
        if spec.bit_serial:
            return ("odd", "twos_complement", "zero_point")
        if spec.stored[0] == "fp16":
            return ("odd",)
        return (
            ("twos_complement", "zero_point")
            if "uint4_zero" in spec.stored
            else ("twos_complement",)
        )


_FAMILY = DesignFamily(LutDesign, title="a LUT design", folder="lut")
lut_design = _FAMILY.design
presets = _FAMILY.presets
preset = _FAMILY.preset
