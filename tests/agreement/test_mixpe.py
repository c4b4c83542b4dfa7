"""MixPE three ways: reference = RTL, simulator = RTL; and that a difference is seen and named."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth import Module, Mux

from dovetail.arch.cores import MIXPE_CORES, Core
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.events import GEMM_EVENTS, Event
from dovetail.arch.gemm import Gemm, TileMapping
from dovetail.arch.mixpe import MixpeDesign, preset
from dovetail.lockstep import certify, verify
from dovetail.lockstep import compare as comparison
from dovetail.lockstep.case import LockstepCase, random_operands
from dovetail.lockstep.compare import Mismatch, compare
from dovetail.lockstep.random_cases import random_case, random_engine
from dovetail.models.networks.registry import network
from dovetail.models.trace import GemmOp, Phase, Trace
from dovetail.rtl import verilator
from dovetail.rtl.engines import engine
from dovetail.rtl.mixpe.pe import ShiftAddProduct
from dovetail.rtl.verilog import verilog
from dovetail.sim.mapping import best_mapping
from dovetail.sim.mixpe import gemm_of
from dovetail.sim.network import MAPPING_SLACK
from dovetail.sim.result import GemmResult
from dovetail.tests.agreement.vcd import times, value_at
from dovetail.tests.rtl.simulation import small_engine

pytestmark = pytest.mark.cosim

SMALL = small_engine(rows=2, cols=3, max_group=4, port_bits=32)
AGREE = {"values": 0, "cycles": 0, "events": 0}


def small_case(gap_seed: int = 0) -> LockstepCase:
    """Several tiles along every dimension, edges, and a short last group."""
    gemm = Gemm(m=5, n=7, k=11, weight_format="uint4_zero", group=4)
    return LockstepCase(
        config=SMALL,
        gemm=gemm,
        mapping=TileMapping(tile_m=1, tile_n=2, tile_k=2, order="n_outer"),
        operands=random_operands(np.random.default_rng(3), SMALL.spec, gemm),
        output_shift=6,
        weight_shift=0,
        gap_seed=gap_seed,
        repeat="repeat me",
    )


# --- agreement


def test_twelve_random_cases_agree() -> None:
    report = verify("mixpe", seeds=12)
    assert report.mismatches == AGREE, "\n".join(report.lines)
    assert report.compared == 12
    assert report.configurations >= 3
    assert report.lines[0] == "12 GEMMs on 3 engines"
    assert [line.partition(":")[0] for line in report.lines[1:7]] == [
        "int8",
        "mixpe_w4a16",
        "mixpe_w4a8",
        "values",
        "cycles",
        "events",
    ]
    assert all(line.endswith(": 0 mismatches") for line in report.lines[4:7])


@pytest.mark.parametrize("index", range(3, len(MIXPE_CORES)), ids=list(MIXPE_CORES)[3:])
def test_every_other_core_agrees(index: int) -> None:
    """The random cases above run on the first three cores."""
    config = random_engine(index)
    assert config.core == list(MIXPE_CORES)[index]
    cases = [random_case(config, 100 * index + number, repeat="") for number in range(4)]
    assert compare(cases).mismatches == ()


@pytest.mark.long
def test_random_cases_on_every_core_agree() -> None:
    report = verify("mixpe", seeds=144, seed=1000)
    assert report.mismatches == AGREE, "\n".join(report.lines)
    assert report.compared == 144
    assert report.configurations == 18
    cores = {line.partition(":")[0] for line in report.lines[1 : 1 + len(MIXPE_CORES)]}
    assert cores == set(MIXPE_CORES)


def test_a_preset_s_engine_agrees() -> None:
    report = verify("mixpe", preset="w4a8-8x8", seeds=4, seed=50)
    assert report.mismatches == AGREE, "\n".join(report.lines)
    assert (report.compared, report.configurations) == (4, 1)
    assert report.lines[:2] == (
        "4 GEMMs on 1 engines",
        "mixpe_w4a8: 1 engines; rows 8; cols 8; port bits 128",
    )


# --- certificates


def tiles(config: GemmEngineConfig, gemm: dict[str, Any], mapping: dict[str, Any]) -> list[int]:
    """Tiles along m, n and k."""
    units = (config.rows, config.cols, gemm["group"])
    lengths = zip(("m", "n", "k"), units, ("tile_m", "tile_n", "tile_k"), strict=True)
    return [-(-gemm[name] // (unit * mapping[tile])) for name, unit, tile in lengths]


@pytest.mark.parametrize("phase", ["prefill", "decode"])
@pytest.mark.parametrize("name", ["w4a8-8x8", "int8-8x8"])
def test_a_certificate_covers_every_kind_of_gemm_of_its_network(name: str, phase: Phase) -> None:
    design = preset(name)
    trace = network("llama2-7b", phase=phase)
    certificate = certify(design, trace)
    assert certificate.passed
    assert certificate.mismatches == AGREE
    assert 0 < certificate.cycles <= 50_000
    assert certificate.cycles == sum(case["cycles"] for case in certificate.cases)
    for op in trace.gemms:
        gemm = gemm_of(design, op)
        mapping = best_mapping(design.engine, gemm, slack=MAPPING_SLACK)
        assert any(stands_for(case, design, gemm, mapping) for case in certificate.cases), (
            f"no case for {gemm} with {mapping} in {certificate.cases}"
        )


def stands_for(case: dict[str, Any], design: MixpeDesign, gemm: Gemm, mapping: TileMapping) -> bool:
    """Same format, loop order and edges; at least two tiles along each dimension with several."""
    config = design.engine
    whole = {name: getattr(gemm, name) for name in ("m", "n", "k", "group")}
    loops = {name: getattr(mapping, name) for name in ("tile_m", "tile_n", "tile_k")}
    return (
        (case["weight_format"], case["group"]) == (gemm.weight_format, gemm.group)
        and case["order"] == mapping.order
        and case["m"] % config.rows == gemm.m % config.rows
        and case["n"] % config.cols == gemm.n % config.cols
        and case["k"] % gemm.group == gemm.k % gemm.group
        and all(
            ours >= min(2, theirs)
            for ours, theirs in zip(
                tiles(config, case, case), tiles(config, whole, loops), strict=True
            )
        )
        and all(case[name] <= loops[name] for name in loops)
    )


@pytest.mark.parametrize(
    ("name", "core"), [("w4a8-8x8", "mixpe_w4a8"), ("w4a8-8x8", "int4"), ("fp16-8x8", "fp16")]
)
def test_a_certificate_uses_the_network_s_own_operands(
    monkeypatch: pytest.MonkeyPatch, name: str, core: Core
) -> None:
    rng = np.random.default_rng(0)
    shape = {"m": 12, "n": 9, "k": 40}
    operands = {
        "3.q_proj.a": rng.normal(size=(12, 40)).astype(np.float32),
        "3.q_proj.w": rng.normal(size=(9, 40)).astype(np.float32),
    }
    trace = Trace(
        network="own",
        phase="prefill",
        batch=1,
        seq=12,
        ops=(GemmOp(name="q_proj", layer=3, **shape),),
        operands=operands,
    )
    seen: list[LockstepCase] = []
    simulate = LockstepCase.simulate
    monkeypatch.setattr(LockstepCase, "simulate", lambda case: seen.append(case) or simulate(case))
    design = preset(name)
    design = replace(design, engine=replace(design.engine, core=core))
    assert certify(design, trace).passed
    given = seen[0].operands.activations
    if core == "fp16":
        assert (given.view(np.float16) == operands["3.q_proj.a"].astype(np.float16)).all()
    else:  # each row's largest activation is the largest number
        largest = 7 if core == "int4" else 127
        assert np.abs(given.astype(int)).max(axis=1).tolist() == [largest] * 12
    m, n, k = seen[0].operands.activations.shape[0], *seen[0].operands.weights.shape
    assert (m, n, k) == (12, 9, 40)


# --- seeded faults


def only(mismatches: tuple[Mismatch, ...]) -> Mismatch:
    (mismatch,) = mismatches
    return mismatch


def test_the_small_case_agrees() -> None:
    found = compare([small_case(seed) for seed in range(3)])
    assert not found.mismatches
    assert found.cases == 3
    assert found.values == 3 * 2 * 5 * 7
    assert found.events == 3 * len(GEMM_EVENTS)
    assert found.cycles == 3 * small_case().simulate().cycles


def off_by_one(reference: Callable[[Any], Any], at: tuple[int, int]) -> Callable[[Any], Any]:
    def faulty(case: LockstepCase) -> Any:
        outputs = reference(case).copy()
        outputs[at] += 1
        return outputs

    return faulty


@pytest.mark.parametrize("at", [(0, 0), (4, 6), (2, 5)])
def test_a_wrong_value_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, at: tuple[int, int]
) -> None:
    case = small_case()
    right = int(case.reference()[at])
    monkeypatch.setattr(LockstepCase, "reference", off_by_one(LockstepCase.reference, at))
    mismatch = only(compare([case]).mismatches)
    assert mismatch.kind == "values"
    assert (mismatch.rtl, mismatch.expected, mismatch.count) == (right, right + 1, 1)
    # A row of four lanes fills two beats of 32 bits.
    lane = 16 * (at[1] % SMALL.cols % 2)
    assert mismatch.signal == (
        f"write.payload.data[{lane}:{lane + 16}] (output m={at[0]}, n={at[1]})"
    )
    assert 0 < mismatch.cycle <= case.simulate().cycles
    assert str(mismatch) == (
        f"values differ in 1 place(s), first in cycle {mismatch.cycle} at {mismatch.signal}: "
        f"RTL {right}, expected {right + 1}; mixpe_w4a8 2 x 3, port 32 bit, DRAM latency 64, "
        f"{case.gemm}, {case.mapping}; repeat with `repeat me`"
    )


def test_the_waveform_shows_the_value_in_the_cycle_that_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(LockstepCase, "reference", off_by_one(LockstepCase.reference, (4, 5)))
    mismatch = only(compare([small_case()], waves=tmp_path / "waves").mismatches)
    path = Path(mismatch.waves)
    assert path.parent == tmp_path / "waves"
    assert f"waveform {path}; " in str(mismatch)
    # Two cycles of reset, then ten time units a cycle, its rising edge in the middle.
    now = 20 + 10 * mismatch.cycle
    assert value_at(path, "write__valid", now) == value_at(path, "write__ready", now) == 1
    data = value_at(path, "write__payload", now) >> 32  # the address comes first
    at = re.match(r"write\.payload\.data\[(\d+):", mismatch.signal)
    assert at is not None
    assert data >> int(at[1]) & 0xFFFF == mismatch.rtl % (1 << 16)
    assert min(times(path)) >= 20 + 10 * (mismatch.cycle - 200)
    assert max(times(path)) <= 25 + 10 * (mismatch.cycle + 200)


def test_a_value_that_is_wrong_under_gaps_alone_is_seen_and_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    case = small_case(gap_seed=4)
    right, wrong = LockstepCase.reference, off_by_one(LockstepCase.reference, (4, 6))
    calls = iter([right, wrong])
    monkeypatch.setattr(LockstepCase, "reference", lambda case: next(calls)(case))
    mismatch = only(compare([case], waves=tmp_path).mismatches)
    assert mismatch.kind == "values"
    # Gaps made the last output later than it could otherwise be.
    assert mismatch.cycle > case.simulate().cycles
    now = 20 + 10 * mismatch.cycle
    path = Path(mismatch.waves)
    assert value_at(path, "write__valid", now) == value_at(path, "write__ready", now) == 1
    assert value_at(path, "write__payload", now) >> 32 & 0xFFFF == mismatch.rtl % (1 << 16)


def changed(**by: int) -> Callable[[LockstepCase], GemmResult]:
    """A simulator whose counts are off."""
    simulate = LockstepCase.simulate

    def faulty(case: LockstepCase) -> GemmResult:
        result = simulate(case)
        events = dict(result.events)
        for event, difference in by.items():
            events[Event(event)] += difference
        return replace(result, events=events)

    return faulty


@pytest.mark.parametrize("by", [1, -1])
def test_a_wrong_number_of_cycles_is_named(monkeypatch: pytest.MonkeyPatch, by: int) -> None:
    case = small_case()
    cycles = case.simulate().cycles
    monkeypatch.setattr(LockstepCase, "simulate", changed(cycle=by))
    mismatch = only(compare([case]).mismatches)
    assert (mismatch.kind, mismatch.signal) == ("cycles", "count_cycle")
    assert (mismatch.rtl, mismatch.expected, mismatch.count) == (cycles, cycles + by, 1)
    assert mismatch.cycle == cycles
    assert mismatch.repeat == "repeat me"


@pytest.mark.parametrize("event", [event for event in Event if event is not Event.CYCLE])
def test_a_wrong_count_of_any_event_is_named(monkeypatch: pytest.MonkeyPatch, event: Event) -> None:
    case = small_case()
    count = case.simulate().events[event]
    monkeypatch.setattr(LockstepCase, "simulate", changed(**{event: 1}))
    mismatch = only(compare([case]).mismatches)
    assert (mismatch.kind, mismatch.signal) == ("events", f"count_{event}")
    assert (mismatch.rtl, mismatch.expected, mismatch.count) == (count, count + 1, 1)


def test_an_output_tile_that_is_written_late_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    case = small_case()
    cycles = case.simulate().cycles
    rtl = LockstepCase.rtl

    def slow_memory(case: LockstepCase, **options: Any) -> Any:
        run = rtl(case, **options)
        return replace(run, latency_cycles=run.latency_cycles + 5)

    monkeypatch.setattr(LockstepCase, "rtl", slow_memory)
    late, counts = compare([case]).mismatches
    assert (late.kind, counts.kind) == ("cycles", "events")
    assert late.signal == "write.valid (last beat of an output tile)"
    # The first tile waits for its operands and for nothing else.
    assert late.rtl - late.expected == 5
    assert late.cycle == late.expected < cycles


def test_a_fault_in_the_rtl_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def top_plane_added(product: ShiftAddProduct, platform: object) -> Module:
        m = Module()
        m.d.comb += product.o.eq(sum(Mux(product.w[bit], product.a << bit, 0) for bit in range(4)))
        return m

    monkeypatch.setattr(ShiftAddProduct, "elaborate", top_plane_added)
    monkeypatch.setattr(
        verilator, "engine_verilog", lambda config: verilog(engine(config), name="engine")
    )
    case = small_case()
    gemm = replace(case.gemm, weight_format="int4")
    operands = random_operands(np.random.default_rng(3), SMALL.spec, gemm)
    mismatches = compare([case, replace(case, gemm=gemm, operands=operands)]).mismatches
    # Unsigned codes have no sign; time and counts do not depend on values.
    mismatch = only(mismatches)
    assert mismatch.kind == "values"
    assert "weight_format='int4'" in mismatch.where
    assert mismatch.count > 5


@pytest.mark.parametrize("waves", [False, True])
def test_an_engine_that_hangs_is_reported_and_the_next_case_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, waves: bool
) -> None:
    rtl = LockstepCase.rtl

    def silent_memory(case: LockstepCase, **options: Any) -> Any:
        run = rtl(case, **options)
        return replace(run, latency_cycles=1 << 30) if case.gap_seed == 1 else run

    monkeypatch.setattr(LockstepCase, "rtl", silent_memory)
    cases = [small_case(seed) for seed in range(3)]
    found = compare(cases, waves=tmp_path if waves else None)
    assert found.cases == 3
    assert [mismatch.kind for mismatch in found.mismatches] == ["values", "cycles", "events"]
    hung = found.mismatches[0]
    assert hung.signal == "busy (the engine did not finish)"
    assert (hung.rtl, hung.expected, hung.count) == (1, 0, 5 * 7)
    assert bool(hung.waves) == waves


def test_the_command_repeats_the_very_case(monkeypatch: pytest.MonkeyPatch) -> None:
    reference = LockstepCase.reference

    def faulty(case: LockstepCase) -> Any:
        outputs = reference(case)
        return outputs + 1 if case.gap_seed == 7 else outputs

    # Worker processes inherit both; other tests look at waveforms.
    monkeypatch.setattr(LockstepCase, "reference", faulty)
    monkeypatch.setattr(comparison, "_with_waves", lambda case, run, problem, folder: problem)
    report = verify("mixpe", preset="w4a8-8x8", seeds=4, seed=5)
    assert report.mismatches == {**AGREE, "values": 1}
    line = report.lines[-1]
    found = re.search(r"; repeat with `(.+)`$", line)
    assert found is not None
    assert found[1] == "dovetail verify mixpe --preset w4a8-8x8 --seeds 1 --seed 7 --waves"
    again = verify("mixpe", preset="w4a8-8x8", seeds=1, seed=7, waves=True)
    assert again.lines[-1] == line
    assert again.mismatches == report.mismatches


def test_a_case_has_the_same_gaps_alone_and_among_others() -> None:
    alone = random_case(SMALL, 9, repeat="").rtl(cycles=100, gaps=True)
    again = random_case(SMALL, 9, repeat="").rtl(cycles=100, gaps=True)
    assert alone == again
    assert alone.gap_256 > 0
    chances = {
        random_case(SMALL, seed, repeat="").rtl(cycles=100, gaps=True).gap_256 for seed in range(12)
    }
    assert len(chances) == 3
