"""``dovetail verify deform``: random deformable engines and calls, three ways."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from dovetail.arch.deform import TAPS, DeformEngineConfig
from dovetail.arch.deform_call import DeformCall, call_problem, describe_call
from dovetail.arch.events import DEFORM_EVENTS
from dovetail.lockstep.run import LateWrite, WrongValues
from dovetail.lockstep.verify import CasePlan, VerifyReport
from dovetail.lockstep.verify import verify as verify_plan
from dovetail.models.deform.engine_call import CallOperands, run_call
from dovetail.models.deform.layout import pack_operands, unpack_map
from dovetail.models.deform.random_call import random_call_operands
from dovetail.rtl.deform.descriptor import DESCRIPTOR
from dovetail.rtl.deform.engine import deform_verilog
from dovetail.rtl.verilator import Build, Case, CaseResult, EngineRtl, build_engine
from dovetail.sim.deform_engine import DeformResult, simulate_call, write_times

__all__ = ["DEFORM_PLAN", "DeformCase", "random_call", "random_engine", "verify"]

# A run that takes this many times the simulator's cycles is hung.
_PATIENCE = 4
# Chances of a gap, and of back-pressure, in 1/256.
_GAPS_256 = (32, 96, 160)
# More than this and a case says little more, but runs long.
_MOST_CYCLES = 12_000
_SEEDS_PER_BLOCK = 24
_BUILDS_PER_BLOCK = 3


@lru_cache(maxsize=8)
def _engine_rtl(config: DeformEngineConfig) -> EngineRtl:
    return EngineRtl(
        verilog=deform_verilog(config),
        descriptor=DESCRIPTOR,
        port_bits=config.port_bits,
        events=DEFORM_EVENTS,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class DeformCase:
    """A call with its operands, on an engine; see :class:`dovetail.lockstep.run.LockstepRun`.

    Attributes
    ----------
    config : DeformEngineConfig
        With the DRAM latency of this case.
    call : DeformCall
    operands : CallOperands
    gap_seed : int
    repeat : str
    """

    config: DeformEngineConfig
    call: DeformCall
    operands: CallOperands
    gap_seed: int
    repeat: str

    @property
    def outputs(self) -> int:
        """Values written, those of padded channels too."""
        return describe_call(self.config, self.call).output_beats * self.config.lanes

    def build(self, *, traced: bool = False) -> Build:
        # The DRAM latency is the memory's, not the hardware's.
        return build_engine(_engine_rtl(replace(self.config, dram_latency_cycles=1)), traced=traced)

    def simulate(self) -> DeformResult:
        return simulate_call(self.config, self.call, self.operands.offsets)

    def reference(self) -> np.ndarray[Any, np.dtype[np.int8]]:
        """What the engine must write: int8 of shape (out_height, out_width, padded channels).

        A padded channel has weights, scale and bias 0, which is stored as -128.
        """
        values = run_call(self.call, self.operands, config=self.config)
        padding = -values.shape[2] % self.config.lanes
        return np.pad(values, ((0, 0), (0, 0), (0, padding)), constant_values=-128)

    def rtl(self, *, cycles: int, gaps: bool = False) -> Case:
        d = describe_call(self.config, self.call)
        gap_256 = int(np.random.default_rng(self.gap_seed).choice(_GAPS_256)) if gaps else 0
        # Gaps stretch a run by at most the chance of a gap, on each of three streams.
        patience = _PATIENCE * (1 + 3 * gap_256 // (256 - gap_256))
        return Case(
            descriptor=asdict(d),
            memory=pack_operands(self.call, self.operands, self.config).tobytes(),
            output_address=d.output_address,
            output_beats=d.output_beats,
            latency_cycles=self.config.dram_latency_cycles,
            max_cycles=patience * cycles + 1000,
            gap_256=gap_256,
            gap_seed=self.gap_seed if gaps else 0,
        )

    def describe(self) -> str:
        config = self.config
        return (
            f"{config.core} core, {config.lanes} lanes, bound {config.bound}, {config.memory}, "
            f"{config.window_ports} ports, {config.gather_bursts} bursts, "
            f"{config.lead} lead, DRAM latency {config.dram_latency_cycles}, {self.call}"
        )

    def wrong_values(self, rtl: CaseResult) -> WrongValues | None:
        want = self.reference()
        height, width, channels = want.shape
        beats = np.frombuffer(rtl.output, dtype=np.uint8)
        got = unpack_map(beats, height=height, width=width, channels=channels)
        wrong = np.argwhere(got != want)
        if not len(wrong):
            return None
        row, col, channel = wrong[0].tolist()  # beats are written in the order of the image
        lane = 8 * (channel % self.config.lanes)
        beat = int(np.ravel_multi_index((row, col, channel), got.shape)) // self.config.lanes
        return WrongValues(
            cycle=rtl.written_at[beat],
            signal=f"write.payload.data[{lane}:{lane + 8}] "
            f"(output row={row}, column={col}, channel={channel})",
            rtl=int(got[row, col, channel]),
            expected=int(want[row, col, channel]),
            count=len(wrong),
        )

    def late_write(self, rtl: CaseResult) -> LateWrite | None:
        expected = write_times(self.config, self.call, self.operands.offsets)
        wrong = np.flatnonzero(expected != np.array(rtl.written_at))
        if not len(wrong):
            return None
        beat = int(wrong[0])
        return LateWrite(
            what=f"output beat {beat}", rtl=rtl.written_at[beat], expected=int(expected[beat])
        )


def build_index(seed: int) -> int:
    """Which engine a seed runs on: each block of 24 seeds uses three, from the first seed on."""
    block, place = divmod(seed, _SEEDS_PER_BLOCK)
    return block * _BUILDS_PER_BLOCK + place % _BUILDS_PER_BLOCK


# No common factor in the lengths, so that every pair comes.
_LANES = (4, 8, 2, 16)
_PORTS: tuple[Literal[1, 3, 9], ...] = (3, 1, 9)
_BOUNDS = (7, 1, 2, 4, 3, 8, 5)


def random_engine(index: int) -> DeformEngineConfig:
    """Engine number ``index``: lanes, ports and bounds walk through their sizes; buffers small."""
    rng = np.random.default_rng([index, 1])
    lanes = _LANES[index // len(_PORTS) % len(_LANES)]
    ports = _PORTS[index % len(_PORTS)]
    bound = _BOUNDS[index % len(_BOUNDS)]
    gathers = index % 6 == 5  # every other engine with nine ports
    full = index % 7 == 3
    groups = int(rng.integers(2, 10))
    return DeformEngineConfig(
        lanes=lanes,
        bound=bound,
        window_ports=ports,
        packed_products=index % 2 == 1 and not full,
        core="full" if full else "depthwise",
        # One in five as the public code, whose errors the reference has too.
        lead="public" if index % 5 == 4 and not gathers else "exact",
        memory="gather" if gathers else "line_buffer",
        gather_bursts=int(rng.choice([1, 2, 3, 16])),
        line_row_bytes=lanes * int(rng.integers(24, 120)),
        pointwise_weight_bytes=lanes
        * lanes
        // 2
        * int(rng.integers(groups, 3 * groups))
        * (TAPS if full else 1),
        pixel_buffer_bytes=lanes << int(rng.integers(2, 6)),
        max_channels=lanes * groups,
        offset_buffer_bytes=lanes * int(rng.integers(30, 120)),
    )


def random_call(rng: np.random.Generator, config: DeformEngineConfig) -> DeformCall:
    """A call that fits ``config``; sizes are mostly the awkward ones."""
    lanes, bound = config.lanes, config.bound
    # Some rows of the line buffer are overwritten twice.
    most = max(24, 5 * bound)

    def size(unit: int, most: int) -> int:
        awkward = [1, 2, 3, unit - 1, unit, unit + 1, 2 * unit, 2 * unit + 1]
        if rng.random() < 0.4:
            return int(max(1, min(most, rng.choice(awkward))))
        return int(rng.integers(max(1, most // 3), most, endpoint=True))

    while True:
        pointwise, depthwise = bool(rng.random() < 0.7), bool(rng.random() < 0.8)
        if config.memory == "gather":
            pointwise = not depthwise
        full = config.core == "full"
        if full:
            pointwise, depthwise = False, True
        out_channels = size(lanes, 4 * lanes)
        call = DeformCall(
            height=size(2 * bound + 1, most),
            width=size(2 * bound + 1, most),
            in_channels=size(lanes, 4 * lanes) if pointwise or full else out_channels,
            out_channels=out_channels,
            pointwise=pointwise,
            depthwise=depthwise,
            full=full,
            stride=2 if depthwise and rng.random() < 0.4 else 1,
            deform=depthwise and bool(rng.random() < 0.7),
            relu1=bool(rng.random() < 0.5),
            relu3=bool(rng.random() < 0.5),
        )
        if call_problem(config, call) is None and _cycles(config, call) <= _MOST_CYCLES:
            return call


def _cycles(config: DeformEngineConfig, call: DeformCall) -> int:
    size = (call.out_height, call.out_width)
    return simulate_call(
        config, call, np.ones(size, dtype=np.uint8) if call.deform else None
    ).cycles


def random_case(config: DeformEngineConfig, seed: int, *, repeat: str) -> DeformCase:
    """A call for ``config`` with its operands and DRAM latency."""
    rng = np.random.default_rng([seed, 2])
    config = replace(config, dram_latency_cycles=int(rng.choice([1, 2, 3, 17, 64])))
    call = random_call(rng, config)
    operands = random_call_operands(call, bound=config.bound, rng=rng)
    if operands.offsets is not None and rng.random() < 0.4:
        # Extremes only: all taps on the centre, or as far away as can be.
        extremes = rng.choice(np.array([0, config.bound], dtype=np.uint8), operands.offsets.shape)
        operands = replace(operands, offsets=extremes)
    return DeformCase(config=config, call=call, operands=operands, gap_seed=seed, repeat=repeat)


def _summary(configurations: Sequence[DeformEngineConfig]) -> list[str]:
    def counted(name: str) -> str:
        found = Counter(getattr(config, name) for config in configurations)
        return ", ".join(f"{value} ({count})" for value, count in sorted(found.items()))

    names = ("core", "lanes", "bound", "window_ports", "memory", "packed_products", "lead")
    return [f"{name.replace('_', ' ')}: {counted(name)}" for name in names]


DEFORM_PLAN = CasePlan(
    work="call",
    build_index=build_index,
    engine=random_engine,
    case=random_case,
    summary=_summary,
)


def verify(system: str, **options: Any) -> VerifyReport:
    """As :func:`dovetail.lockstep.verify.verify`, with deformable engines and calls."""
    return verify_plan(system, plans=(DEFORM_PLAN,), **options)
