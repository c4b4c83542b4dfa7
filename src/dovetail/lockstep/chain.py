"""M3ViT's linear layers in lockstep: single GEMMs, and chains, by reference, simulator and RTL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dovetail.arch.chained import ChainedEngineConfig
from dovetail.arch.descriptor import registers
from dovetail.arch.events import GEMM_EVENTS, Event
from dovetail.lockstep.chain_cases import ChainCase, random_chain, random_chained_engine
from dovetail.lockstep.random_cases import build_index, random_case, random_linear_engine
from dovetail.lockstep.run import LateWrite, WrongValues
from dovetail.lockstep.verify import CasePlan, gemm_summary
from dovetail.rtl.gemm.chain_top import MOST_GEMMS, WRITE_CYCLES, ChainTop, chain_start
from dovetail.rtl.verilator import Build, Case, CaseResult, EngineRtl, build_engine
from dovetail.rtl.verilog import verilog
from dovetail.sim.gemm_chain import ChainResult, Link, simulate_chain

__all__ = ["CHAIN_PLAN", "LINEAR_PLAN", "ChainRun", "random_run"]

# A run that takes this many times the simulator's cycles is hung.
_PATIENCE = 4
# Chances of a gap, and of back-pressure, in 1/256.
_GAPS_256 = (32, 96, 160)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Simulated:
    """From the first start to the last result, where the engine's own counter may pause."""

    cycles: int
    events: Mapping[Event, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChainRun:
    """A chain with its memory, as :class:`dovetail.lockstep.run.LockstepRun`.

    Attributes
    ----------
    case : ChainCase
    gap_seed : int
    repeat : str
    """

    case: ChainCase
    gap_seed: int
    repeat: str

    @property
    def outputs(self) -> int:
        return sum(one.gemm.m * one.gemm.n for one in self.case.gemms)

    def build(self, *, traced: bool = False) -> Build:
        config = self.case.config
        rtl = EngineRtl(
            verilog=verilog(ChainTop(config), name="engine"),
            descriptor=chain_start(config),
            port_bits=config.port_bits,
            events=GEMM_EVENTS,
            read_ports=(("command", "read"), ("weight_command", "weight_read")),
        )
        return build_engine(rtl, traced=traced)

    def chain(self) -> ChainResult:
        """As simulated, with results that reach memory when the top says so."""
        links = [
            Link(
                descriptor=one.descriptor,
                gap=one.gap,
                write_cycles=WRITE_CYCLES[one.descriptor.tag % 2],
            )
            for one in self.case.gemms
        ]
        return simulate_chain(self.case.config, links)

    def simulate(self) -> _Simulated:
        result = self.chain()
        return _Simulated(cycles=result.links[-1].landed, events=result.events)

    def rtl(self, *, cycles: int, gaps: bool = False) -> Case:
        """The case for Verilator; ``cycles`` is what it should take without gaps."""
        case = self.case
        start: dict[str, object] = {"count": len(case.gemms)}
        for number, one in enumerate(case.gemms):
            # The first is offered at once; a list holds what lies before each of the others.
            start[f"gap_{number}"] = one.gap if number else 0
            start[f"link_{number}"] = registers(case.config, one.descriptor)
        gap_256 = int(np.random.default_rng(self.gap_seed).choice(_GAPS_256)) if gaps else 0
        patience = _PATIENCE * (1 + 4 * gap_256 // (256 - gap_256))
        return Case(
            descriptor=start,  # type: ignore[arg-type]
            memory=case.memory.tobytes(),
            output_address=0,
            output_beats=len(case.memory) * 8 // case.config.port_bits,
            latency_cycles=case.config.dram_latency_cycles,
            max_cycles=patience * cycles + 1000,
            gap_256=gap_256,
            gap_seed=self.gap_seed if gaps else 0,
        )

    def describe(self) -> str:
        config = self.case.config
        return (
            f"chain of {len(self.case.gemms)} on {config.core}, {config.cols} columns, steps of "
            f"{config.lut_k}, port {config.port_bits} bit, DRAM latency "
            f"{config.dram_latency_cycles}"
        )

    def wrong_values(self, rtl: CaseResult) -> WrongValues | None:
        """The memory against the reference's; the first word of those that differ."""
        got = np.frombuffer(rtl.output, "<i4")
        want = self.case.reference().view("<i4")
        wrong = np.flatnonzero(got != want)
        if not len(wrong):
            return None
        word = int(wrong[0])
        beat, lane = divmod(32 * word, self.case.config.port_bits)
        return WrongValues(
            cycle=rtl.written_at[beat],
            signal=f"write.payload.data[{lane}:{lane + 32}] (beat {beat})",
            rtl=int(got[word]),
            expected=int(want[word]),
            count=len(wrong),
        )

    def late_write(self, rtl: CaseResult) -> LateWrite | None:
        """The first GEMM whose last result landed in another cycle than simulated."""
        written_at = np.array(rtl.written_at)
        for number, (one, times) in enumerate(
            zip(self.case.gemms, self.chain().links, strict=True)
        ):
            d = one.descriptor
            beats = d.m_blocks * d.output_tile_beats
            seen = int(written_at[d.output_address : d.output_address + beats].max())
            if seen != times.landed:
                return LateWrite(
                    what=f"last result of GEMM {number}", rtl=seen, expected=times.landed
                )
        return None


def random_run(config: ChainedEngineConfig, seed: int, *, repeat: str) -> ChainRun:
    """A chain for ``config`` with its memory and DRAM latency."""
    rng = np.random.default_rng([seed, 5])
    config = replace(config, dram_latency_cycles=int(rng.choice([1, 2, 3, 17, 64])))
    gemms = int(rng.integers(1, MOST_GEMMS, endpoint=True))
    return ChainRun(case=random_chain(config, seed, gemms=gemms), gap_seed=seed, repeat=repeat)


def _summary(configurations: Sequence[ChainedEngineConfig]) -> list[str]:
    def seen(name: str) -> str:
        return ", ".join(
            str(value) for value in sorted({getattr(config, name) for config in configurations})
        )

    return [f"columns {seen('cols')}; steps of {seen('lut_k')} k; port bits {seen('port_bits')}"]


CHAIN_PLAN = CasePlan(
    work="chain",
    build_index=build_index,
    engine=random_chained_engine,
    case=random_run,
    summary=_summary,
    takes=ChainedEngineConfig,
)

LINEAR_PLAN = CasePlan(
    work="GEMM",
    build_index=build_index,
    engine=random_linear_engine,
    case=random_case,
    summary=gemm_summary,
)
