"""sim/timeline.py."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings

from dovetail.arch.events import STALLS, Event
from dovetail.arch.mixpe import MixpeDesign, preset
from dovetail.models.trace import GemmOp, Trace
from dovetail.sim import timeline as module
from dovetail.sim.gemm_engine import simulate_gemm
from dovetail.sim.mixpe import simulate
from dovetail.sim.result import OpResult, RunResult
from dovetail.sim.timeline import timeline
from dovetail.tests.sim.engines import Run, runs

OPS = (
    GemmOp(name="one", layer=0, m=40, n=20, k=100),
    GemmOp(name="one", layer=1, m=40, n=20, k=100),
    GemmOp(name="two", layer=1, m=17, n=9, k=65, count=3, weights="activation"),
    GemmOp(name="three", layer=1, m=40, n=20, k=100),
)
TRACE = Trace(network="test", phase="prefill", batch=1, seq=1, ops=OPS)


def of_a_run(run: Run) -> tuple[MixpeDesign, RunResult]:
    config, gemm, mapping = run
    design = MixpeDesign(engine=replace(config, clock_mhz=1.0), group=1)  # a cycle is 1 us
    one = simulate_gemm(config, gemm, mapping)
    op = OpResult(name="op", layer=0, count=1, result=one)
    return design, RunResult(ops=(op,), events=one.events, macs=gemm.macs, peak_macs_per_cycle=1)


def tracks(data: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Slices of the only process, by the name of their thread, in order of time."""
    events = data["traceEvents"]
    names = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    found = defaultdict(list)
    for event in sorted((e for e in events if e["ph"] == "X"), key=lambda e: float(e["ts"])):
        found[names[event["tid"]]].append(event)
    return found


@settings(max_examples=100)
@given(runs())
def test_slices_add_up_to_the_events_of_the_run(run: Run) -> None:
    design, result = of_a_run(run)
    data = timeline(design, result)
    assert "first" not in data["traceEvents"][0]["args"]["name"]
    found = tracks(data)
    for slices in found.values():
        assert all(e["dur"] == e["args"]["cycles"] > 0 for e in slices)
        assert slices[0]["ts"] >= 1  # start is accepted in cycle 0
        assert all(a["ts"] + a["dur"] <= b["ts"] for a, b in pairwise(slices))

    events = result.events
    assert sum(e["args"]["stream_cycles"] for e in found["array"]) == events[Event.STREAM]
    stalls: Counter[str] = Counter()
    for event in found["stall"]:
        stalls[event["name"]] += event["args"]["cycles"]
    # Inside a tile the array waits for its drain chains only.
    stalls["stall_dequant"] += sum(
        e["args"]["cycles"] - e["args"]["stream_cycles"] for e in found["array"]
    )
    assert +stalls == {cause.value: events[cause] for cause in STALLS if events[cause]}
    # One beat a cycle.
    weights = events[Event.WEIGHT_WRITE] + events[Event.SCALE_WRITE]
    assert sum(e["args"]["cycles"] for e in found["load weights"]) == weights
    loaded = sum(e["args"]["cycles"] for e in found["load activations"])
    assert loaded == events[Event.ACTIVATION_WRITE]
    # The array either streams or waits, from the first cycle to the last.
    whole = sorted(found["array"] + found["stall"], key=lambda e: float(e["ts"]))
    assert whole[0]["ts"] == 1
    assert all(a["ts"] + a["dur"] == b["ts"] for a, b in pairwise(whole))
    assert whole[-1]["ts"] + whole[-1]["dur"] == events[Event.CYCLE] + 1
    # The last row is read two cycles before its beat is accepted, or more where GELU is between.
    last = found["write"][-1]
    assert last["ts"] + last["dur"] == events[Event.CYCLE] - 1 - run.config.spec.output_cycles


def test_is_a_trace_that_perfetto_opens() -> None:
    """Fields that the trace-event format asks for of complete ("X") and metadata ("M") events."""
    design = preset("w4a8-8x8")
    result = simulate(design, TRACE)
    data = json.loads(json.dumps(timeline(design, result)))
    assert data["displayTimeUnit"] in ("ns", "ms")
    for event in data["traceEvents"]:
        assert isinstance(event["name"], str)
        assert isinstance(event["pid"], int) and isinstance(event["tid"], int)
        assert isinstance(event["args"], dict)
        assert event["ph"] in ("X", "M")
        if event["ph"] == "X":
            assert isinstance(event["ts"], float) and event["ts"] >= 0
            assert isinstance(event["dur"], float) and event["dur"] > 0
            # 500 MHz: a cycle is 2 ns, and times are in microseconds.
            assert event["dur"] == pytest.approx(event["args"]["cycles"] * 0.002)
    ends = [e["ts"] + e["dur"] for e in data["traceEvents"] if e["ph"] == "X" and e["pid"] == 1]
    assert max(ends) == pytest.approx((result.ops[0].cycles + 1) * 0.002)


def test_a_process_is_a_distinct_gemm_in_program_order() -> None:
    design = preset("w4a8-8x8")
    events = timeline(design, simulate(design, TRACE))["traceEvents"]
    names = {e["pid"]: e["args"]["name"] for e in events if e["name"] == "process_name"}
    assert names == {1: "one 40 x 20 x 100, count 3", 2: "two 17 x 9 x 65, count 3"}
    assert {e["pid"] for e in events} == {1, 2}
    first = next(e for e in events if e["ph"] == "X")
    assert first["name"] == "tile m0 n0 g0"


def test_shows_the_first_tiles_of_a_long_gemm_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    design = preset("w4a8-8x8")
    ops = (GemmOp(name="long", layer=0, m=80, n=80, k=400),)
    result = simulate(design, replace(TRACE, ops=ops))
    whole = timeline(design, result)
    monkeypatch.setattr(module, "MOST_TILES", 3)
    data = timeline(design, result)
    tiles = len(tracks(whole)["array"])
    assert tiles > 3
    assert data["traceEvents"][0]["args"]["name"].endswith(f", first 3 of {tiles} tiles")
    assert data["otherData"]["most_tiles_of_one_gemm"] == 3
    for track, slices in tracks(data).items():
        assert slices == tracks(whole)[track][: len(slices)]
    assert len(tracks(data)["array"]) == 3
