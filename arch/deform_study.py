"""The operator study's kernel, memory and cache, with their sources."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass

from dovetail.arch.costs import Positive
from dovetail.arch.engine import PositiveInt
from dovetail.arch.tables import parse_table

__all__ = [
    "Calibration",
    "DramTiming",
    "LastLevelCache",
    "Mode",
    "OperatorStudy",
    "StudyKernel",
    "study",
]

Mode = Literal["stream", "gather", "line_buffer", "line_buffer_3"]
"""Where the taps of a convolution come from."""

_STRICT = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class StudyKernel:
    """A 3x3 convolution of stride 1 and the engines that compute it.

    Attributes
    ----------
    side, channels : int
        Height and width of the map, and its channels before and after.
    bound : int
        N of the bounded modes, whose line buffer has 2N + 1 rows.
    clock_mhz : float
    burst_bytes, beat_bytes : int
        One pixel, which is one transaction, and what a port moves in a cycle.
    full_lanes, full_interval : int
        Pairs of input and output channels that the full engine multiplies at once, nine taps
        each, and in how many cycles.
    depthwise_lanes : int
        Channels of the depthwise engine, nine taps each, a cycle.
    """

    side: PositiveInt
    channels: PositiveInt
    bound: PositiveInt
    clock_mhz: Positive
    burst_bytes: PositiveInt
    beat_bytes: PositiveInt
    full_lanes: PositiveInt
    full_interval: PositiveInt
    depthwise_lanes: PositiveInt

    @property
    def cycle_ns(self) -> float:
        return 1e3 / self.clock_mhz

    def operations(self, *, full: bool) -> int:
        """Multiplications and additions."""
        each = self.channels if full else 1
        return 2 * self.side**2 * 9 * self.channels * each


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class DramTiming:
    """One channel: open rows, and a data bus that all ports share.

    Attributes
    ----------
    banks, row_bytes : int
    trcd_ns, trp_ns : float
        Opening a row, and closing the one before.
    read_latency_ns : float
        From the command to the first data.
    gb_s : float
        Peak of the bus.
    """

    banks: PositiveInt
    row_bytes: PositiveInt
    trcd_ns: Positive
    trp_ns: Positive
    read_latency_ns: Positive
    gb_s: Positive


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class LastLevelCache:
    """A write-back cache with pseudo-random replacement.

    Attributes
    ----------
    total_bytes, ways, line_bytes : int
    hit_ns : float
        Added to every access, hit or miss.
    """

    total_bytes: PositiveInt
    ways: PositiveInt
    line_bytes: PositiveInt
    hit_ns: Positive

    @property
    def sets(self) -> int:
        return self.total_bytes // (self.ways * self.line_bytes)


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class Calibration:
    """The one cell of the published table from which the latency of a transaction is solved.

    Attributes
    ----------
    mode : str
    full, cached : bool
        The full engine, else the depthwise one; behind the last-level cache.
    milliseconds : float
        As published.
    """

    mode: Mode
    full: bool
    cached: bool
    milliseconds: Positive


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class OperatorStudy:
    """All of it."""

    sources: dict[str, str]
    kernel: StudyKernel
    dram: DramTiming
    cache: LastLevelCache
    calibration: Calibration


_ADAPTER: TypeAdapter[OperatorStudy] = TypeAdapter(OperatorStudy)


@cache
def study() -> OperatorStudy:
    """The operator study of the paper."""
    text = (files("dovetail.arch") / "deform_study.toml").read_text(encoding="utf-8")
    return parse_table(_ADAPTER, text, origin="arch/deform_study.toml")
