"""Registers of each core that lie between its units, in bits: skew, pipes, and what they carry.

They follow from the configuration alone and equal what the RTL declares and uses, which
``tests/rtl/test_registers.py`` counts in the synthesised cores.
"""

from __future__ import annotations

from dovetail.arch.engine import (
    ACTIVATION_BITS,
    SCALE_BITS,
    SCALE_LANE_BITS,
    WEIGHT_BITS,
    GemmEngineConfig,
)

_DEQUANT_CYCLES = 2  # for which the baseline's activations wait for their weights


def _index_bits(count: int) -> int:
    return max(1, (count - 1).bit_length())


def _triangle(lanes: int) -> int:
    """Stages of lanes of which each is delayed by one cycle more than the one before."""
    return lanes * (lanes - 1) // 2


def mixpe_skew(engine: GemmEngineConfig) -> int:
    """Operand skew; weights wait one cycle more, for the column of group sums."""
    activations = ACTIVATION_BITS * _triangle(engine.rows)
    return activations + WEIGHT_BITS * (_triangle(engine.cols) + engine.cols)


def int8_skew(engine: GemmEngineConfig) -> int:
    """Operand skew, of weights that are INT8 already."""
    activations = ACTIVATION_BITS * _triangle(engine.rows)
    return activations + 2 * WEIGHT_BITS * _triangle(engine.cols)


def mixpe_control(engine: GemmEngineConfig) -> int:
    """Control of the operands, from column to column: valid, first, last, signed."""
    return 4 * engine.cols


def int8_operand_pipe(engine: GemmEngineConfig) -> int:
    """Held scale lanes, activations and control that wait for weights, and control as MixPE's.

    Control is valid, first and last.
    """
    waiting = _DEQUANT_CYCLES * (ACTIVATION_BITS * engine.rows + 3)
    return waiting + SCALE_LANE_BITS * engine.cols + 3 * (engine.cols - 1)


def mixpe_result_pipe_column(engine: GemmEngineConfig) -> int:
    """What goes with a drained row to a column's dequantiser.

    Its group sum, slot in the scale queue and nibble, and the scale that the slot held.
    """
    return engine.group_sum_bits + _index_bits(engine.segments_in_flight) + 1 + SCALE_BITS


def mixpe_result_pipe(engine: GemmEngineConfig) -> int:
    """:func:`mixpe_result_pipe_column` of all columns; the nibble goes one stage further."""
    return engine.cols * mixpe_result_pipe_column(engine) + 1


def _bank_bits(engine: GemmEngineConfig) -> int:
    """Address, half and valid of an accumulator."""
    return _index_bits(engine.accumulator_half_tiles * engine.rows) + 2


def accumulator_pipe_column(engine: GemmEngineConfig) -> int:
    """What leads a drained row to its accumulators in one column.

    From column to column address, half, valid, first, end of tile; in the column address, half,
    valid, and half of the read-back.
    """
    return (_bank_bits(engine) + 2) + (_bank_bits(engine) + 1)


def mixpe_accumulator_pipe(engine: GemmEngineConfig) -> int:
    """One stage after the column of group sums and one in each column; one for the tile's end."""
    return engine.cols * accumulator_pipe_column(engine) + (_bank_bits(engine) + 2) + 1


def int8_accumulator_pipe(engine: GemmEngineConfig) -> int:
    """One stage between two columns; the tile's end goes one stage further."""
    return engine.cols * accumulator_pipe_column(engine) - (_bank_bits(engine) + 2) + 1
