"""Which hardware units an engine is made of: the map from a core to the units that are priced.

A core that joins the project adds the name of its PE; no pricing code changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dovetail.arch import registers
from dovetail.arch.cores import MIXPE_CORES, Core, CoreSpec
from dovetail.arch.engine import ZERO_BITS, GemmEngineConfig
from dovetail.arch.events import STALLS, Event
from dovetail.errors import UnpricedError

TIME_EVENTS = frozenset({Event.CYCLE, Event.STREAM, *STALLS})
"""Events that say what a cycle was used for.

What every cycle costs is charged to the cycle; a streaming one also moves registers of operands.
"""

Operations = Callable[[GemmEngineConfig, Mapping[Event, int]], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One kind of logic unit in an engine.

    Attributes
    ----------
    name : str
        Entry in the technology table.
    component : str
        Line of the energy and area breakdown that it adds to.
    event : Event
        What its operations are counted by.
    count : callable
        How many such units an engine has; 0 where they are priced as part of another unit and
        only some of their operations are not.
    in_array : bool
        Belongs to the array where designs of equal array area are compared: all that a core has
        from its operand ports to its accumulators.
    operations : callable, optional
        Operations in a run; without it, one for each count of ``event``.
    """

    name: str
    component: str
    event: Event
    count: Callable[[GemmEngineConfig], int]
    in_array: bool
    operations: Operations | None = None

    def operations_in(self, engine: GemmEngineConfig, events: Mapping[Event, int]) -> int:
        """Operations of all such units of ``engine`` in a run that counted ``events``."""
        if self.operations is None:
            return events.get(self.event, 0)
        return self.operations(engine, events)


def _pes(engine: GemmEngineConfig) -> int:
    return engine.rows * engine.cols


def _rows(engine: GemmEngineConfig) -> int:
    return engine.rows


def _heads(engine: GemmEngineConfig) -> int:
    return engine.rows if engine.makes_tables else 0


def _cols(engine: GemmEngineConfig) -> int:
    return engine.cols


def _register_bits(
    component: str,
    event: Event,
    bits: Callable[[GemmEngineConfig], int],
    *,
    moved: Callable[[GemmEngineConfig], int] | None = None,
    in_array: bool = True,
) -> Unit:
    """``bits`` registers, of which each count of ``event`` moves ``moved``, or all."""
    per_event = moved or bits
    return Unit(
        name="gemm.register_bit",
        component=component,
        event=event,
        count=bits,
        in_array=in_array,
        operations=lambda engine, events: events.get(event, 0) * per_event(engine),
    )


def _idle_pe_bits(engine: GemmEngineConfig, events: Mapping[Event, int]) -> int:
    """Operand registers of PEs through which operands pass on to others, or to nowhere."""
    idle = events.get(Event.STREAM, 0) * _pes(engine) - events.get(Event.PE_OP, 0)
    return idle * (engine.spec.activation_bits + registers.pe_weight_bits(engine))


_PE: Mapping[Core, str] = {
    "mixpe_w4a8": "mixpe.pe_w4a8",
    "multiply_w4a8": "mixpe.pe_w4a8_multiplier",
    "int4": "int4.pe",
    "mixpe_w4a16": "mixpe.pe_w4a16",
    "int8": "int8.pe",
    "shift_add_int8": "int8.pe_shift_add",
    "dequant_w4a8": "dequant.pe_w4a8",
    "dequant_w4a16": "dequant.pe_w4a16",
    "fp16": "fp16.pe",
}


def _unit(
    name: str,
    component: str,
    event: Event,
    count: Callable[[GemmEngineConfig], int],
    *,
    in_array: bool = True,
) -> Unit:
    return Unit(name=name, component=component, event=event, count=count, in_array=in_array)


def _after_group(family: str) -> tuple[Unit, ...]:
    """Beside the PEs, of a core whose sums of activations and dequantisers are ``family``'s."""
    return (
        _unit(f"{family}.group_sum", "group_sum", Event.GROUP_SUM, _rows),
        _unit(f"{family}.dequant", "dequantiser", Event.GROUP_DEQUANT, _cols),
        # A slot is written and read once a segment; charging each of the segment's rows errs
        # against MixPE.
        _unit("mixpe.scale_queue", "scale_queue", Event.GROUP_DEQUANT, _cols),
        _register_bits(
            "column_pipe",
            Event.GROUP_DEQUANT,
            registers.result_pipe,
            moved=registers.result_pipe_column,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Broadcast:
    """Units of a core whose operands reach all of its units at once.

    Attributes
    ----------
    unit : str
    head, group_sum : str, optional
        Of a row: what makes its tables, and the sum of its activations.
    dequant, accumulate, output : str
        Of a column.
    """

    unit: str
    head: str | None = None
    group_sum: str | None = None
    dequant: str = "lut.dequant_int8"
    accumulate: str = "lut.accumulate_int8"
    output: str = "gemm.output_round"


_FLOATING: Mapping[str, str] = {
    "dequant": "lut.dequant_fp16",
    "accumulate": "floating.accumulate_scaled",
    "output": "floating.output_round",
}

_BROADCAST: Mapping[Core, _Broadcast] = {
    "lut_int8": _Broadcast(
        unit="lut.unit_int8", head="lut.head_int8", group_sum="lut.group_sum_int8"
    ),
    "lut_int16": _Broadcast(
        unit="lut.unit_int16",
        head="lut.head_int16",
        group_sum="lut.group_sum_int16",
        dequant="lut.dequant_int16",
        accumulate="lut.accumulate_int16",
        output="lut.output_round_int16",
    ),
    "lut_fp16": _Broadcast(
        unit="lut.unit_fp16", head="lut.head_fp16", group_sum="lut.group_sum_fp16", **_FLOATING
    ),
    # Its tables are those of FP16, once its activations are.
    "lut_fp8": _Broadcast(
        unit="lut.unit_fp16", head="lut.head_fp8", group_sum="lut.group_sum_fp16", **_FLOATING
    ),
    "add_int8": _Broadcast(unit="add.unit_int8", group_sum="add.group_sum_int8"),
    "mac_int8": _Broadcast(unit="mac.unit_int8"),
}

PRICED_STEP, PRICED_GROUP = 4, 128
"""Steps and longest groups for which units of cores that broadcast are in the tables."""

_BUILT: Mapping[str, int | str] = {
    "lut_k": PRICED_STEP,
    "max_group": PRICED_GROUP,
    "zero_bits": ZERO_BITS,
    "table": "exact",
}
"""Fields of engines of cores that broadcast, as the tables' units are built.

No width of a floating-point unit depends on ``max_group``.
"""


def _broadcast_units(core: Core) -> tuple[Unit, ...]:
    """Units of a core whose operands reach all units at once, then the output side."""
    units = _BROADCAST[core]
    parts = [_unit(units.unit, "pe", Event.PE_OP, _pes)]
    if units.head:
        parts.append(_unit(units.head, "precompute", Event.TABLE, _heads))
    if units.group_sum:
        parts.append(_unit(units.group_sum, "group_sum", Event.GROUP_SUM, _rows))
    return (
        *parts,
        _register_bits("operand_pipe", Event.STREAM, registers.broadcast_operands),
        _unit(units.dequant, "dequantiser", Event.GROUP_DEQUANT, _cols),
        _unit("mixpe.scale_queue", "scale_queue", Event.GROUP_DEQUANT, _cols),
        _register_bits(
            "column_pipe",
            Event.GROUP_DEQUANT,
            registers.broadcast_results,
            moved=registers.broadcast_results_column,
        ),
        _unit(units.accumulate, "accumulator", Event.ACCUMULATE, _cols, in_array=False),
        _register_bits(
            "accumulator",
            Event.ACCUMULATE,
            registers.broadcast_accumulators,
            moved=registers.accumulator_pipe_column,
            in_array=False,
        ),
        _unit(units.output, "output", Event.OUTPUT, _cols, in_array=False),
    )


def _units(core: Core, spec: CoreSpec) -> tuple[Unit, ...]:
    """The array of a core, then the output side, which all cores have."""
    parts = [
        _unit(_PE[core], "pe", Event.PE_OP, _pes),
        Unit(
            name="gemm.register_bit",
            component="idle_pe",
            event=Event.STREAM,
            count=lambda _: 0,
            in_array=True,
            operations=_idle_pe_bits,
        ),
        _register_bits("skew", Event.STREAM, registers.skew),
        _register_bits("column_pipe", Event.STREAM, registers.operand_pipe),
    ]
    accumulate, output_round = "gemm.accumulate", "gemm.output_round"
    if spec.floating:
        accumulate, output_round = "floating.accumulate_sum", "floating.output_round"
    if spec.after_group:
        family = {4: "int4", 8: "mixpe", 16: "floating"}[spec.activation_bits]
        parts += _after_group(family)
        if spec.floating:
            accumulate = "floating.accumulate_scaled"
    if spec.dequantise == "column_head":
        parts.append(_unit("int8.weight_dequant", "dequantiser", Event.WEIGHT_DEQUANT, _cols))
    return (
        *parts,
        _unit(accumulate, "accumulator", Event.ACCUMULATE, _cols, in_array=False),
        _register_bits(
            "accumulator",
            Event.ACCUMULATE,
            registers.accumulator_pipe,
            moved=registers.accumulator_pipe_column,
            in_array=False,
        ),
        _unit(output_round, "output", Event.OUTPUT, _cols, in_array=False),
    )


CORE_UNITS: Mapping[Core, tuple[Unit, ...]] = {
    **{core: _units(core, spec) for core, spec in MIXPE_CORES.items()},
    **{core: _broadcast_units(core) for core in _BROADCAST},
}
"""The units of each compute core, and of the output side."""


def core_units(engine: GemmEngineConfig) -> tuple[Unit, ...]:
    """Units of ``engine``.

    Raises
    ------
    UnpricedError
        They have no names in any table, or are built otherwise there.
    """
    core = engine.core
    if core not in CORE_UNITS:
        raise UnpricedError(
            f"core {core!r} has no price: its units are in no technology table; price one of "
            f"{', '.join(CORE_UNITS)}, or add its units to arch/units.py and to the table"
        )
    for name, value in _BUILT.items() if core in _BROADCAST else ():
        if name == "max_group" and engine.spec.floating:
            continue
        if getattr(engine, name) != value:
            raise UnpricedError(
                f"{name}={getattr(engine, name)} of core {core!r} has no price: technology tables "
                f"have its units for {name}={value}; change {name}"
            )
    return CORE_UNITS[core]
