"""Design points of M3ViT's blocks in RTL."""

from __future__ import annotations

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from dovetail.arch.designs import Design, DesignFamily
from dovetail.arch.m3vit.attention_engine import AttentionEngineConfig


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))
class M3vitDesign(Design):
    """One block of an M3ViT encoder in hardware.

    Attributes
    ----------
    engine : AttentionEngineConfig
    """

    engine: AttentionEngineConfig


_FAMILY = DesignFamily(M3vitDesign, title="an M3ViT design", folder="m3vit")
m3vit_design = _FAMILY.design
presets = _FAMILY.presets
preset = _FAMILY.preset
