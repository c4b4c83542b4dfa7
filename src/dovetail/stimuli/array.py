"""Stimuli of a whole compute core: GEMM tiles, k after k, and the reading of their results.

With them the core can be synthesised and simulated as one, and its energy compared with the sum of
its units' for the events that the same stimulus counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.events import Event
from dovetail.errors import ConfigError
from dovetail.models.quantize import natural_weight_shift
from dovetail.rtl.gemm.core import operands
from dovetail.rtl.stimulus import Stimulus
from dovetail.stimuli.array_operands import FIELDS, cut_tiles, tile_operands
from dovetail.stimuli.array_results import (
    PortGroup,
    TileResults,
    memory_ports,
    result_ports,
    tile_results,
)
from dovetail.stimuli.ports import Raw, structs, words
from dovetail.stimuli.tiles import ORIGINS, Kind


@dataclass(frozen=True, kw_only=True, eq=False)
class ArrayStimulus:
    """A stimulus of a core with the events that it stands for.

    Attributes
    ----------
    stimulus : Stimulus
        Of the core's ports; one operation is one operation of a PE.
    without_memories : Stimulus
        The same for the core whose accumulator memories are ports, as
        :func:`dovetail.rtl.memory_ports.verilog_without_memories` makes it.
    events : dict of Event to int
        Of the core, from its operand ports to its accumulators.
    """

    stimulus: Stimulus
    without_memories: Stimulus
    events: Mapping[Event, int]


def array_stimulus(
    config: GemmEngineConfig, *, kind: Kind, groups: int = 32, zero_point: bool = False
) -> ArrayStimulus:
    """Stream ``groups`` groups of ``config.max_group`` k without a pause, tile after tile.

    Tiles take the two halves of the accumulators in turn.  Each is read back as the engine's writer
    would, one row a cycle from the cycle after ``tile_ready``, while the next tile streams.

    Parameters
    ----------
    config : GemmEngineConfig
        Of an integer core whose groups are at least as long as its drain takes.
    kind : str
        ``real``, ``random`` or ``zero``, as for a unit.
    groups : int
        The last tile ends with the last group, though its k may be longer.
    zero_point : bool
        INT4 weights have a zero point per group.
    """
    if config.spec.floating or config.max_group < config.drain_cycles:
        raise ConfigError(
            f"core={config.core} with max_group={config.max_group} and rows={config.rows}: array "
            f"stimuli need an integer core whose groups are at least as long as its drain takes; "
            f"change core or max_group"
        )
    if groups < 1:
        raise ConfigError(f"groups={groups} must be 1 or more; give a count")
    shift = natural_weight_shift(zero_point)
    fields: dict[str, list[int]] = {name: [] for name in FIELDS}
    results: list[TileResults] = []
    for tile in cut_tiles(config, kind, groups, zero_point):
        half, start = len(results) % 2, len(fields["valid"])
        entering = tile_operands(config, tile, half=half, zero_point=zero_point)
        for name, values in entering.items():
            fields[name] += values
        results.append(tile_results(config, tile, half=half, start=start, weight_shift=shift))
    streamed = len(fields["valid"])
    cycles = results[-1].ready + config.rows + 2
    for name, entered in fields.items():
        # Operand registers hold; what says that they count does not.
        idle = 0 if name in ("valid", "scale_valid", "first", "last") else entered[-1]
        entered += [idle] * (cycles - streamed)

    def constant(value: int) -> Raw:
        return np.full(cycles, value, dtype=np.uint64)

    layout = operands(config)
    core = {
        "i": words(structs(layout, fields), layout.size),
        "weight_shift": constant(shift),
        "rows_valid": constant(config.rows),
        "cols_valid": constant(config.cols),
    }
    ports = result_ports(config, results, cycles)
    memories = memory_ports(config, results, cycles)
    pe_operations = streamed * config.rows * config.cols

    def stimulus(*parts: PortGroup) -> Stimulus:
        return Stimulus(
            inputs=core | {n: v for part in parts for n, v in part.inputs.items()},
            expected={n: v for part in parts for n, v in part.expected.items()},
            check={n: v for part in parts for n, v in part.check.items()},
            operations=pe_operations,
            origin=ORIGINS[kind],
        )

    drained = sum(len(result.ends) for result in results) * config.rows * config.cols
    events = {
        Event.CYCLE: cycles,
        Event.STREAM: streamed,
        Event.PE_OP: pe_operations,
        Event.ACCUMULATE: drained,
    }
    if config.spec.after_group:
        events |= {Event.GROUP_SUM: streamed * config.rows, Event.GROUP_DEQUANT: drained}
    elif config.spec.dequantise == "column_head":
        events |= {Event.WEIGHT_DEQUANT: streamed * config.cols}
    return ArrayStimulus(
        stimulus=stimulus(ports), without_memories=stimulus(ports, memories), events=events
    )
