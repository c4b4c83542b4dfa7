"""Design points of M3ViT's blocks in RTL."""

from __future__ import annotations

from pydantic import ConfigDict, model_validator
from pydantic.dataclasses import dataclass

from dovetail.arch.designs import Design, DesignFamily
from dovetail.arch.m3vit.attention_engine import AttentionEngineConfig
from dovetail.arch.m3vit.moe_engine import MoeEngineConfig

HalfEngineConfig = AttentionEngineConfig | MoeEngineConfig
"""Of either half of a block."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))
class M3vitDesign(Design):
    """One half of a block of an M3ViT encoder in hardware: attention, or the mixture of experts.

    Attributes
    ----------
    attention : AttentionEngineConfig, optional
    moe : MoeEngineConfig, optional
        One of the two.
    """

    attention: AttentionEngineConfig | None = None
    moe: MoeEngineConfig | None = None

    @model_validator(mode="after")
    def _check(self) -> M3vitDesign:
        if (self.attention is None) == (self.moe is None):
            raise ValueError("a design is one half of a block: give either attention or moe")
        return self

    @property
    def engine(self) -> HalfEngineConfig:
        """The half that it is."""
        engine = self.attention or self.moe
        assert engine is not None, "checked"
        return engine


_FAMILY = DesignFamily(M3vitDesign, title="an M3ViT design", folder="m3vit")
m3vit_design = _FAMILY.design
presets = _FAMILY.presets
preset = _FAMILY.preset
