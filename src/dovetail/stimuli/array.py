"""Stimuli of a whole compute core: GEMM tiles, k after k, and the reading of their results.

With them the core can be synthesised and simulated as one, and its energy compared with the sum of
its units' for the events that the same stimulus counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dovetail.arch.engine import SCALE_BITS, SCALE_LANE_BITS, WEIGHT_BITS, GemmEngineConfig
from dovetail.arch.events import Event
from dovetail.errors import ConfigError
from dovetail.models.mpgemm import (
    GemmOperands,
    accumulate_after_group,
    accumulate_before_loop,
)
from dovetail.models.quantize import natural_weight_shift
from dovetail.rtl.gemm.core import operands
from dovetail.rtl.gemm.drain import segment
from dovetail.rtl.stimulus import Stimulus
from dovetail.stimuli.ports import lanes, structs, words
from dovetail.stimuli.tiles import ORIGINS, Kind, tiles


@dataclass(frozen=True, kw_only=True, eq=False)
class ArrayStimulus:
    """A stimulus of a core with the events that it stands for.

    Attributes
    ----------
    stimulus : Stimulus
        Of the core's ports; one operation is one operation of a PE.
    events : dict of Event to int
        Of the core, from its operand ports to its accumulators.
    """

    stimulus: Stimulus
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
    streams = list(_tiles(config, kind, groups, zero_point))
    shift = natural_weight_shift(zero_point)
    fields: dict[str, list[int]] = {name: [] for name in _FIELDS}
    ready: list[int] = []
    for index, tile in enumerate(streams):
        for name, values in _operands(config, tile, half=index % 2, zero_point=zero_point).items():
            fields[name] += values
        ready.append(len(fields["valid"]) - 1 + config.result_latency_cycles - 2)
    streamed = len(fields["valid"])
    ends = [cycle for cycle, last in enumerate(fields["last"]) if last]
    cycles = ready[-1] + config.rows + 2
    for name, values in fields.items():
        # Operand registers hold; what says that they count does not.
        idle = 0 if name in ("valid", "scale_valid", "first", "last") else values[-1]
        values += [idle] * (cycles - streamed)

    layout = operands(config)
    time = np.arange(cycles)
    read, row, half = (np.zeros(cycles, dtype=np.uint64) for _ in range(3))
    tile_ready = np.isin(time, ready).astype(np.uint64)
    drained = np.zeros(cycles, dtype=np.uint64)
    data, known = [0] * cycles, np.zeros(cycles, dtype=np.bool_)
    for index, (tile, at) in enumerate(zip(streams, ready, strict=True)):
        part = slice(at + 1, at + 1 + config.rows)
        read[part], row[part], half[part] = 1, np.arange(config.rows), index % 2
        sums = (
            accumulate_after_group(tile)
            if config.spec.after_group
            else accumulate_before_loop(tile, weight_shift=shift)
        )
        data[at + 2 : at + 2 + config.rows] = lanes(sums, config.accumulator_bits)
        known[at + 2 : at + 2 + config.rows] = True
    for end in ends:
        first = end + config.rows + config.spec.wait_cycles + config.spec.product_cycles
        drained[first : first + config.rows] = config.cols

    def constant(value: int) -> Any:
        return np.full(cycles, value, dtype=np.uint64)

    pe_operations = streamed * config.rows * config.cols
    results = len(ends) * config.rows * config.cols
    events = {
        Event.CYCLE: cycles,
        Event.STREAM: streamed,
        Event.PE_OP: pe_operations,
        Event.ACCUMULATE: results,
    }
    if config.spec.after_group:
        events |= {Event.GROUP_SUM: streamed * config.rows, Event.GROUP_DEQUANT: results}
    elif config.spec.dequantise == "column_head":
        events |= {Event.WEIGHT_DEQUANT: streamed * config.cols}
    everywhere = np.ones(cycles, dtype=np.bool_)
    stimulus = Stimulus(
        inputs={
            "i": words(structs(layout, fields), layout.size),
            "weight_shift": constant(shift),
            "rows_valid": constant(config.rows),
            "cols_valid": constant(config.cols),
            "read": read,
            "read_address": row,
            "read_half": half,
        },
        expected={
            "tile_ready": tile_ready,
            "drained_cols": drained,
            "read_data": words(data, config.accumulator_bits * config.cols),
        },
        check={"tile_ready": everywhere, "drained_cols": everywhere, "read_data": known},
        operations=pe_operations,
        origin=ORIGINS[kind],
    )
    return ArrayStimulus(stimulus=stimulus, events=events)


_FIELDS = (
    "valid",
    "activations",
    "weights",
    "scales",
    "scale_valid",
    "odd",
    "signed",
    "first",
    "last",
    "segment",
)


def _tiles(
    config: GemmEngineConfig, kind: Kind, groups: int, zero_point: bool
) -> Iterator[GemmOperands]:
    """Tiles of the core's array until ``groups`` groups have gone; the last is cut."""
    for tile in tiles(
        kind,
        rows=config.rows,
        cols=config.cols,
        group=config.max_group,
        zero_point=zero_point,
        activation_bits=4 if config.spec.activation_bits == 4 else 8,
    ):
        assert tile.scale is not None and tile.zero is not None
        taken = min(groups, tile.scale.shape[1])
        k = taken * tile.group
        yield GemmOperands(
            activations=tile.activations[:, :k],
            weights=tile.weights[:, :k],
            scale=tile.scale[:, :taken],
            zero=tile.zero[:, :taken],
            group=tile.group,
        )
        groups -= taken
        if not groups:
            return


def _operands(
    config: GemmEngineConfig, tile: GemmOperands, *, half: int, zero_point: bool
) -> dict[str, Sequence[int]]:
    """What enters the core with each k of a tile, by field of its operand port."""
    assert tile.scale is not None and tile.zero is not None
    k = tile.weights.shape[1]
    length = tile.group if config.spec.group_segments else k
    time = np.arange(k)
    nibbles = lanes(tile.weights.T, WEIGHT_BITS)
    if config.spec.slices_per_word == 2:
        # A word holds an even k and, above it, the odd one after it.
        plane = config.cols_padded * WEIGHT_BITS
        nibbles.append(0)
        nibbles = [nibbles[at] | nibbles[at + 1] << plane for at in (time & ~1).tolist()]
    scales = lanes((tile.scale | tile.zero << SCALE_BITS).T, SCALE_LANE_BITS)
    entries = structs(
        segment(config),
        {
            "half": [half] * k,
            "first": (time < length).astype(int).tolist(),
            "tile_last": (time >= (k - 1) // length * length).astype(int).tolist(),
            "rows_valid": [config.rows] * k,
            "cols_valid": [config.cols] * k,
        },
    )
    return {
        "valid": [1] * k,
        "activations": lanes(tile.activations.T, config.spec.activation_bits),
        "weights": nibbles,
        "scales": [scales[group] for group in (time // tile.group).tolist()],
        "scale_valid": (time % tile.group == 0).astype(int).tolist(),
        "odd": (time % config.spec.slices_per_word).tolist(),
        "signed": [int(not zero_point)] * k,
        "first": (time % length == 0).astype(int).tolist(),
        "last": ((time % length == length - 1) | (time == k - 1)).astype(int).tolist(),
        "segment": entries,
    }
