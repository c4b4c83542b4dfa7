"""The engines of M3ViT's blocks by the kind of their configuration."""

from __future__ import annotations

from dovetail.arch.m3vit.design import HalfEngineConfig
from dovetail.arch.m3vit.moe_engine import MoeEngineConfig
from dovetail.rtl.m3vit.attention_engine import AttentionEngine
from dovetail.rtl.m3vit.moe_engine import MoeEngine
from dovetail.rtl.verilog import verilog

__all__ = ["block_engine", "block_verilog"]


def block_engine(config: HalfEngineConfig) -> AttentionEngine | MoeEngine:
    """The engine of ``config``."""
    return MoeEngine(config) if isinstance(config, MoeEngineConfig) else AttentionEngine(config)


def block_verilog(config: HalfEngineConfig) -> str:
    """Verilog of the engine of ``config``, top module ``engine``; deterministic."""
    return verilog(block_engine(config), name="engine")
