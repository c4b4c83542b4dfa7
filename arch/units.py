"""Which hardware units an engine is made of: the map from a core to the units that are priced.

A core that joins the project adds an entry to ``CORE_UNITS``; no pricing code changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dovetail.arch.engine import ACCUMULATOR_BITS, Core, GemmEngineConfig, SpadShape
from dovetail.arch.events import STALLS, Event

TIME_EVENTS = frozenset({Event.CYCLE, Event.STREAM, *STALLS})
"""Events that say what a cycle was used for; all that they cost is charged to the cycle itself."""


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
        What one operation of the unit is counted as.
    count : callable
        How many such units an engine has.
    in_array : bool
        Belongs to the array where designs of equal array area are compared: PEs, the group-sum
        column and the dequantisation units of the core.
    """

    name: str
    component: str
    event: Event
    count: Callable[[GemmEngineConfig], int]
    in_array: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Scratchpad:
    """One on-chip memory of an engine.

    Attributes
    ----------
    name : str
        Entry in the technology table.
    component : str
        Line of the energy and area breakdown.
    read, write : Event
        One access each.
    read_bits, write_bits, capacity_bits : callable
        Bits of one read, of one write, and of the whole memory.
    """

    name: str
    component: str
    read: Event
    write: Event
    read_bits: Callable[[GemmEngineConfig], int]
    write_bits: Callable[[GemmEngineConfig], int]
    capacity_bits: Callable[[GemmEngineConfig], int]


def _pes(engine: GemmEngineConfig) -> int:
    return engine.rows * engine.cols


def _rows(engine: GemmEngineConfig) -> int:
    return engine.rows


def _cols(engine: GemmEngineConfig) -> int:
    return engine.cols


_OUTPUT_SIDE = (
    Unit(
        name="gemm.accumulate",
        component="accumulator",
        event=Event.ACCUMULATE,
        count=_cols,
        in_array=False,
    ),
    Unit(
        name="gemm.output_round",
        component="output",
        event=Event.OUTPUT,
        count=_cols,
        in_array=False,
    ),
)

CORE_UNITS: Mapping[Core, tuple[Unit, ...]] = {
    "mixpe_w4a8": (
        Unit(name="mixpe.pe_w4a8", component="pe", event=Event.PE_OP, count=_pes, in_array=True),
        Unit(
            name="mixpe.group_sum",
            component="group_sum",
            event=Event.GROUP_SUM,
            count=_rows,
            in_array=True,
        ),
        Unit(
            name="mixpe.dequant",
            component="dequantiser",
            event=Event.GROUP_DEQUANT,
            count=_cols,
            in_array=True,
        ),
        *_OUTPUT_SIDE,
    ),
    "int8": (
        Unit(name="int8.pe", component="pe", event=Event.PE_OP, count=_pes, in_array=True),
        Unit(
            name="int8.weight_dequant",
            component="dequantiser",
            event=Event.WEIGHT_DEQUANT,
            count=_cols,
            in_array=True,
        ),
        *_OUTPUT_SIDE,
    ),
}
"""The units of each compute core, and of the output side that all cores share."""


def _operand_spad(
    name: str,
    shape: Callable[[GemmEngineConfig], SpadShape],
    capacity_bytes: Callable[[GemmEngineConfig], int],
    *,
    read: Event,
    write: Event,
) -> Scratchpad:
    return Scratchpad(
        name=name,
        component=f"{name}_spad",
        read=read,
        write=write,
        read_bits=lambda engine: shape(engine).word_bits,
        write_bits=lambda engine: engine.port_bits,
        capacity_bits=lambda engine: 8 * capacity_bytes(engine),
    )


SCRATCHPADS = (
    _operand_spad(
        "activation",
        lambda engine: engine.activation,
        lambda engine: engine.activation_buffer_bytes,
        read=Event.ACTIVATION_READ,
        write=Event.ACTIVATION_WRITE,
    ),
    _operand_spad(
        "weight",
        lambda engine: engine.weight,
        lambda engine: engine.weight_buffer_bytes,
        read=Event.WEIGHT_READ,
        write=Event.WEIGHT_WRITE,
    ),
    _operand_spad(
        "scale",
        lambda engine: engine.scale,
        lambda engine: engine.scale_buffer_bytes,
        read=Event.SCALE_READ,
        write=Event.SCALE_WRITE,
    ),
    Scratchpad(
        name="accumulator",
        component="accumulator_spad",
        read=Event.ACCUMULATOR_READ,
        write=Event.ACCUMULATOR_WRITE,
        read_bits=lambda engine: engine.cols * ACCUMULATOR_BITS,
        write_bits=lambda engine: engine.cols * ACCUMULATOR_BITS,
        capacity_bits=lambda engine: 8 * engine.accumulator_buffer_bytes,
    ),
)
"""The memories that every GEMM engine has, whatever its core."""
