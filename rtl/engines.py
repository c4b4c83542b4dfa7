"""Engines by the name of their core: the one table from ``config.core`` to a component."""

from __future__ import annotations

from functools import lru_cache

from dovetail.arch.engine import GemmEngineConfig
from dovetail.rtl.gemm.engine import GemmEngine
from dovetail.rtl.int8.core import Int8Core
from dovetail.rtl.mixpe.core import MixpeCore
from dovetail.rtl.verilog import verilog

__all__ = ["engine", "engine_verilog"]

_CORES = {"mixpe_w4a8": MixpeCore, "int8": Int8Core}


def engine(config: GemmEngineConfig) -> GemmEngine:
    """The engine of ``config`` with its core."""
    return GemmEngine(config, _CORES[config.core](config))


@lru_cache(maxsize=8)
def engine_verilog(config: GemmEngineConfig) -> str:
    """Verilog of the engine of ``config``, top module ``engine``; deterministic."""
    return verilog(engine(config), name="engine")
