# amaranth: UnusedElaboratable=no
"""Units that are synthesised alone: the name in a technology table to the component behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from amaranth import signed

from dovetail.arch.cores import Core
from dovetail.arch.dot_units import DOT_UNITS
from dovetail.arch.engine import K_TILE_SUM_BITS, WIDE_ACCUMULATOR_BITS, GemmEngineConfig
from dovetail.arch.number_formats import FloatFormat, float_format
from dovetail.errors import ConfigError, did_you_mean
from dovetail.rtl.dot.bit_serial import AddUnit
from dovetail.rtl.dot.group_sum import FloatTableStepSum, TableStepSum, UnitStepSum
from dovetail.rtl.dot.mac import MacUnit
from dovetail.rtl.floating.accumulate import AccumulateScaled, AccumulateSum
from dovetail.rtl.floating.convert import FpOutputRound
from dovetail.rtl.floating.dequant_pe import DequantFloatPe
from dovetail.rtl.floating.group_dequant import FloatGroupDequant
from dovetail.rtl.floating.pe import FloatGroupSumPe, Fp16Pe
from dovetail.rtl.gemm.accumulate import Accumulate
from dovetail.rtl.gemm.output import OutputRound
from dovetail.rtl.gemm.scale_queue import ScaleQueue
from dovetail.rtl.int8.dequant_pe import DequantPe
from dovetail.rtl.int8.pe import Int8Pe
from dovetail.rtl.int8.shift_add_pe import Int8ShiftAddPe
from dovetail.rtl.int8.weight_dequant import WeightDequant
from dovetail.rtl.lut.design import dot_head, dot_unit
from dovetail.rtl.lut.float_lookup import FloatLookupUnit
from dovetail.rtl.lut.float_precompute import FloatPrecompute
from dovetail.rtl.lut.lookup import LookupUnit
from dovetail.rtl.lut.precompute import Precompute
from dovetail.rtl.mixpe.dequant import GroupDequant
from dovetail.rtl.mixpe.group_sum import GroupSumPe
from dovetail.rtl.mixpe.multiplier_pe import MultiplierPe
from dovetail.rtl.mixpe.pe import MixpePe
from dovetail.rtl.mixpe.pe_w4a16 import MixpeFloatPe
from dovetail.rtl.skew import Skew

__all__ = ["axis", "default_size", "expression", "unit", "units"]

Axis = Literal["max_group", "depth", "sum_format", "lut_k"]
Size = int | str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recipe:
    make: Callable[..., Any]
    widths: Callable[[Any], dict[str, Any]]
    axis: Axis | None = None


def _engine(core: Core, max_group: int) -> GemmEngineConfig:
    return GemmEngineConfig(core=core, rows=1, cols=1, max_group=max_group)


def _by_group(
    make: Callable[..., Any], widths: Callable[[GemmEngineConfig], dict[str, int]], core: Core
) -> _Recipe:
    """A unit whose widths are those of an engine of ``core`` and of a longest group."""
    return _Recipe(make=make, widths=lambda group: widths(_engine(core, group)), axis="max_group")


def _sum(engine: GemmEngineConfig) -> dict[str, int]:
    return {"sum_bits": engine.pe_accumulator_bits}


def _activation_and_sum(engine: GemmEngineConfig) -> dict[str, int]:
    return {
        "activation_bits": engine.spec.activation_bits,
        "sum_bits": engine.pe_accumulator_bits,
    }


def _group_sum(engine: GemmEngineConfig) -> dict[str, int]:
    return {"activation_bits": engine.spec.activation_bits, "sum_bits": engine.group_sum_bits}


def _group_dequant(engine: GemmEngineConfig) -> dict[str, int]:
    return {"p_bits": engine.pe_accumulator_bits, "s_bits": engine.group_sum_bits}


def _by_format(make: Callable[..., Any]) -> _Recipe:
    """A unit whose sums have the format ``sum_format``."""
    return _Recipe(make=make, widths=lambda name: {"form": float_format(name)}, axis="sum_format")


def _by_sum_format(make: Callable[..., Any], **widths: Any) -> _Recipe:
    """As :func:`_by_format`, with more that does not depend on the format."""
    return _Recipe(
        make=make, widths=lambda name: {"form": float_format(name)} | widths, axis="sum_format"
    )


def _add_step_sum(*, lut_k: int, sum_bits: int) -> UnitStepSum:
    unit = AddUnit(lut_k=lut_k, activation_bits=8, sum_bits=sum_bits, max_planes=1)
    return UnitStepSum(unit)


def _k_tile_sum(_: int) -> dict[str, int]:
    return {"sum_bits": K_TILE_SUM_BITS}


def _fixed(**widths: int) -> Callable[[int], dict[str, int]]:
    return lambda _: widths


_RECIPES: Mapping[str, _Recipe] = {
    "mixpe.pe_w4a8": _by_group(MixpePe, _sum, "mixpe_w4a8"),
    "mixpe.pe_w4a8_multiplier": _by_group(MultiplierPe, _activation_and_sum, "multiply_w4a8"),
    "mixpe.group_sum": _by_group(GroupSumPe, _group_sum, "mixpe_w4a8"),
    "mixpe.dequant": _by_group(GroupDequant, _group_dequant, "mixpe_w4a8"),
    "mixpe.scale_queue": _Recipe(
        make=ScaleQueue, widths=lambda depth: {"depth": depth}, axis="depth"
    ),
    "int4.pe": _by_group(MultiplierPe, _activation_and_sum, "int4"),
    "int4.group_sum": _by_group(GroupSumPe, _group_sum, "int4"),
    "int4.dequant": _by_group(GroupDequant, _group_dequant, "int4"),
    "int8.pe": _Recipe(make=Int8Pe, widths=_k_tile_sum),
    "int8.pe_shift_add": _Recipe(make=Int8ShiftAddPe, widths=_k_tile_sum),
    "int8.weight_dequant": _Recipe(make=WeightDequant, widths=_fixed()),
    "dequant.pe_w4a8": _Recipe(make=DequantPe, widths=_k_tile_sum),
    # Of a core whose steps have 4 k and whose longest group is 128: its sums have 8 bits of an
    # activation, 8 planes and 7 bits of k.
    "lut.unit_int8": _Recipe(
        make=LookupUnit, widths=_fixed(lut_k=4, activation_bits=8, sum_bits=23)
    ),
    "lut.head_int8": _Recipe(make=Precompute, widths=_fixed(lut_k=4, activation_bits=8)),
    "lut.group_sum_int8": _Recipe(make=TableStepSum, widths=_fixed(entry_bits=11, sum_bits=15)),
    "add.unit_int8": _Recipe(make=AddUnit, widths=_fixed(lut_k=4, activation_bits=8, sum_bits=23)),
    "add.group_sum_int8": _Recipe(make=_add_step_sum, widths=_fixed(lut_k=4, sum_bits=15)),
    "mac.unit_int8": _Recipe(make=MacUnit, widths=_fixed(lut_k=4, sum_bits=23)),
    "lut.dequant_int8": _Recipe(
        make=GroupDequant, widths=lambda _: {"p_bits": 23, "s_bits": 15, "zero_shape": signed(5)}
    ),
    "lut.accumulate_int8": _Recipe(make=Accumulate, widths=_fixed(increment_bits=40)),
    # Of 16 bits of an activation.
    "lut.unit_int16": _Recipe(
        make=LookupUnit, widths=_fixed(lut_k=4, activation_bits=16, sum_bits=31)
    ),
    "lut.head_int16": _Recipe(make=Precompute, widths=_fixed(lut_k=4, activation_bits=16)),
    "lut.group_sum_int16": _Recipe(make=TableStepSum, widths=_fixed(entry_bits=19, sum_bits=23)),
    "lut.dequant_int16": _Recipe(
        make=GroupDequant, widths=lambda _: {"p_bits": 31, "s_bits": 23, "zero_shape": signed(5)}
    ),
    "lut.accumulate_int16": _Recipe(
        make=Accumulate, widths=_fixed(increment_bits=48, bits=WIDE_ACCUMULATOR_BITS)
    ),
    "lut.output_round_int16": _Recipe(make=OutputRound, widths=_fixed(bits=WIDE_ACCUMULATOR_BITS)),
    "lut.unit_fp16": _by_sum_format(FloatLookupUnit, lut_k=4),
    "lut.head_fp16": _Recipe(make=FloatPrecompute, widths=_fixed(lut_k=4, activation_bits=16)),
    "lut.head_fp8": _Recipe(make=FloatPrecompute, widths=_fixed(lut_k=4, activation_bits=8)),
    "lut.group_sum_fp16": _by_format(FloatTableStepSum),
    "lut.dequant_fp16": _by_sum_format(FloatGroupDequant, zero_shape=signed(5)),
    "mixpe.pe_w4a16": _by_format(MixpeFloatPe),
    "dequant.pe_w4a16": _by_format(DequantFloatPe),
    "fp16.pe": _by_format(Fp16Pe),
    "floating.group_sum": _by_format(FloatGroupSumPe),
    "floating.dequant": _by_format(FloatGroupDequant),
    "floating.accumulate_scaled": _by_format(AccumulateScaled),
    "floating.accumulate_sum": _by_format(AccumulateSum),
    "floating.output_round": _Recipe(make=FpOutputRound, widths=_fixed()),
    # The increment of a MixPE column with max_group = 128; the adder is 48 bits wide in any case.
    "gemm.accumulate": _Recipe(make=Accumulate, widths=_fixed(increment_bits=36)),
    # One flip-flop between units: of the skew, of a pipe.
    "gemm.register_bit": _Recipe(make=Skew, widths=_fixed(lanes=1, lane_bits=1, extra=1)),
    "gemm.output_round": _Recipe(make=OutputRound, widths=_fixed()),
}


def _studied(name: str) -> _Recipe:
    kind, activation, part = DOT_UNITS[name]
    return _Recipe(
        make=dot_unit if part == "unit" else dot_head,
        widths=lambda lut_k: {"kind": kind, "activation": activation, "lut_k": lut_k},
        axis="lut_k",
    )


def units() -> tuple[str, ...]:
    """Names of all units that tables price."""
    return tuple(_RECIPES)


def axis(name: str) -> Axis | None:
    """The size by which a unit differs between engines, if any.

    ``max_group`` sets widths, ``depth`` is ``segments_in_flight``, ``sum_format`` the format of
    floating-point sums, ``lut_k`` how many activations a unit of a broadcast array takes at once.
    """
    return _recipe(name).axis


def default_size(name: str) -> Size | None:
    """The size at which a unit is looked at unless told otherwise."""
    sizes: dict[str | None, Size] = {
        "max_group": 128,
        "depth": 8,
        "sum_format": "fp32",
        "lut_k": 4,
    }
    return sizes.get(axis(name))


def unit(name: str, *, size: Size | None = None) -> Any:
    """Build the component behind ``name`` for one size of its :func:`axis`."""
    return _recipe(name).make(**_widths(name, size))


def expression(name: str, *, size: Size | None = None) -> str:
    """The Python expression that makes what :func:`unit` returns."""
    values = {
        key: value.name.upper() if isinstance(value, FloatFormat) else repr(value)
        for key, value in _widths(name, size).items()
    }
    arguments = ", ".join(f"{key}={value}" for key, value in values.items())
    return f"{_recipe(name).make.__name__}({arguments})"


def _widths(name: str, size: Size | None) -> dict[str, Any]:
    return _recipe(name).widths(default_size(name) if size is None else size)


def _recipe(name: str) -> _Recipe:
    if name in DOT_UNITS:
        return _studied(name)
    if name not in _RECIPES:
        known = (*_RECIPES, *DOT_UNITS)
        raise ConfigError(
            f"no unit named {name!r}; {did_you_mean(name, known)}the units are {', '.join(known)}"
        )
    return _RECIPES[name]
