"""The operator study: a deformable convolution in four memory modes, with and without a cache.

Cycle-approximate.  Each pixel of 256 channels is one transaction of 256 bytes, and a port begins
the next when the last is done.  A transaction costs one latency that is solved from one published
time, ``calibration`` in arch/deform_study.toml, plus what DRAM and cache add.  What else of the
model was chosen with a look at the published table, and which cells are predictions, is in
docs/deformable.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.deform_study import Mode, OperatorStudy, study
from dovetail.errors import ConfigError
from dovetail.models.deform.offset_traces import sampling_positions
from dovetail.sim.deform_study_kernel import Counts, Plan, run_plan

MODES: tuple[Mode, ...] = get_args(Mode)
"""Plain convolution through three rows; taps gathered from DRAM; 2N + 1 rows with one and with
three read ports."""
SEED = 0
"""Of the displacements."""
_TAPS = 9
_STEPS: dict[Mode, int] = {"stream": 1, "gather": 1, "line_buffer": 9, "line_buffer_3": 3}
_OFFSET_BYTES: dict[Mode, int] = {"stream": 0, "gather": 18, "line_buffer": 18, "line_buffer_3": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyResult:
    """One cell of the table.

    Attributes
    ----------
    milliseconds, gops : float
        Operations are multiplications and additions.
    counts : Counts
        Rows and lines that were hit and missed.
    """

    milliseconds: float
    gops: float
    counts: Counts


def operator_time(
    mode: Mode,
    *,
    full: bool,
    cached: bool,
    overlap: bool = False,
    transaction_ns: float | None = None,
) -> StudyResult:
    """Time of the study's kernel.

    Parameters
    ----------
    mode : str
        One of :data:`MODES`.
    full : bool
        The full 3x3 engine; else the depthwise one.
    cached : bool
        Behind the last-level cache.
    overlap : bool
        Of ``gather``: the taps of a pixel are fetched while the one before is computed.
    transaction_ns : float, optional
        The calibrated latency unless given.
    """
    if mode not in MODES:
        raise ConfigError(f"mode={mode!r} must be one of {', '.join(MODES)}; change it")
    latency = calibrated_transaction_ns() if transaction_ns is None else transaction_ns
    return _result(mode, full=full, cached=cached, overlap=overlap, transaction_ns=latency)


@cache
def calibrated_transaction_ns() -> float:
    """Latency of a transaction at which the one calibrating cell takes what was published.

    Time grows with it, so bisection finds it, here to a thousandth of a nanosecond.
    """
    cell = study().calibration
    low, high = 0.0, 2000.0
    while high - low > 1e-3:
        middle = (low + high) / 2
        made = _result(
            cell.mode, full=cell.full, cached=cell.cached, overlap=False, transaction_ns=middle
        )
        if made.milliseconds < cell.milliseconds:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _result(
    mode: Mode, *, full: bool, cached: bool, overlap: bool, transaction_ns: float
) -> StudyResult:
    constants = study()
    plan = _plan(
        constants, mode, full=full, cached=cached, overlap=overlap, transaction_ns=transaction_ns
    )
    counts = run_plan(plan, _gathered_taps(constants.kernel.side))
    operations = constants.kernel.operations(full=full)
    return StudyResult(
        milliseconds=counts.end_ns * 1e-6, gops=operations / counts.end_ns, counts=counts
    )


@cache
def _gathered_taps(side: int) -> NDArray[np.int64]:
    """Pixel of each rounded tap, for displacements drawn from the published histogram.

    A tap outside the map is fetched as well, from the pixel at the border: the study does not say
    whether its engine leaves it out, so every pixel has nine transactions.
    """
    rows, columns = sampling_positions((side, side), rng=np.random.default_rng(SEED))
    rows, columns = np.clip(rows, 0, side - 1), np.clip(columns, 0, side - 1)
    return np.ascontiguousarray((rows * side + columns).reshape(_TAPS, -1).T).reshape(-1)


def _plan(
    constants: OperatorStudy,
    mode: Mode,
    *,
    full: bool,
    cached: bool,
    overlap: bool,
    transaction_ns: float,
) -> Plan:
    kernel, dram, llc = constants.kernel, constants.dram, constants.cache
    windows = kernel.channels // kernel.depthwise_lanes * _STEPS[mode]
    products = kernel.channels**2 // kernel.full_lanes * kernel.full_interval
    cycles = max(windows, products) if full else windows
    weights = _TAPS * kernel.channels * (kernel.channels if full else 1)
    return Plan(
        side=kernel.side,
        bound=1 if mode == "stream" else kernel.bound,
        reads_per_pixel=_TAPS if mode == "gather" else 1,
        pixels_ahead=2 if overlap else 1,
        compute_ns=cycles * kernel.cycle_ns,
        weight_bursts=-(-weights // kernel.burst_bytes),
        offset_bytes=_OFFSET_BYTES[mode],
        burst_bytes=kernel.burst_bytes,
        transaction_ns=transaction_ns,
        transfer_ns=kernel.burst_bytes // kernel.beat_bytes * kernel.cycle_ns,
        banks=dram.banks,
        row_bytes=dram.row_bytes,
        trcd_ns=dram.trcd_ns,
        trp_ns=dram.trp_ns,
        read_latency_ns=dram.read_latency_ns,
        ns_per_byte=1 / dram.gb_s,
        cached=cached,
        sets=llc.sets,
        ways=llc.ways,
        line_bytes=llc.line_bytes,
        hit_ns=llc.hit_ns,
    )
