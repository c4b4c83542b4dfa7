"""What runs of M3ViT's block engines in lockstep have in common: maps in DRAM, all compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from amaranth.lib import data
from numpy.typing import NDArray

from dovetail.arch.events import Event
from dovetail.arch.m3vit.attention_engine import AttentionCall
from dovetail.arch.m3vit.block_engine import BlockEngineConfig
from dovetail.arch.m3vit.design import HalfEngineConfig
from dovetail.arch.m3vit.formats import FEATURE, FixedFormat
from dovetail.arch.m3vit.moe_engine import MoeCall
from dovetail.lockstep.run import LateWrite, WrongValues
from dovetail.models.m3vit.fixed import Integers
from dovetail.rtl.m3vit.engines import block_verilog
from dovetail.rtl.m3vit.port_share import READ_PORTS
from dovetail.rtl.verilator import Build, Case, CaseResult, EngineRtl, build_engine

__all__ = ["BlockCase", "Times", "counted", "draw", "with_latency"]

# A run that takes this many times the simulator's cycles is hung.
_PATIENCE = 4
# Chances of a gap, and of back-pressure, in 1/256.
_GAPS_256 = (32, 96, 160)

Config = TypeVar("Config", bound=BlockEngineConfig)
Times = int | NDArray[np.int64]
"""When the beats of a map are written, or the last of them."""


def with_latency(config: Config, cycles: int) -> Config:
    """``config`` with another DRAM, which is the memory's and changes no hardware."""
    return replace(config, engine=replace(config.engine, dram_latency_cycles=cycles))


@lru_cache(maxsize=8)
def _verilog(config: HalfEngineConfig) -> str:
    return block_verilog(config)


def counted(name: str, values: Iterable[object]) -> str:
    """A line that says how often each value comes."""
    found = Counter(map(str, values))
    return f"{name}: " + ", ".join(f"{value} ({count})" for value, count in found.items())


def draw(
    rng: np.random.Generator,
    form: FixedFormat,
    size: tuple[int, ...],
    deviation: float,
    *,
    extreme: bool,
) -> Integers:
    """Numbers as a network has them, or the ends of their format."""
    ends = -(1 << (form.bits - 1)), (1 << (form.bits - 1)) - 1
    if extreme:
        return rng.choice(np.array([*ends, -1, 0, 1]), size)
    scaled = rng.normal(0, deviation * 2.0**form.fraction_bits, size)
    return np.clip(scaled, *ends).astype(np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class BlockCase:
    """One run with its operands, as :class:`dovetail.lockstep.run.LockstepRun`; a base.

    Attributes
    ----------
    x : int64, shape (tokens, width)
    gap_seed : int
    repeat : str
    """

    x: Integers
    gap_seed: int
    repeat: str

    @property
    def block(self) -> HalfEngineConfig:
        """The engine, with the DRAM latency of this case."""
        raise NotImplementedError

    @property
    def registers(self) -> data.StructLayout:
        """Layout of :attr:`call`."""
        raise NotImplementedError

    @property
    def counters(self) -> tuple[Event, ...]:
        """What the engine counts."""
        raise NotImplementedError

    @property
    def call(self) -> AttentionCall | MoeCall:
        """Registers of the run; what is written starts at ``x_address``."""
        raise NotImplementedError

    def memory(self) -> NDArray[np.uint8]:
        """The whole memory before the run."""
        raise NotImplementedError

    def reference(self) -> Mapping[str, NDArray[np.int32]]:
        """What must stand in each map after the run, in memory's order: (tokens, words)."""
        raise NotImplementedError

    def write_times(self) -> Sequence[tuple[str, Times]]:
        """When the simulator writes: maps in the order in which they are written."""
        raise NotImplementedError

    @property
    def tokens(self) -> int:
        return len(self.x)

    def build(self, *, traced: bool = False) -> Build:
        """The compiled engine, the same for all cases of a comparison."""
        # The DRAM latency is the memory's, not the hardware's.
        engine = EngineRtl(
            verilog=_verilog(with_latency(self.block, 1)),
            descriptor=self.registers,
            port_bits=self.block.port_bits,
            events=self.counters,
            read_ports=READ_PORTS,
        )
        return build_engine(engine, traced=traced)

    @property
    def outputs(self) -> int:
        """Values written: those of all maps."""
        return sum(words.size for words in self.reference().values())

    def rtl(self, *, cycles: int, gaps: bool = False) -> Case:
        """The case for Verilator; ``cycles`` is what it should take without gaps."""
        call = self.call
        memory = self.memory()
        gap_256 = int(np.random.default_rng(self.gap_seed).choice(_GAPS_256)) if gaps else 0
        # Gaps stretch a run by at most the chance of a gap, on each of four ports' two streams.
        patience = _PATIENCE * (1 + 8 * gap_256 // (256 - gap_256))
        return Case(
            descriptor=asdict(call),
            memory=memory.tobytes(),
            output_address=call.x_address,
            output_beats=len(memory) * 8 // self.block.port_bits - call.x_address,
            latency_cycles=self.block.engine.dram_latency_cycles,
            max_cycles=patience * cycles + 1000,
            gap_256=gap_256,
            gap_seed=self.gap_seed if gaps else 0,
        )

    def wrong_values(self, rtl: CaseResult) -> WrongValues | None:
        lanes = self.block.lanes
        want = self.reference()
        got = _by_map(np.frombuffer(rtl.output, "<i4"), want)
        written = _by_map(np.repeat(np.array(rtl.written_at), lanes), want)
        wrong = [
            (int(written[name][token, feature]), name, token, feature)
            for name in want
            for token, feature in np.argwhere(got[name] != want[name]).tolist()
        ]
        if not wrong:
            return None
        cycle, name, token, feature = min(wrong)
        lane = FEATURE.bits * (feature % lanes)
        return WrongValues(
            cycle=cycle,
            signal=f"write.payload.data[{lane}:{lane + FEATURE.bits}] "
            f"({name}, token={token}, feature={feature})",
            rtl=int(got[name][token, feature]),
            expected=int(want[name][token, feature]),
            count=len(wrong),
        )

    def late_write(self, rtl: CaseResult) -> LateWrite | None:
        want = self.reference()
        written = _by_map(np.repeat(np.array(rtl.written_at), self.block.lanes), want)
        for name, expected in self.write_times():
            # One time a beat, or that of the last beat alone.
            beats = written[name][:, :: self.block.lanes].ravel()
            seen, right = np.atleast_1d(
                beats.max() if isinstance(expected, int) else beats, np.array(expected)
            )
            late = np.flatnonzero(seen != right)
            if len(late):
                beat = int(late[0])
                return LateWrite(
                    what=f"{name}, beat {beat} of {seen.size} compared",
                    rtl=int(seen[beat]),
                    expected=int(right[beat]),
                )
        return None


def _by_map(words: NDArray[Any], like: Mapping[str, NDArray[np.int32]]) -> dict[str, NDArray[Any]]:
    """Cut what stands one behind the other into maps of the sizes of ``like``."""
    ends = np.cumsum([values.size for values in like.values()])
    parts = np.split(words, ends[:-1])
    return {
        name: part.reshape(values.shape)
        for part, (name, values) in zip(parts, like.items(), strict=True)
    }
