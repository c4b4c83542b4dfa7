"""sim/deform_timeline.py."""

from dataclasses import replace

from dovetail.arch.deform import preset
from dovetail.arch.events import Event
from dovetail.models.networks import network
from dovetail.sim.deform_network import simulate_network
from dovetail.sim.deform_timeline import deform_timeline


def test_calls_follow_one_another_and_take_all_cycles() -> None:
    base = preset("codenet")
    design = replace(base, engine=replace(base.engine, bound=1), second="gather")
    result = simulate_network(design, network("codenet-c"))
    made = deform_timeline(design, result)
    slices = [event for event in made["traceEvents"] if event["ph"] == "X"]
    assert sum(piece["args"]["cycles"] for piece in slices) == result.cycles
    at = 0.0
    for piece in slices:
        assert abs(piece["ts"] - at) < 1e-6
        at = piece["ts"] + piece["dur"]
    assert abs(at - result.cycles / 250) < 1e-6
    assert {piece["pid"] for piece in slices} == {1, 2}
    gathered = [piece for piece in slices if piece["pid"] == 2 and piece["tid"] == 1]
    assert [piece["name"].split()[-1] for piece in gathered] == ["18", "19", "20"]
    loads = sum(piece["args"]["cycles"] for piece in slices if piece["tid"] == 0)
    assert loads == result.events[Event.STALL_WEIGHTS]
