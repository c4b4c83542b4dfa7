"""Engines by the name of their core: the one table from ``config.core`` to components."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from dovetail.arch.chained import ChainedEngineConfig
from dovetail.arch.cores import Core as CoreName
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.number_formats import float_format
from dovetail.rtl.dot.core import BroadcastCore
from dovetail.rtl.floating.accumulate import AccumulateScaled, AccumulateSum
from dovetail.rtl.floating.convert import FpOutputRound
from dovetail.rtl.floating.dequant_pe import DequantFloatPe
from dovetail.rtl.floating.group_dequant import FloatGroupDequant
from dovetail.rtl.floating.pe import FloatGroupSumPe, Fp16Pe
from dovetail.rtl.gemm.accumulate import Accumulate
from dovetail.rtl.gemm.chained_engine import ChainedEngine
from dovetail.rtl.gemm.core import Core
from dovetail.rtl.gemm.engine import GemmEngine
from dovetail.rtl.gemm.output import OutputRound
from dovetail.rtl.gemm.pe import OutputStationaryPe
from dovetail.rtl.int8.core import BeforeLoopCore
from dovetail.rtl.int8.dequant_pe import DequantPe
from dovetail.rtl.int8.pe import Int8Pe
from dovetail.rtl.int8.shift_add_pe import Int8ShiftAddPe
from dovetail.rtl.lut.parts import broadcast_parts
from dovetail.rtl.m3vit.linear_output import LinearOutput
from dovetail.rtl.m3vit.linear_parts import linear_parts
from dovetail.rtl.mixpe.core import AfterGroupCore
from dovetail.rtl.mixpe.dequant import GroupDequant
from dovetail.rtl.mixpe.group_sum import GroupSumPe
from dovetail.rtl.mixpe.multiplier_pe import MultiplierPe
from dovetail.rtl.mixpe.parts import AfterGroupParts
from dovetail.rtl.mixpe.pe import MixpePe
from dovetail.rtl.mixpe.pe_w4a16 import MixpeFloatPe
from dovetail.rtl.verilog import verilog

__all__ = ["compute_core", "engine", "engine_verilog"]


def _multiplier(config: GemmEngineConfig) -> OutputStationaryPe:
    return MultiplierPe(
        activation_bits=config.spec.activation_bits, sum_bits=config.pe_accumulator_bits
    )


_PES: Mapping[CoreName, Callable[[GemmEngineConfig], OutputStationaryPe]] = {
    "mixpe_w4a8": lambda config: MixpePe(sum_bits=config.pe_accumulator_bits),
    "multiply_w4a8": _multiplier,
    "int4": _multiplier,
    "int8": lambda config: Int8Pe(sum_bits=config.pe_accumulator_bits),
    "shift_add_int8": lambda config: Int8ShiftAddPe(sum_bits=config.pe_accumulator_bits),
    "dequant_w4a8": lambda config: DequantPe(sum_bits=config.pe_accumulator_bits),
    "mixpe_w4a16": lambda config: MixpeFloatPe(float_format(config.sum_format)),
    "dequant_w4a16": lambda config: DequantFloatPe(float_format(config.sum_format)),
    "fp16": lambda config: Fp16Pe(float_format(config.sum_format)),
}


def after_group_parts(config: GemmEngineConfig) -> AfterGroupParts:
    """Components of a core that dequantises after the group."""
    pe = _PES[config.core](config)
    if config.spec.floating:
        form = float_format(config.sum_format)
        return AfterGroupParts(
            pe=pe,
            group_sum=FloatGroupSumPe(form),
            dequant=FloatGroupDequant(form),
            accumulate=AccumulateScaled(form),
        )
    dequant = GroupDequant(p_bits=config.pe_accumulator_bits, s_bits=config.group_sum_bits)
    return AfterGroupParts(
        pe=pe,
        group_sum=GroupSumPe(
            activation_bits=config.spec.activation_bits, sum_bits=config.group_sum_bits
        ),
        dequant=dequant,
        accumulate=Accumulate(increment_bits=dequant.o_bits),
    )


def compute_core(config: GemmEngineConfig) -> Core:
    """The compute core of ``config``."""
    if config.spec.biased:
        return BroadcastCore(config, linear_parts(config))
    if config.spec.broadcast:
        return BroadcastCore(config, broadcast_parts(config))
    if config.spec.after_group:
        return AfterGroupCore(config, after_group_parts(config))
    accumulate: Any
    if config.spec.floating:
        accumulate = AccumulateSum(float_format(config.sum_format))
    else:
        accumulate = Accumulate(increment_bits=config.pe_accumulator_bits)
    return BeforeLoopCore(config, pe=_PES[config.core](config), accumulate=accumulate)


def engine(config: GemmEngineConfig) -> GemmEngine | ChainedEngine:
    """The engine of ``config`` with its core."""
    rounding: Any
    if config.spec.biased:
        rounding = LinearOutput(bits=config.accumulator_bits)
    elif config.spec.floating:
        rounding = FpOutputRound()
    else:
        rounding = OutputRound(bits=config.accumulator_bits)
    if isinstance(config, ChainedEngineConfig):
        return ChainedEngine(config, compute_core(config), rounding)
    return GemmEngine(config, compute_core(config), rounding)


@lru_cache(maxsize=8)
def engine_verilog(config: GemmEngineConfig) -> str:
    """Verilog of the engine of ``config``, top module ``engine``; deterministic."""
    return verilog(engine(config), name="engine")
