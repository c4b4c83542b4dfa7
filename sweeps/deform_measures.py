"""Columns of a sweep over deformable engines: frames a second, and what the device must have."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dovetail.arch.deform import DeformDesign
from dovetail.models.trace import Trace
from dovetail.sim.deform_network import NetworkResult
from dovetail.sim.deform_system import frame_of
from dovetail.sweeps.deform_fpga import fpga_counts
from dovetail.sweeps.measures import Measure, Measures

_COLUMNS = (
    Measure(name="frame_ms", title="frame time", unit="ms"),
    Measure(name="calls_ms", title="engines' part of a frame", unit="ms"),
    Measure(name="frames_per_second", title="frames a second"),
    Measure(name="clipped_percent", title="offsets above the bound", unit="%"),
    Measure(name="lut", title="LUTs"),
    Measure(name="ff", title="flip-flops"),
    Measure(name="dsp", title="DSPs"),
    Measure(name="bram36", title="block RAMs of 36 kbit"),
)


def _of(design: DeformDesign, trace: Trace, result: NetworkResult) -> Mapping[str, float]:
    time = frame_of(design, trace, result)
    found = {
        "frame_ms": time.stem_ms + time.engine_ms,
        "calls_ms": time.calls_ms,
        "frames_per_second": time.frames_per_second,
        "clipped_percent": _clipped(design, trace),
    }
    return found | (fpga_counts(design) or {})


def _clipped(design: DeformDesign, trace: Trace) -> float:
    """Percentage of the trace's offsets that the bound of the engine they go to cuts off."""
    bound = design.engines[-1].bound
    offsets = [
        np.rint(trace.data[f"{op.layer}.{op.name}.s"]).ravel()
        for op in trace.convolutions
        if op.deform
    ]
    return 100 * float(np.mean(np.concatenate(offsets) > bound)) if offsets else 0.0


MEASURES = Measures(
    columns=_COLUMNS,
    of=_of,
    missing="the device's resources are known of the engines that `python -m "
    "dovetail.sweeps.deform_fpga` counted; choose one of them, or count this one",
)
