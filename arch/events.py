"""The event vocabulary that simulators, RTL counters and technology tables share.

A simulator and the RTL agree when they report the same count for every event below.
"""

from __future__ import annotations

from enum import StrEnum


class Event(StrEnum):
    """Something that costs time or energy; the comment gives the meaning of one count.

    ``CYCLE == STREAM + STALL_WEIGHTS + STALL_ACTIVATIONS + STALL_OUTPUT + STALL_DEQUANT +
    STALL_DRAIN`` for every run: a cycle either streams operands into the array or stalls for
    exactly one cause, the first that holds in the order of the members below.  In a block of M3ViT
    that is so while a GEMM runs; its other cycles are those of the step that runs instead.
    """

    # time
    CYCLE = "cycle"  # one cycle from start accepted to last write beat accepted
    STREAM = "stream"  # one cycle in which a k, or a plane of a step, enters the array
    STALL_WEIGHTS = "stall_weights"  # the next tile's weights or scales are not loaded yet
    STALL_ACTIVATIONS = "stall_activations"  # the next tile's activations are not loaded yet
    STALL_OUTPUT = "stall_output"  # both halves of the accumulator buffer await write-back
    STALL_DEQUANT = "stall_dequant"  # the columns still drain: rows > group length
    STALL_DRAIN = "stall_drain"  # everything has entered the array, not all is written yet

    # compute
    PE_OP = "pe_op"  # one PE operation at the PE's own widths on a valid row and column
    TABLE = "table"  # one table made of a step of a row's activations
    GROUP_SUM = "group_sum"  # one activation, or a step of them, added to its row's group sum
    WEIGHT_DEQUANT = "weight_dequant"  # one weight dequantised before it enters the array
    GROUP_DEQUANT = "group_dequant"  # one group result corrected by its zero point and scaled
    ACCUMULATE = "accumulate"  # one 48-bit addition (or first store) to an accumulator
    OUTPUT = "output"  # one result rounded and saturated to 16 bits

    # scratchpads; a read fetches one row (``SpadShape.row_bits``), whose further words are then
    # at hand, a write stores one beat of the DRAM port; an accumulator word is one row of ``cols``
    # accumulators
    ACTIVATION_READ = "activation_read"
    ACTIVATION_WRITE = "activation_write"
    WEIGHT_READ = "weight_read"
    WEIGHT_WRITE = "weight_write"
    SCALE_READ = "scale_read"
    SCALE_WRITE = "scale_write"
    ACCUMULATOR_READ = "accumulator_read"
    ACCUMULATOR_WRITE = "accumulator_write"

    # deformable engine: windows, their line buffer, its requantisers
    WINDOW_OP = "window_op"  # one product of a 3 x 3 window
    REQUANTISE = "requantise"  # one sum scaled, biased and clamped to 8 bits
    LINE_READ = "line_read"  # one row of the line buffer read: a beat of channels of one pixel
    LINE_WRITE = "line_write"  # one such beat written
    TAP_READ = "tap_read"  # one memory of the tap store read: a beat of one tap
    TAP_WRITE = "tap_write"
    WINDOW_WEIGHT_READ = "window_weight_read"  # the weights that one window meets
    WINDOW_WEIGHT_WRITE = "window_weight_write"
    OFFSET_READ = "offset_read"  # one beat of offsets
    OFFSET_WRITE = "offset_write"

    # M3ViT's blocks: steps that are not GEMMs, and what they use
    NORM_CYCLE = "norm_cycle"  # one cycle of the norm pass, up to the first GEMM
    ATTENTION_CYCLE = "attention_cycle"  # one cycle of the attention products, up to the next GEMM
    NORM_BEAT = "norm_beat"  # one beat of features normalised
    QUERY_BEAT = "query_beat"  # one beat of a query that enters its slot
    KEY_BEAT = "key_beat"  # one beat of a key that meets all queries held
    VALUE_BEAT = "value_beat"  # one beat of a value that meets their probabilities
    SCATTER_ADD = "scatter_add"  # one beat of results added to what stands in DRAM
    GATE_CYCLE = "gate_cycle"  # one cycle of the gate's decision, up to the first expert
    LOGIT = "logit"  # one logit that the gate takes
    CHOICE = "choice"  # one expert chosen for a token
    EXPERT = "expert"  # one expert with tokens, which are run through it

    # off chip; one count is one beat of ``port_bits``
    DRAM_READ = "dram_read"
    DRAM_WRITE = "dram_write"


STALLS = (
    Event.STALL_WEIGHTS,
    Event.STALL_ACTIVATIONS,
    Event.STALL_OUTPUT,
    Event.STALL_DEQUANT,
    Event.STALL_DRAIN,
)
"""The stall causes, highest priority first."""

_DEFORM_ONLY = frozenset(
    {
        Event.WINDOW_OP,
        Event.REQUANTISE,
        Event.LINE_READ,
        Event.LINE_WRITE,
        Event.TAP_READ,
        Event.TAP_WRITE,
        Event.WINDOW_WEIGHT_READ,
        Event.WINDOW_WEIGHT_WRITE,
        Event.OFFSET_READ,
        Event.OFFSET_WRITE,
    }
)

_BLOCK_ONLY = (Event.NORM_CYCLE, Event.NORM_BEAT, Event.SCATTER_ADD)
_ATTENTION_ONLY = (
    Event.ATTENTION_CYCLE,
    Event.QUERY_BEAT,
    Event.KEY_BEAT,
    Event.VALUE_BEAT,
)
_MOE_ONLY = (Event.GATE_CYCLE, Event.LOGIT, Event.CHOICE, Event.EXPERT)

GEMM_EVENTS = tuple(
    event
    for event in Event
    if event not in {*_DEFORM_ONLY, *_BLOCK_ONLY, *_ATTENTION_ONLY, *_MOE_ONLY}
)
"""What the GEMM engine counts; its counters exist for these alone, every other count is 0."""

DEFORM_EVENTS = (
    Event.CYCLE,
    Event.STREAM,
    Event.STALL_WEIGHTS,
    Event.STALL_ACTIVATIONS,
    Event.STALL_OUTPUT,
    Event.STALL_DRAIN,
    Event.PE_OP,
    Event.ACTIVATION_READ,
    Event.ACTIVATION_WRITE,
    Event.WEIGHT_READ,
    Event.WEIGHT_WRITE,
    Event.SCALE_READ,
    Event.SCALE_WRITE,
    *(event for event in Event if event in _DEFORM_ONLY),
    Event.DRAM_READ,
    Event.DRAM_WRITE,
)
"""What the deformable engine counts; docs/deform-engine.md says what shared names mean in it."""

ATTENTION_EVENTS = (*GEMM_EVENTS, *_BLOCK_ONLY, *_ATTENTION_ONLY)
"""What M3ViT's attention engine counts."""

MOE_EVENTS = (*GEMM_EVENTS, *_BLOCK_ONLY, *_MOE_ONLY)
"""What M3ViT's MoE engine counts."""
