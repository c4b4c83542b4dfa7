"""What an engine and its compute core exchange; a core is a parameter of the engine."""

from __future__ import annotations

from typing import Any

from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.cores import MAX_WEIGHT_BITS
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.events import Event
from dovetail.rtl.gemm.drain import segment
from dovetail.rtl.leaf import Leaf

__all__ = ["Core", "operands", "operands_per_cycle"]


def operands_per_cycle(config: GemmEngineConfig) -> int:
    """Largest count by which an event of a core can rise in one cycle."""
    return config.rows * config.cols


def operands(config: GemmEngineConfig) -> data.StructLayout:
    """Layout of what enters a core in one cycle."""
    return data.StructLayout(
        {
            "valid": 1,
            "activations": config.activation.word_bits,
            "weights": config.weight.word_bits,
            "scales": config.cols * config.scale_lane_bits,
            "scale_valid": 1,  # first k of a group (of a segment, for INT8 weights)
            "odd": 1,  # which half of a two-slice weight word
            "unscaled": 1,
            "signed": 1,
            "levels": 2,  # of the descriptor
            "planes": MAX_WEIGHT_BITS.bit_length(),  # of the descriptor
            "first": 1,  # first and last k of a segment, of a step all its planes
            "last": 1,
            "plane": range(MAX_WEIGHT_BITS),  # which bit of the weights, from the lowest
            "plane_last": 1,
            "segment": segment(config),  # with ``first`` and plane 0
        }
    )


class Core(wiring.Component):
    """Base of all compute cores: operands in, accumulator rows out.

    A core takes one k of ``rows`` activations and ``cols`` weights a cycle, or a step of ``lut_k``
    k or one plane of that; it sums segments, and adds what it makes of each sum to accumulators,
    which the engine reads back by rows.

    Parameters
    ----------
    config : GemmEngineConfig
    events : tuple of Event
        Which events the core counts itself.

    Members
    -------
    i : operands(config)
        Never stalls; ``valid`` marks the cycles that carry operands.
    weight_shift : unsigned(4)
        Constant during a GEMM.
    rows_valid, cols_valid : In
        Rows and columns of ``i`` that belong to the GEMM, for the counters.
    read, read_address, read_half : In
        Read-back of a row of accumulators; data one cycle later, held while ``read`` is low.
    read_data : accumulator_bits * cols bits
    tile_ready : unsigned(1)
        High for one cycle when the last row of an output tile can be read in the next cycle.
    drained_cols : unsigned
        Accumulators that a drained row updates in this cycle.
    drained_add : unsigned(1)
        That row is added to what is stored there, so the accumulators are read.
    count_<event> : unsigned
        Increment of each of ``events`` in this cycle.
    """

    def __init__(self, config: GemmEngineConfig, *, events: tuple[Event, ...]) -> None:
        self._config = config
        self.events = events
        members: dict[str, Any] = {
            "i": In(operands(config)),
            "weight_shift": In(4),
            "rows_valid": In(range(config.rows + 1)),
            "cols_valid": In(range(config.cols + 1)),
            "read": In(1),
            "read_address": In(range(max(2, config.accumulator_half_tiles * config.rows))),
            "read_half": In(1),
            "read_data": Out(config.accumulator_bits * config.cols),
            "tile_ready": Out(1),
            "drained_cols": Out(range(config.cols + 1)),
            "drained_add": Out(1),
        }
        for event in events:
            members[f"count_{event}"] = Out(range(operands_per_cycle(config) + 1))
        super().__init__(members)

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """Modules that the core places."""
        raise NotImplementedError
