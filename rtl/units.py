"""Units that are synthesised alone: the name in a technology table to the component behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dovetail.arch.engine import INT8_ACCUMULATOR_BITS, GemmEngineConfig
from dovetail.errors import ConfigError
from dovetail.rtl.gemm.accumulate import Accumulate
from dovetail.rtl.gemm.output import OutputRound
from dovetail.rtl.int8.pe import Int8Pe
from dovetail.rtl.int8.weight_dequant import WeightDequant
from dovetail.rtl.mixpe.dequant import GroupDequant
from dovetail.rtl.mixpe.group_sum import GroupSumPe
from dovetail.rtl.mixpe.pe import MixpePe

__all__ = ["depends_on_group", "expression", "unit", "units"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recipe:
    make: Callable[..., Any]
    widths: Callable[[GemmEngineConfig], dict[str, int]]
    depends_on_group: bool = False


def _group_dequant_widths(engine: GemmEngineConfig) -> dict[str, int]:
    return {"p_bits": engine.pe_accumulator_bits, "s_bits": engine.group_sum_bits}


_RECIPES: Mapping[str, _Recipe] = {
    "mixpe.pe_w4a8": _Recipe(
        make=MixpePe,
        widths=lambda engine: {"sum_bits": engine.pe_accumulator_bits},
        depends_on_group=True,
    ),
    "mixpe.group_sum": _Recipe(
        make=GroupSumPe,
        widths=lambda engine: {"sum_bits": engine.group_sum_bits},
        depends_on_group=True,
    ),
    "mixpe.dequant": _Recipe(
        make=GroupDequant, widths=_group_dequant_widths, depends_on_group=True
    ),
    "int8.pe": _Recipe(make=Int8Pe, widths=lambda _: {"sum_bits": INT8_ACCUMULATOR_BITS}),
    "int8.weight_dequant": _Recipe(make=WeightDequant, widths=lambda _: {}),
    # The increment of a MixPE column with max_group = 128; the adder is 48 bits wide in any case.
    "gemm.accumulate": _Recipe(make=Accumulate, widths=lambda _: {"increment_bits": 36}),
    "gemm.output_round": _Recipe(make=OutputRound, widths=lambda _: {}),
}


def units() -> tuple[str, ...]:
    """Names of all units."""
    return tuple(_RECIPES)


def depends_on_group(name: str) -> bool:
    """Whether the widths of a unit grow with ``max_group``."""
    return _recipe(name).depends_on_group


def unit(name: str, *, max_group: int = 128) -> Any:
    """Build the component behind ``name`` as an engine of ``max_group`` has it."""
    return _recipe(name).make(**_widths(name, max_group))


def expression(name: str, *, max_group: int = 128) -> str:
    """The Python expression that makes what :func:`unit` returns."""
    arguments = ", ".join(f"{key}={value}" for key, value in _widths(name, max_group).items())
    return f"{_recipe(name).make.__name__}({arguments})"


def _widths(name: str, max_group: int) -> dict[str, int]:
    return _recipe(name).widths(GemmEngineConfig(rows=1, cols=1, max_group=max_group))


def _recipe(name: str) -> _Recipe:
    if name not in _RECIPES:
        raise ConfigError(f"no unit named {name!r}; the units are {', '.join(_RECIPES)}")
    return _RECIPES[name]
