"""sim/m3vit_timeline.py."""

import json
from dataclasses import replace
from typing import Any

import pytest

from dovetail.arch.m3vit.schedule import schedule_preset
from dovetail.models.m3vit.config import TINY
from dovetail.models.networks.m3vit_trace import drawn_trace, routing_of
from dovetail.sim.m3vit_schedule import ScheduleResult, simulate_schedule
from dovetail.sim.m3vit_timeline import TRACKS, schedule_timeline

DESIGN = schedule_preset("edge-moe-zcu102")


def run(schedule: str) -> tuple[ScheduleResult, dict[str, list[Any]]]:
    design = replace(DESIGN, schedule=schedule, cache_experts=2)
    result = simulate_schedule(design, TINY, routing_of(drawn_trace(TINY, skew=0.5)))
    data = json.loads(json.dumps(schedule_timeline(result)))
    tracks: dict[str, list[Any]] = {name: [] for name in TRACKS}
    for event in data["traceEvents"]:
        if event["ph"] == "X":
            tracks[TRACKS[event["tid"]]].append(event)
    return result, tracks


@pytest.mark.parametrize("schedule", ["expert_by_expert", "resident", "cached"])
def test_slices_of_a_track_follow_each_other_and_fill_the_time(schedule: str) -> None:
    result, tracks = run(schedule)
    for slices in tracks.values():
        ends = [event["ts"] + event["dur"] for event in slices]
        for end, later in zip(ends, slices[1:], strict=False):
            assert later["ts"] >= end - 1e-6
    busy = sum(event["args"]["cycles"] for event in tracks["units"] + tracks["wait"])
    assert busy == result.cycles
    loads = sum(e["args"]["cycles"] for name in TRACKS[:3] for e in tracks[name])
    assert loads == sum(step.load_cycles for step in result.steps)
    assert bool(tracks["load layer"]) == (schedule == "resident")


def test_an_expert_loads_into_one_half_while_the_other_computes() -> None:
    _, tracks = run("expert_by_expert")
    halves = {
        (event["name"], event["args"]["block"]): name
        for name in ("load ping", "load pong")
        for event in tracks[name]
    }
    experts = [e for e in tracks["units"] if "expert" in e["args"] and e["args"]["block"] == 1]
    places = [halves[event["name"], 1] for event in experts]
    assert len(experts) > 20 and all(a != b for a, b in zip(places, places[1:], strict=False))
    # Each step begins when its own load is over, and while it runs the next one goes on.
    load_of = {
        (event["name"], event["args"]["block"]): event
        for name in ("load ping", "load pong")
        for event in tracks[name]
    }
    overlapping = 0
    for now, later in zip(experts, experts[1:], strict=False):
        load = load_of[later["name"], 1]
        assert load["ts"] + load["dur"] <= later["ts"] + 1e-6
        overlapping += load["ts"] < now["ts"] + now["dur"]
    assert overlapping == len(experts) - 1
