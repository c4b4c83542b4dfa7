"""Units that are synthesised alone: the name in a technology table to the component behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dovetail.arch.engine import INT8_ACCUMULATOR_BITS, GemmEngineConfig
from dovetail.errors import ConfigError
from dovetail.rtl.gemm.accumulate import Accumulate
from dovetail.rtl.gemm.output import OutputRound
from dovetail.rtl.int8.pe import Int8Pe
from dovetail.rtl.int8.weight_dequant import WeightDequant
from dovetail.rtl.mixpe.dequant import GroupDequant
from dovetail.rtl.mixpe.group_sum import GroupSumPe
from dovetail.rtl.mixpe.pe import MixpePe
from dovetail.rtl.mixpe.scale_queue import ScaleQueue
from dovetail.rtl.skew import Skew

__all__ = ["axis", "expression", "unit", "units"]

Axis = Literal["max_group", "depth"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recipe:
    make: Callable[..., Any]
    widths: Callable[[int], dict[str, int]]
    axis: Axis | None = None


def _engine(max_group: int) -> GemmEngineConfig:
    return GemmEngineConfig(rows=1, cols=1, max_group=max_group)


def _group_dequant_widths(max_group: int) -> dict[str, int]:
    engine = _engine(max_group)
    return {"p_bits": engine.pe_accumulator_bits, "s_bits": engine.group_sum_bits}


_RECIPES: Mapping[str, _Recipe] = {
    "mixpe.pe_w4a8": _Recipe(
        make=MixpePe,
        widths=lambda max_group: {"sum_bits": _engine(max_group).pe_accumulator_bits},
        axis="max_group",
    ),
    "mixpe.group_sum": _Recipe(
        make=GroupSumPe,
        widths=lambda max_group: {"sum_bits": _engine(max_group).group_sum_bits},
        axis="max_group",
    ),
    "mixpe.dequant": _Recipe(make=GroupDequant, widths=_group_dequant_widths, axis="max_group"),
    "mixpe.scale_queue": _Recipe(
        make=ScaleQueue, widths=lambda depth: {"depth": depth}, axis="depth"
    ),
    "int8.pe": _Recipe(make=Int8Pe, widths=lambda _: {"sum_bits": INT8_ACCUMULATOR_BITS}),
    "int8.weight_dequant": _Recipe(make=WeightDequant, widths=lambda _: {}),
    # The increment of a MixPE column with max_group = 128; the adder is 48 bits wide in any case.
    "gemm.accumulate": _Recipe(make=Accumulate, widths=lambda _: {"increment_bits": 36}),
    # One flip-flop between units: of the skew, of a pipe.
    "gemm.register_bit": _Recipe(
        make=Skew, widths=lambda _: {"lanes": 1, "lane_bits": 1, "extra": 1}
    ),
    "gemm.output_round": _Recipe(make=OutputRound, widths=lambda _: {}),
}


def units() -> tuple[str, ...]:
    """Names of all units."""
    return tuple(_RECIPES)


def axis(name: str) -> Axis | None:
    """The size by which a unit differs between engines, if any.

    ``max_group`` sets widths; ``depth`` is ``segments_in_flight``.
    """
    return _recipe(name).axis


def unit(name: str, *, size: int = 128) -> Any:
    """Build the component behind ``name`` for one size of its :func:`axis`."""
    return _recipe(name).make(**_recipe(name).widths(size))


def expression(name: str, *, size: int = 128) -> str:
    """The Python expression that makes what :func:`unit` returns."""
    arguments = ", ".join(f"{key}={value}" for key, value in _recipe(name).widths(size).items())
    return f"{_recipe(name).make.__name__}({arguments})"


def _recipe(name: str) -> _Recipe:
    if name not in _RECIPES:
        raise ConfigError(f"no unit named {name!r}; the units are {', '.join(_RECIPES)}")
    return _RECIPES[name]
