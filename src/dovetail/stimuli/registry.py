"""Operand stimuli of every unit, by the unit's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal, get_args

from dovetail.arch.dot_units import DOT_UNITS
from dovetail.errors import ConfigError
from dovetail.rtl.lut.design import DotDesign
from dovetail.rtl.stimulus import Stimulus
from dovetail.rtl.units import Size, default_size
from dovetail.stimuli.dot import dot_stimulus
from dovetail.stimuli.floating_pe import (
    float_dequant_segments,
    float_sum_segments,
    fp16_segments,
    shift_add_segments,
)
from dovetail.stimuli.floating_results import (
    accumulate_scaled_stimulus,
    accumulate_sum_stimulus,
    float_dequant_stimulus,
    float_output_round_stimulus,
)
from dovetail.stimuli.lut import (
    head_stimulus,
    step_sum_int8_stimulus,
    table_sum_stimulus,
    unit_stimulus,
)
from dovetail.stimuli.operands import (
    register_bit_stimulus,
    scale_queue_stimulus,
    weight_dequant_stimulus,
)
from dovetail.stimuli.pe import (
    dequant_segments,
    group_segments,
    group_sum_segments,
    int8_segments,
    pe_stimulus,
)
from dovetail.stimuli.request import Request
from dovetail.stimuli.results import (
    accumulate_stimulus,
    dequant_stimulus,
    output_round_stimulus,
)
from dovetail.stimuli.tiles import Kind

LEAST_CYCLES = 16

_GENERATORS: Mapping[str, Callable[[Request], Stimulus]] = {
    "mixpe.pe_w4a8": partial(pe_stimulus, segments=group_segments),
    "mixpe.pe_w4a8_multiplier": partial(pe_stimulus, segments=group_segments),
    "mixpe.group_sum": partial(pe_stimulus, segments=group_sum_segments),
    "mixpe.dequant": dequant_stimulus,
    "mixpe.scale_queue": scale_queue_stimulus,
    "int4.pe": partial(pe_stimulus, segments=group_segments),
    "int4.group_sum": partial(pe_stimulus, segments=group_sum_segments),
    "int4.dequant": dequant_stimulus,
    "int8.pe": partial(pe_stimulus, segments=int8_segments),
    "int8.pe_shift_add": partial(pe_stimulus, segments=int8_segments),
    "int8.weight_dequant": weight_dequant_stimulus,
    "dequant.pe_w4a8": partial(pe_stimulus, segments=dequant_segments),
    "lut.unit_int8": partial(unit_stimulus, kind="lookup", activation="int8"),
    "lut.head_int8": partial(head_stimulus, activation="int8"),
    "lut.group_sum_int8": partial(step_sum_int8_stimulus, table=True),
    "add.unit_int8": partial(unit_stimulus, kind="add", activation="int8"),
    "add.group_sum_int8": partial(step_sum_int8_stimulus, table=False),
    "mac.unit_int8": partial(unit_stimulus, kind="mac", activation="int8"),
    "lut.dequant_int8": dequant_stimulus,
    "lut.accumulate_int8": accumulate_stimulus,
    "lut.unit_int16": partial(unit_stimulus, kind="lookup", activation="int16"),
    "lut.head_int16": partial(head_stimulus, activation="int16"),
    "lut.group_sum_int16": partial(table_sum_stimulus, activation="int16"),
    "lut.dequant_int16": dequant_stimulus,
    "lut.accumulate_int16": accumulate_stimulus,
    "lut.output_round_int16": output_round_stimulus,
    "lut.unit_fp16": partial(unit_stimulus, kind="lookup", activation="fp16"),
    "lut.head_fp16": partial(head_stimulus, activation="fp16"),
    "lut.head_fp8": partial(head_stimulus, activation="fp8"),
    "lut.group_sum_fp16": partial(table_sum_stimulus, activation="fp16"),
    "lut.dequant_fp16": float_dequant_stimulus,
    "mixpe.pe_w4a16": partial(pe_stimulus, segments=shift_add_segments),
    "dequant.pe_w4a16": partial(pe_stimulus, segments=float_dequant_segments),
    "fp16.pe": partial(pe_stimulus, segments=fp16_segments),
    "floating.group_sum": partial(pe_stimulus, segments=float_sum_segments),
    "floating.dequant": float_dequant_stimulus,
    "floating.accumulate_scaled": accumulate_scaled_stimulus,
    "floating.accumulate_sum": accumulate_sum_stimulus,
    "floating.output_round": float_output_round_stimulus,
    "gemm.accumulate": accumulate_stimulus,
    "gemm.register_bit": register_bit_stimulus,
    "gemm.output_round": output_round_stimulus,
}

_ACTIVATION_BITS: Mapping[str, Literal[4, 16]] = {
    "int4.pe": 4,
    "int4.group_sum": 4,
    "int4.dequant": 4,
    "mixpe.pe_w4a16": 16,
    "dequant.pe_w4a16": 16,
    "floating.group_sum": 16,
    "floating.dequant": 16,
    "floating.accumulate_scaled": 16,
    "floating.output_round": 16,
    "lut.dequant_fp16": 16,
    "lut.dequant_int16": 16,
    "lut.accumulate_int16": 16,
    "lut.output_round_int16": 16,
}
"""Of units whose activations do not have 8 bits."""


def stimulated_units() -> tuple[str, ...]:
    """Names of the units that :func:`stimulus` knows."""
    return tuple(_GENERATORS)


def stimulus(
    unit: str, *, kind: Kind, size: Size | None = None, cycles: int = 4096, zero_point: bool = False
) -> Stimulus:
    """Operands of a unit as it gets them inside an array, and what it must answer.

    Parameters
    ----------
    unit : str
        Name in :mod:`dovetail.rtl.units`.
    kind : str
        ``real``: of the network with real weights.  ``random``: uniform over the whole range of
        each operand's format, under the same control; floating-point units after the array get the
        sums of such operands.  ``zero``: nothing but control.
    size : int or str, optional
        Of the unit's axis: longest group, depth or format of sums; the unit's default unless told.
    cycles : int
        Length, 16 at least.
    zero_point : bool
        INT4 weights have a zero point per group; else they are symmetric.

    Raises
    ------
    ToolError
        Where ``kind`` is ``real`` and the package of the network is missing.
    """
    if unit not in _GENERATORS and unit not in DOT_UNITS:
        known = ", ".join((*_GENERATORS, *DOT_UNITS))
        raise ConfigError(f"no stimulus for a unit named {unit!r}; the units are {known}")
    if kind not in get_args(Kind):
        raise ConfigError(f"kind={kind!r} must be real, random or zero; change kind")
    if cycles < LEAST_CYCLES:
        raise ConfigError(f"cycles={cycles} must be at least {LEAST_CYCLES}; raise cycles")
    if unit in DOT_UNITS:
        return _studied(unit, kind, size, cycles)
    bits: Literal[4, 8, 16] = _ACTIVATION_BITS.get(unit, 8)
    request = Request(
        unit=unit,
        kind=kind,
        size=default_size(unit) if size is None else size,
        cycles=cycles,
        zero_point=zero_point,
        activation_bits=bits,
        floating=bits == 16 and not unit.endswith("_int16"),
    )
    return _GENERATORS[unit](request)


def _studied(unit: str, kind: Kind, size: Size | None, cycles: int) -> Stimulus:
    of, activation, part = DOT_UNITS[unit]
    lut_k = int(size or default_size(unit) or 0)
    design = DotDesign(kind=of, activation=activation, lut_k=lut_k, drains=part == "unit")
    return dot_stimulus(design, kind=kind, part=part, cycles=cycles)
