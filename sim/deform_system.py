"""A frame on the board: the engine's calls, and what the processor does before and between them.

Cycle-approximate.  The processor's times are measured ones: a stem takes what it took on the board,
and moving a value takes what it took in configuration c, whatever the network.  So configuration c
calibrates two constants, and the shuffles and upsampling of the others are predictions.  Calls are
either those of Dovetail's engine, exact but for the DRAM that both its directions share, or those
of the public engine (:mod:`dovetail.sim.public_engine`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dovetail.arch.deform import DeformDesign
from dovetail.arch.deform_board import DeformBoard, ultra96
from dovetail.arch.events import Event
from dovetail.errors import ConfigError
from dovetail.models.conv_ops import MoveOp
from dovetail.models.deform.network_calls import NetworkCall, host_convolutions
from dovetail.models.networks.codenet import CODENETS, codenet_layers
from dovetail.models.trace import Trace
from dovetail.sim.deform_engine import DeformResult
from dovetail.sim.deform_network import NetworkResult, simulate_network
from dovetail.sim.public_engine import calibrated

EngineKind = Literal["dovetail", "public"]
CALIBRATION = "codenet-c"
"""Configuration from whose frame the processor's time for a moved value is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameTime:
    """One frame, in milliseconds; the parts follow one another.

    Attributes
    ----------
    stem_ms, calls_ms, shuffle_ms, upsample_ms : float
        First convolution on the processor, the engine's calls, concatenating and shuffling
        channels, and upsampling.
    """

    stem_ms: float
    calls_ms: float
    shuffle_ms: float
    upsample_ms: float

    @property
    def engine_ms(self) -> float:
        """All but the stem, as the paper counts the accelerator's part."""
        return self.calls_ms + self.shuffle_ms + self.upsample_ms

    @property
    def frames_per_second(self) -> float:
        return 1e3 / (self.stem_ms + self.engine_ms)


def frame_time(
    design: DeformDesign,
    trace: Trace,
    *,
    engine: EngineKind = "dovetail",
    board: DeformBoard | None = None,
) -> FrameTime:
    """Time of one frame of a CoDeNet.

    Parameters
    ----------
    design : DeformDesign
        Its clock and buffers hold for both kinds of engine.
    trace : Trace
    engine : str
        ``dovetail``: the design itself.  ``public``: the public engine with the same buffers.
    board : DeformBoard, optional
        The Ultra96 unless given.

    Raises
    ------
    ConfigError
        Where no stem of that size and stride was measured.
    """
    return frame_of(design, trace, simulate_network(design, trace), engine=engine, board=board)


def frame_of(
    design: DeformDesign,
    trace: Trace,
    result: NetworkResult,
    *,
    engine: EngineKind = "dovetail",
    board: DeformBoard | None = None,
) -> FrameTime:
    """As :func:`frame_time`, of a network that was simulated."""
    board = board or ultra96()
    cycle_ms = 1e-3 / design.engine.clock_mhz
    if engine == "public":
        if design.second != "none":
            raise ConfigError(
                f"second={design.second} has no place beside the public engine, which was measured "
                f"alone; set it to none"
            )
        public = calibrated(board)
        calls_ms = sum(public.cycles(call.call) for call, _ in result.calls) * cycle_ms
    else:
        calls_ms = sum(
            max(one.cycles * cycle_ms, dram_ms(one, beat_bytes=call.engine.lanes, board=board))
            + _more_offsets_ms(call, cycle_ms=cycle_ms, board=board)
            for call, one in result.calls
        )
    lanes = design.engine.lanes
    measured = board.frames[CALIBRATION]
    each = {"shuffle": measured.shuffle_ms, "upsample": measured.upsample_ms}
    moved = {kind: _moved(trace.moves, kind, lanes) for kind in each}
    reference = [layer.op for layer in codenet_layers(CODENETS[CALIBRATION])]
    moves = tuple(op for op in reference if isinstance(op, MoveOp))
    move_ms = {kind: each[kind] * moved[kind] / _moved(moves, kind, lanes) for kind in each}
    return FrameTime(
        stem_ms=_stem_ms(trace, board),
        calls_ms=calls_ms,
        shuffle_ms=move_ms["shuffle"],
        upsample_ms=move_ms["upsample"],
    )


def dram_ms(result: DeformResult, *, beat_bytes: int, board: DeformBoard) -> float:
    """The least that a call's beats take on a DRAM that reads and writes share."""
    beats = result.events[Event.DRAM_READ] + result.events[Event.DRAM_WRITE]
    return beats * beat_bytes / board.dram_gb_s * 1e-6


def _more_offsets_ms(call: NetworkCall, *, cycle_ms: float, board: DeformBoard) -> float:
    """Free offsets beside the one for each pixel that the call reads, a byte each, before it.

    A beat a cycle, or as fast as the DRAM; the engine itself takes one number a pixel.
    """
    more = call.more_offsets * call.call.out_height * call.call.out_width
    return max(-(-more // call.engine.lanes) * cycle_ms, more / board.dram_gb_s * 1e-6)


def _moved(moves: tuple[MoveOp, ...], kind: str, lanes: int) -> int:
    """Values written, padded channels included: a shuffle writes two halves that are padded."""
    halves = 2 if kind == "shuffle" else 1
    return sum(
        op.height * op.width * halves * lanes * -(-op.channels // (halves * lanes))
        for op in moves
        if op.kind == kind
    )


def _stem_ms(trace: Trace, board: DeformBoard) -> float:
    total = 0.0
    for op in host_convolutions(trace):
        key = f"{op.height}/{op.stride}"
        if key not in board.stem_ms:
            raise ConfigError(
                f"{op.name}: a {op.height} x {op.width} image at stride {op.stride} was not "
                f"measured on the board; those that were are {', '.join(board.stem_ms)}"
            )
        total += board.stem_ms[key]
    return total
