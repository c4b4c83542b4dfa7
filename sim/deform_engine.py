"""One call of the deformable engine: cycles and events, equal to the RTL's."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.deform import SECTIONS, TAPS, DeformEngineConfig
from dovetail.arch.deform_call import DeformCall, DeformDescriptor, describe_call
from dovetail.arch.events import Event
from dovetail.errors import ConfigError, ShapeError
from dovetail.sim.deform_kernel import (
    CallShape,
    CallTimes,
    count_line_reads,
    run_call,
    run_gather,
)

__all__ = ["DeformResult", "simulate_call", "write_times"]

_NO_LOG = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeformResult:
    """One call on an engine.

    Attributes
    ----------
    call : DeformCall
    events : dict of Event to int
        Every event of the vocabulary, equal to the RTL's counters.
    """

    call: DeformCall
    events: Mapping[Event, int]

    @property
    def cycles(self) -> int:
        return self.events[Event.CYCLE]

    @property
    def key(self) -> Hashable:
        """Offsets tell calls of one shape apart by what they read and how long they take."""
        return self.call, self.cycles, self.events[Event.LINE_READ]

    @property
    def shape(self) -> Mapping[str, Any]:
        return asdict(self.call)

    @property
    def macs(self) -> int:
        return self.call.macs


def simulate_call(
    config: DeformEngineConfig, call: DeformCall, offsets: NDArray[np.uint8] | None = None
) -> DeformResult:
    """Cycles and events of one call.

    With a line buffer time does not depend on the offsets, and how many of its rows are read does.
    Where taps are gathered, those outside the image are not read and take less time.

    Parameters
    ----------
    config : DeformEngineConfig
    call : DeformCall
    offsets : uint8, shape (out_height, out_width), optional
        Of a call with ``deform``: 0 to ``config.bound``.

    Raises
    ------
    ConfigError
        Where the engine cannot run the call, or an offset exceeds its bound.
    ShapeError
        Where a call with ``deform`` has no offsets of its shape, or another one has some.
    """
    descriptor = describe_call(config, call)
    where = _offsets(config, call, offsets)
    times, taps = _run(config, call, descriptor, where, _NO_LOG)
    reads = 0
    if call.depthwise and config.memory == "line_buffer":
        reads = count_line_reads(call.height, call.width, call.stride, config.window_ports, where)
    return DeformResult(call=call, events=_events(config, call, descriptor, times, reads, taps))


def write_times(
    config: DeformEngineConfig, call: DeformCall, offsets: NDArray[np.uint8] | None = None
) -> NDArray[np.int64]:
    """Cycle in which each output beat is written; int64 of shape (output beats,).

    Parameters and errors are those of :func:`simulate_call`.
    """
    descriptor = describe_call(config, call)
    written = np.zeros(descriptor.output_beats, dtype=np.int64)
    _run(config, call, descriptor, _offsets(config, call, offsets), written)
    return written


def _offsets(
    config: DeformEngineConfig, call: DeformCall, offsets: NDArray[np.uint8] | None
) -> NDArray[np.uint8]:
    size = (call.out_height, call.out_width)
    if (offsets is None) == call.deform:
        rule = "needs one offset for each output pixel" if call.deform else "takes no offsets"
        raise ShapeError(f"a call with deform={call.deform} {rule}; change one of them")
    if offsets is None:
        return np.ones(size, dtype=np.uint8)
    if offsets.shape != size or offsets.dtype != np.uint8:
        raise ShapeError(
            f"offsets of type {offsets.dtype} and shape {offsets.shape} must be uint8 of shape "
            f"{size}; change them"
        )
    if offsets.max() > config.bound:
        raise ConfigError(
            f"an offset of {offsets.max()} exceeds bound={config.bound}; clip the offsets or raise "
            f"bound"
        )
    return offsets


def _run(
    config: DeformEngineConfig,
    call: DeformCall,
    descriptor: DeformDescriptor,
    offsets: NDArray[np.uint8],
    written: NDArray[np.int64],
) -> tuple[CallTimes, int]:
    """Times of a call, and how many taps it gathered."""
    shape = CallShape(
        height=call.height,
        width=call.width,
        in_groups=descriptor.in_groups,
        out_groups=descriptor.out_groups,
        stride=call.stride,
        pointwise=call.pointwise,
        depthwise=call.depthwise,
        full=call.full,
        bound=config.bound,
        public_lead=config.lead == "public",
        steps=config.steps,
        pixel_beats=config.pixel_beats,
        dram_latency=config.dram_latency_cycles,
    )
    beats = np.array([getattr(descriptor, f"{name}_beats") for name in SECTIONS[:-1]])
    if call.depthwise and config.memory == "gather":
        return run_gather(shape, config.gather_bursts, beats, offsets, written)
    return run_call(shape, beats, written), 0


def _events(
    config: DeformEngineConfig,
    call: DeformCall,
    d: DeformDescriptor,
    times: CallTimes,
    line_reads: int,
    taps: int,
) -> dict[Event, int]:
    lanes, outputs = config.lanes, d.out_height * d.out_width
    # Beats after the 1x1 convolution, and how many k of it entered the array.
    middle = d.pixels * d.image_groups
    entered = middle * d.in_groups * d.pointwise
    windows = outputs * d.image_groups * d.depthwise
    products, results = lanes * TAPS, outputs * d.out_groups * d.depthwise
    if call.full:
        windows *= d.out_groups
        products *= lanes
    requantised = middle * d.pointwise + results
    stored = outputs * d.image_groups * TAPS if call.full else 0
    if config.memory == "gather":
        stored = taps * d.image_groups
    lines = d.depthwise * (config.memory == "line_buffer")
    return dict.fromkeys(Event, 0) | {
        Event.CYCLE: times.cycles,
        Event.STREAM: times.stream,
        Event.STALL_WEIGHTS: times.stall_weights,
        Event.STALL_ACTIVATIONS: times.stall_activations,
        Event.STALL_OUTPUT: times.stall_output,
        Event.STALL_DRAIN: times.stall_drain,
        Event.PE_OP: entered * lanes * lanes,
        Event.ACTIVATION_READ: entered,
        Event.ACTIVATION_WRITE: d.feature_beats * d.pointwise,
        Event.WEIGHT_READ: entered,
        Event.WEIGHT_WRITE: d.weight1_beats,
        Event.SCALE_READ: requantised,
        Event.SCALE_WRITE: d.quant1_beats + d.quant3_beats,
        Event.WINDOW_OP: windows * products,
        Event.REQUANTISE: requantised * lanes,
        Event.LINE_READ: line_reads * d.image_groups,
        Event.LINE_WRITE: middle * lines,
        Event.TAP_READ: stored * (d.out_groups if call.full else 1),
        Event.TAP_WRITE: stored,
        Event.WINDOW_WEIGHT_READ: windows,
        Event.WINDOW_WEIGHT_WRITE: d.weight3_beats,
        Event.OFFSET_READ: d.offset_beats,
        Event.OFFSET_WRITE: d.offset_beats,
        Event.DRAM_READ: sum(getattr(d, f"{name}_beats") for name in SECTIONS)
        + taps * d.image_groups,
        Event.DRAM_WRITE: d.output_beats,
    }
