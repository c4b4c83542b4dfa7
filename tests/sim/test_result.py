"""sim/result.py, by hand."""

from dovetail.arch.events import Event
from dovetail.arch.gemm import SMALLEST_TILE, Gemm
from dovetail.sim.result import GemmResult, OpResult, RunResult

EVENTS = dict.fromkeys(Event, 0) | {
    Event.CYCLE: 100,
    Event.STREAM: 60,
    Event.STALL_WEIGHTS: 25,
    Event.STALL_DRAIN: 15,
}
RESULT = GemmResult(gemm=Gemm(m=2, n=3, k=5), mapping=SMALLEST_TILE, events=EVENTS)


def test_counts_and_ratios() -> None:
    op = OpResult(name="op", layer=0, count=3, result=RESULT)
    assert RESULT.cycles == 100
    assert op.cycles == 300
    run = RunResult(ops=(op,), events=EVENTS, macs=2 * 3 * 5, peak_macs_per_cycle=4)
    assert run.cycles == 100
    assert run.stall_cycles == 40
    assert run.utilization == 30 / (4 * 100)
