"""A system whose simulator is a formula, so that sweeps are tested without one."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dovetail.arch.events import Event
from dovetail.arch.gemm import Gemm, TileMapping
from dovetail.arch.mixpe import MixpeDesign
from dovetail.errors import ConfigError
from dovetail.models.trace import Trace
from dovetail.sim.result import GemmResult, OpResult, RunResult
from dovetail.systems import System, register, system

FAKE = replace(
    system("mixpe"),
    name="fake",
    title="a formula",
    simulate="dovetail.tests.sweeps.fake_system:simulate",
    certify="dovetail.tests.sweeps.fake_system:certify",
    verify="dovetail.tests.sweeps.fake_system:verify",
    error="dovetail.tests.sweeps.fake_system:error",
    sweeps={
        "fake": "dovetail.tests.sweeps.fake_system:sweep",
        "long": "dovetail.tests.sweeps.fake_system:long_sweep",
    },
    papers={},
    units=(),
    accountings={},
    technology=str(Path(__file__).with_name("flat.toml")),
)


def add() -> System:
    """Register the fake system in this process."""
    register(FAKE)
    return FAKE


def simulate(design: MixpeDesign, trace: Trace, *, mappings: Any = None) -> RunResult:
    """Cycles are MACs over PEs and a tenth of stalls; some sizes are bad on purpose."""
    time.sleep(float(os.environ.get("FAKE_SECONDS", "0")))
    engine = design.engine
    if engine.rows == 13:
        raise ZeroDivisionError("rows of 13\nbring bad luck")
    if engine.rows == 14:
        raise ConfigError("rows=14 has no mapping; set rows to 16")
    ops = []
    for op in trace.gemms:
        stream = -(-op.m * op.n * op.k // engine.peak_macs_per_cycle)
        stall = stream // 10
        counts = dict.fromkeys(Event, 0)
        counts |= {
            Event.CYCLE: stream + stall,
            Event.STREAM: stream,
            Event.STALL_WEIGHTS: stall,
            Event.PE_OP: op.m * op.n * op.k,
            Event.DRAM_READ: 8 * op.k * (op.m + op.n) // engine.port_bits,
        }
        gemm = Gemm(m=op.m, n=op.n, k=op.k, group=design.group)
        mapping = TileMapping(tile_m=1, tile_n=1, tile_k=1)
        result = GemmResult(gemm=gemm, mapping=mapping, events=counts)
        ops.append(OpResult(name=op.name, layer=op.layer, count=op.count, result=result))
    totals = {event: sum(o.count * o.result.events[event] for o in ops) for event in Event}
    return RunResult(
        ops=tuple(ops),
        events=totals,
        macs=trace.macs,
        peak_macs_per_cycle=engine.peak_macs_per_cycle,
    )


def error(design: MixpeDesign) -> float:
    return design.group / 1024


@dataclass(frozen=True)
class FakeCertificate:
    cases: tuple[dict[str, int], ...]
    cycles: int
    mismatches: dict[str, int]
    seconds: float
    passed: bool


def certify(design: MixpeDesign, trace: Trace, *, seed: int = 0) -> FakeCertificate:
    """Fails for designs of one row."""
    bad = int(design.engine.rows == 1)
    return FakeCertificate(
        cases=({"m": 5, "n": 3, "k": 2},),
        cycles=1234,
        mismatches={"values": bad, "cycles": 0, "events": 0},
        seconds=0.5,
        passed=not bad,
    )


@dataclass(frozen=True)
class FakeVerifyReport:
    compared: int
    mismatches: dict[str, int]
    configurations: int
    seconds: float
    lines: tuple[str, ...] = field(default=("compared 7 outputs: 0 mismatches",))


def verify(system: str, *, preset, seeds, seed, waves, progress):  # type: ignore[no-untyped-def]
    """Finds as many wrong values as ``seed`` says."""
    progress(seeds, seeds)
    return FakeVerifyReport(7, {"values": seed, "cycles": 0, "events": 0}, seeds, 0.1)


def sweep() -> Any:
    """72 points: 12 rejected by the rule, 12 by the simulator, 12 that raise."""
    from dovetail.sweeps.axes import Sweep, Workload

    return Sweep(
        name="fake",
        question="Is a formula faster than a simulator?",
        system="fake",
        base={"engine": {"rows": 8, "cols": 8}},
        axes={
            ("engine.core", "engine.cols"): (("mixpe_w4a8", 8), ("int8", 8), ("int8", 7)),
            "engine.rows": (1, 8, 13, 14),
            "group": (32, 64, 128),
        },
        workloads=(
            Workload(network="vit-b-16"),
            Workload(network="llama2-7b", phase="decode", seq=64),
        ),
        technology=FAKE.technology,
        reject="dovetail.tests.sweeps.fake_system:refuse",
    )


def long_sweep() -> Any:
    """640 points, some of each status: long enough to be killed in the middle."""
    rows = tuple(range(8, 18))
    axes = {"engine.rows": rows, "engine.cols": tuple(range(2, 18)), "group": (32, 64)}
    return replace(sweep(), name="long", axes=axes)


def refuse(design: MixpeDesign) -> str | None:
    if design.engine.cols == 7 and design.engine.rows == 8:
        return "7 columns and 8 rows do not go together"
    return None


if __name__ == "__main__":
    add()
    # Only now: the command reads the registry.
    from dovetail.cli import main

    main()
