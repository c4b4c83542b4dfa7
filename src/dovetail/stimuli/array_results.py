"""What a whole core makes of its tiles: when rows drain, what the accumulators hold, what is read.

The accumulators' traffic follows the ports of :class:`dovetail.rtl.gemm.accumulators` memories: a
read answers one cycle later and holds, and a sum is written one cycle after its increment came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.engine import GemmEngineConfig
from dovetail.models.mpgemm import (
    GemmOperands,
    accumulate_after_group,
    accumulate_before_loop,
)
from dovetail.rtl.memory_ports import memory_port
from dovetail.stimuli.array_operands import first_groups
from dovetail.stimuli.ports import Raw, lanes, raw, words


@dataclass(frozen=True, kw_only=True, eq=False)
class PortGroup:
    """Some ports of a core; the fields are those of a stimulus."""

    inputs: Mapping[str, Raw]
    expected: Mapping[str, Raw]
    check: Mapping[str, NDArray[np.bool_]]


@dataclass(frozen=True, kw_only=True, eq=False)
class TileResults:
    """One tile's results and their times.

    Attributes
    ----------
    half : int
        Of the accumulators.
    ends : tuple of int
        Cycle in which the last k of each segment enters the core.
    totals : tuple of int64 arrays, shape (rows, cols)
        What the accumulators hold once each segment has been added.
    ready : int
        Cycle of ``tile_ready``.
    """

    half: int
    ends: tuple[int, ...]
    totals: tuple[NDArray[np.int64], ...]
    ready: int


def tile_results(
    config: GemmEngineConfig, tile: GemmOperands, *, half: int, start: int, weight_shift: int
) -> TileResults:
    """Results of a tile whose first k enters in cycle ``start``."""
    groups = tile.weights.shape[1] // tile.group
    if config.spec.after_group:
        counts = range(1, groups + 1)
        totals = [accumulate_after_group(first_groups(tile, count)) for count in counts]
    else:
        counts = range(groups, groups + 1)
        totals = [accumulate_before_loop(tile, weight_shift=weight_shift)]
    ends = tuple(start + count * tile.group - 1 for count in counts)
    return TileResults(
        half=half,
        ends=ends,
        totals=tuple(totals),
        ready=ends[-1] + config.result_latency_cycles - 2,
    )


def _drain_cycle(config: GemmEngineConfig, end: int) -> int:
    """Cycle in which the first row of the segment that ended in ``end`` drains."""
    return end + config.rows + config.spec.wait_cycles + config.spec.product_cycles


def result_ports(
    config: GemmEngineConfig, results: Sequence[TileResults], cycles: int
) -> PortGroup:
    """Read-back of every tile, and what the core says of its progress."""
    read, row, half, ready, drained = (np.zeros(cycles, dtype=np.uint64) for _ in range(5))
    data, known = [0] * cycles, np.zeros(cycles, dtype=np.bool_)
    for result in results:
        ready[result.ready] = 1
        part = slice(result.ready + 1, result.ready + 1 + config.rows)
        read[part], row[part], half[part] = 1, np.arange(config.rows), result.half
        answer = slice(part.start + 1, part.stop + 1)
        data[answer] = lanes(result.totals[-1], config.accumulator_bits)
        known[answer] = True
        for end in result.ends:
            first = _drain_cycle(config, end)
            drained[first : first + config.rows] = config.cols
    everywhere = np.ones(cycles, dtype=np.bool_)
    return PortGroup(
        inputs={"read": read, "read_address": row, "read_half": half},
        expected={
            "tile_ready": ready,
            "drained_cols": drained,
            "read_data": words(data, config.accumulator_bits * config.cols),
        },
        check={"tile_ready": everywhere, "drained_cols": everywhere, "read_data": known},
    )


def memory_ports(
    config: GemmEngineConfig, results: Sequence[TileResults], cycles: int
) -> PortGroup:
    """Read data of each accumulator memory, and what the core must write into it."""
    bits = config.accumulator_bits
    rows = np.arange(config.rows)
    inputs: dict[str, Raw] = {}
    expected: dict[str, Raw] = {}
    check: dict[str, NDArray[np.bool_]] = {}
    for col in range(config.cols):
        for half in range(2):
            answers: dict[int, int] = {}  # cycle to the sum that the read port shows from then on
            write, address, data = (np.zeros(cycles, dtype=np.uint64) for _ in range(3))
            for result in results:
                if result.half != half:
                    continue
                before = None
                for end, totals in zip(result.ends, result.totals, strict=True):
                    # The last row comes first; its increment is at the accumulators in ``first``.
                    first = _drain_cycle(config, end) + col
                    first += int(config.spec.after_group) + config.spec.dequant_cycles
                    part = slice(first + 1, first + 1 + config.rows)
                    write[part], address[part] = 1, rows[::-1]
                    data[part] = raw(totals[::-1, col], bits)
                    if before is not None:
                        answers |= zip(
                            range(part.start, part.stop), before[::-1, col].tolist(), strict=True
                        )
                    before = totals
                start = result.ready + 2
                answers |= zip(
                    range(start, start + config.rows),
                    result.totals[-1][:, col].tolist(),
                    strict=True,
                )
            shown = np.zeros(cycles, dtype=np.int64)
            for cycle in sorted(answers):
                shown[cycle:] = answers[cycle]
            inputs[memory_port(col, half, "read_data")] = raw(shown, bits)
            everything = np.uint64((1 << bits) - 1)
            for port, values, known in (
                ("write_enable", write * everything, np.ones(cycles, dtype=np.bool_)),
                ("write_address", address, write == 1),
                ("write_data", data, write == 1),
            ):
                expected[memory_port(col, half, port)] = values
                check[memory_port(col, half, port)] = known
    return PortGroup(inputs=inputs, expected=expected, check=check)
