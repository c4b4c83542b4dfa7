"""Certificates of deformable engines: one design point run in lockstep on a network's own calls."""

from __future__ import annotations

import time
from dataclasses import asdict, replace

import numpy as np

from dovetail.arch.deform import DeformDesign, DeformEngineConfig
from dovetail.arch.deform_call import DeformCall
from dovetail.lockstep.certify import MOST_CYCLES, Certificate
from dovetail.lockstep.compare import compare
from dovetail.lockstep.deform import DeformCase
from dovetail.models.deform.network_calls import NetworkCall, network_calls
from dovetail.models.deform.random_call import random_call_operands
from dovetail.models.trace import Trace
from dovetail.sim.deform_engine import simulate_call

__all__ = ["certify"]

# Groups of channels that a shrunk call keeps: the first, one between, the last with what is left.
_MOST_GROUPS = 3


def certify(design: DeformDesign, trace: Trace, *, seed: int = 0) -> Certificate:
    """Run the design's own engines on every kind of call of ``trace``, shrunk.

    A kind is which engine runs a call, which convolutions it has, stride, offsets, rectifiers, and
    whether channels are left over in the last beat.  Rows are so many that each row of the line
    buffer is overwritten, columns so many that a window reaches beyond both sides; offsets are the
    trace's own.

    Parameters
    ----------
    design : DeformDesign
    trace : Trace
    seed : int
        Of the random images and weights.
    """
    began = time.perf_counter()
    kinds: dict[tuple[object, ...], NetworkCall] = {}
    for found in network_calls(trace, design.engine, design.second_engine):
        kinds.setdefault(_kind(found.engine, found.call), found)
    rng = np.random.default_rng(seed)
    cases = []
    for number, found in enumerate(kinds.values()):
        engine = found.engine
        call = _shrunk(engine, found.call, MOST_CYCLES // len(kinds))
        operands = random_call_operands(call, bound=engine.bound, rng=rng)
        if found.offsets is not None:
            part = found.offsets[: call.out_height, : call.out_width]
            operands = replace(operands, offsets=np.ascontiguousarray(part))
        cases.append(
            DeformCase(config=engine, call=call, operands=operands, gap_seed=number, repeat="")
        )
    mismatches = dict.fromkeys(("values", "cycles", "events"), 0)
    cycles = 0
    for engine in design.engines:  # a comparison has one build
        own = [case for case in cases if case.config == engine]
        if not own:
            continue
        comparison = compare(own)
        cycles += comparison.cycles
        for mismatch in comparison.mismatches:
            mismatches[mismatch.kind] += 1
    return Certificate(
        cases=tuple({**asdict(case.call), "cycles": case.simulate().cycles} for case in cases),
        cycles=cycles,
        mismatches=mismatches,
        seconds=time.perf_counter() - began,
        passed=not any(mismatches.values()),
    )


def _kind(engine: DeformEngineConfig, call: DeformCall) -> tuple[object, ...]:
    whole = (call.in_channels % engine.lanes == 0, call.out_channels % engine.lanes == 0)
    flags = (call.pointwise, call.depthwise, call.full, call.deform, call.relu1, call.relu3)
    return (engine, *flags, call.stride, *whole)


def _shrunk(engine: DeformEngineConfig, call: DeformCall, most_cycles: int) -> DeformCall:
    """The call with fewer rows, columns and channels, and the same edges."""

    def fewer(channels: int) -> int:
        surplus = -(-channels // engine.lanes) - _MOST_GROUPS
        return channels - max(0, surplus) * engine.lanes

    def smaller(size: int, most: int) -> int:
        # A stride of 2 makes a last row or column of either kind.
        return min(size, most + (size - most) % 2)

    outs = fewer(call.out_channels)
    ins = fewer(call.in_channels) if call.pointwise or call.full else outs
    rows = 2 * engine.buffer_rows
    while True:
        small = replace(
            call,
            height=smaller(call.height, rows),
            width=smaller(call.width, 2 * engine.bound + 3),
            in_channels=ins,
            out_channels=outs,
        )
        offsets = None
        if small.deform:
            offsets = np.ones((small.out_height, small.out_width), dtype=np.uint8)
        cycles = simulate_call(engine, small, offsets).cycles
        if cycles <= most_cycles or rows <= 2:
            return small
        rows = max(2, rows * 3 // 4)
