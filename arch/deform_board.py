"""Times measured on the board that ran CoDeNet, with their sources."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from dovetail.arch.deform_call import DeformCall
from dovetail.arch.tables import parse_table

__all__ = ["DeformBoard", "MeasuredCalls", "MeasuredFrame", "call_of", "ultra96"]

_STRICT = ConfigDict(extra="forbid", strict=True)
_Row = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class MeasuredFrame:
    """What one frame of a configuration took, in milliseconds, without the stem.

    Attributes
    ----------
    calls_ms, shuffle_ms, engine_ms : float
        The engine's calls, the channel shuffles of the processor, and all of it with upsampling.
    """

    calls_ms: float
    shuffle_ms: float
    engine_ms: float

    @property
    def upsample_ms(self) -> float:
        """What is neither: not printed by itself."""
        return self.engine_ms - self.calls_ms - self.shuffle_ms


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class MeasuredCalls:
    """Single calls, and which of them calibrate.

    Attributes
    ----------
    measured : tuple of (side, in_channels, out_channels, stride, milliseconds)
    pointwise_bound, window_bound : tuple of (side, in_channels, out_channels, stride)
        Two that the 1x1 convolution limits and three that the windows limit.
    """

    measured: tuple[tuple[int, int, int, int, float], ...]
    pointwise_bound: tuple[_Row, ...] = Field(min_length=2, max_length=2)
    window_bound: tuple[_Row, ...] = Field(min_length=3, max_length=3)

    def milliseconds(self, row: _Row) -> float:
        return next(time for *shape, time in self.measured if tuple(shape) == row)

    @property
    def predicted(self) -> tuple[_Row, ...]:
        """Those that calibrate nothing."""
        rows = [(side, ins, outs, stride) for side, ins, outs, stride, _ in self.measured]
        used = {*self.pointwise_bound, *self.window_bound}
        return tuple(row for row in rows if row not in used)


def call_of(row: _Row) -> DeformCall:
    """A measured call: both convolutions of a square image."""
    side, in_channels, out_channels, stride = row
    return DeformCall(
        height=side,
        width=side,
        in_channels=in_channels,
        out_channels=out_channels,
        stride=2 if stride == 2 else 1,
    )


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class DeformBoard:
    """The board.

    Attributes
    ----------
    clock_mhz : float
        Of the engine.
    dram_gb_s : float
        Peak, which all ports share.
    sources : dict of str to str
    stem_ms : dict of str to float
        First convolution, with its pooling, on the processor: by "image size/stride".
    frames : dict of str to MeasuredFrame
        By configuration.
    calls : MeasuredCalls
    """

    clock_mhz: float
    dram_gb_s: float
    sources: dict[str, str]
    stem_ms: dict[str, float]
    frames: dict[str, MeasuredFrame]
    calls: MeasuredCalls


_ADAPTER: TypeAdapter[DeformBoard] = TypeAdapter(DeformBoard)


@cache
def ultra96() -> DeformBoard:
    """The Ultra96 of the paper."""
    text = (files("dovetail.arch") / "deform_board.toml").read_text(encoding="utf-8")
    return parse_table(_ADAPTER, text, origin="arch/deform_board.toml")
