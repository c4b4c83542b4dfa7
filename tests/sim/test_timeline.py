"""sim/timeline.py."""

import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from dovetail.arch.events import Event
from dovetail.arch.mixpe import preset
from dovetail.models.trace import GemmOp, Trace
from dovetail.sim import timeline as module
from dovetail.sim.mixpe import simulate
from dovetail.sim.timeline import timeline

OPS = (
    GemmOp(name="one", layer=0, m=40, n=20, k=100),
    GemmOp(name="one", layer=1, m=40, n=20, k=100),
    GemmOp(name="two", layer=1, m=17, n=9, k=65, weights="activation"),
)
TRACE = Trace(network="test", phase="prefill", batch=1, seq=1, ops=OPS)


def test_spans_agree_with_the_events_of_the_run() -> None:
    design = preset("w4a8-8x8")
    design = replace(design, engine=replace(design.engine, clock_mhz=1.0))  # a cycle is 1 us
    result = simulate(design, TRACE)
    data = json.loads(json.dumps(timeline(design, result)))
    events = data["traceEvents"]
    names = [e["args"]["name"] for e in events if e["name"] == "process_name"]
    assert names == ["one 40 x 20 x 100", "two 17 x 9 x 65"]
    for process, op in ((1, result.ops[0]), (2, result.ops[2])):
        spans = [e for e in events if e["ph"] == "X" and e["pid"] == process]
        # The last beat is written in the last cycle.
        assert max(e["ts"] + e["dur"] for e in spans) == op.result.events[Event.CYCLE] - 1
        array = sorted((e["ts"], e["dur"]) for e in spans if e["tid"] == 2)
        # The array holds one tile at a time, and streams in all that the simulator counted.
        assert all(a + length <= b for (a, length), (b, _) in pairwise(array))
        assert sum(length for _, length in array) >= op.result.events[Event.STREAM]
        assert min(e["ts"] for e in spans) >= 0


def test_shows_the_first_tiles_of_a_long_gemm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TILES", 2)
    design = preset("w4a8-8x8")
    ops = (GemmOp(name="long", layer=0, m=400, n=400, k=4000),)
    long = replace(TRACE, ops=ops)
    events = timeline(design, simulate(design, long))["traceEvents"]
    assert max(Counter(e["tid"] for e in events if e["ph"] == "X").values()) == 2
    assert "first 2 of " in events[0]["args"]["name"]
