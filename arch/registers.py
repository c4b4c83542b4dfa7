"""Registers of a core that lie between its units, in bits: skew, pipes, and what they carry.

They follow from the configuration alone and equal what the RTL declares and uses, which
``tests/rtl/test_registers.py`` counts in the synthesised cores.
"""

from __future__ import annotations

from dovetail.arch.engine import SCALE_BITS, SCALE_LANE_BITS, WEIGHT_BITS, GemmEngineConfig


def _index_bits(count: int) -> int:
    return max(1, (count - 1).bit_length())


def _triangle(lanes: int) -> int:
    """Stages of lanes of which each is delayed by one cycle more than the one before."""
    return lanes * (lanes - 1) // 2


def pe_weight_bits(engine: GemmEngineConfig) -> int:
    """What goes down a column for each weight, with its scale where every PE dequantises."""
    whole = 2 * WEIGHT_BITS
    return {
        "after_group": WEIGHT_BITS,
        "column_head": whole,
        "pe": whole + SCALE_LANE_BITS + 1,
        "never": engine.spec.slice_bits,
    }[engine.spec.dequantise]


def skew(engine: GemmEngineConfig) -> int:
    """Operand skew; weights wait one cycle more where a column of group sums is in front."""
    activations = engine.spec.activation_bits * _triangle(engine.rows)
    extra = engine.cols if engine.spec.after_group else 0
    return activations + pe_weight_bits(engine) * (_triangle(engine.cols) + extra)


def operand_pipe(engine: GemmEngineConfig) -> int:
    """What goes with the operands from column to column, and what waits for weights.

    Control is valid, first, last, and signed where the PEs need it.  A column whose PEs have
    registers between operands and accumulator delays the start of its drain by as much.
    """
    spec, cols = engine.spec, engine.cols
    if spec.after_group:
        return 4 * cols + (cols + 1) * spec.product_cycles
    control = 4 if spec.dequantise == "pe" else 3
    waiting = spec.wait_cycles * (spec.activation_bits * engine.rows + control)
    held = 0 if spec.dequantise == "never" else SCALE_LANE_BITS * cols
    return waiting + held + control * (cols - 1) + cols * spec.product_cycles


def broadcast_operands(engine: GemmEngineConfig) -> int:
    """What waits for the tables of a step: the weight slice of each column, and control.

    Control is valid, first and last, the same two of planes, and three bits of the plane; a last
    one marks the end of a segment at the drain chains.  Where units have registers before their
    accumulators, what controls these waits for them, and so do the sums of activations; only
    planes have a number.
    """
    entering = engine.head_cycles * (engine.cols * engine.weight_step_bits + 8)
    adding = engine.product_cycles * (6 if engine.spec.bit_serial else 3)
    summing = 0
    if engine.spec.group_sums and engine.spec.tables:
        summing = engine.product_cycles * (3 + engine.rows * engine.table_entry_bits)
    return entering + adding + summing + 1


def broadcast_results_column(engine: GemmEngineConfig) -> int:
    """The scale that goes with a drained row of a column that nothing moves through.

    A longer dequantiser delays also where the row goes.
    """
    cycles = engine.dequant_cycles
    return cycles * SCALE_BITS + (cycles - 1) * (_bank_bits(engine) + 2)


def broadcast_results(engine: GemmEngineConfig) -> int:
    """:func:`broadcast_results_column` of all columns."""
    return engine.cols * broadcast_results_column(engine)


def broadcast_accumulators(engine: GemmEngineConfig) -> int:
    """As :func:`accumulator_pipe`; a column has the row's nibble instead of the tile's end."""
    return engine.cols * accumulator_pipe_column(engine) + engine.dequant_cycles + 1


def result_pipe_column(engine: GemmEngineConfig) -> int:
    """What goes with a drained row to a column's group dequantiser.

    Its group sum, slot in the scale queue and nibble, and the scale that the slot held; a longer
    dequantiser delays also where the row goes.
    """
    cycles = engine.spec.dequant_cycles
    stage = engine.group_sum_bits + _index_bits(engine.segments_in_flight) + 1
    return stage + cycles * SCALE_BITS + (cycles - 1) * (_bank_bits(engine) + 2)


def result_pipe(engine: GemmEngineConfig) -> int:
    """:func:`result_pipe_column` of all columns; the nibble goes one stage further."""
    return engine.cols * result_pipe_column(engine) + 1


def _bank_bits(engine: GemmEngineConfig) -> int:
    """Address, half and valid of an accumulator."""
    return _index_bits(engine.accumulator_half_tiles * engine.rows) + 2


def accumulator_pipe_column(engine: GemmEngineConfig) -> int:
    """What leads a drained row to its accumulators in one column.

    From column to column address, half, valid, first, end of tile; in the column address, half,
    valid, and half of the read-back.
    """
    return (_bank_bits(engine) + 2) + (_bank_bits(engine) + 1)


def accumulator_pipe(engine: GemmEngineConfig) -> int:
    """A stage in each column, and one between two; the tile's end goes further.

    After a column of group sums there is one stage more.
    """
    stages = engine.cols * accumulator_pipe_column(engine)
    if engine.spec.after_group:
        return stages + (_bank_bits(engine) + 2) + engine.spec.dequant_cycles
    return stages - (_bank_bits(engine) + 2) + 1
