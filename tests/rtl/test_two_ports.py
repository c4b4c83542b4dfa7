"""rtl/harness.cpp with two read ports: one memory, in which later commands see a write."""

from dataclasses import replace

import pytest

from dovetail.rtl.verilator import Build, Case, build_engine
from dovetail.tests.rtl.two_port_engine import two_port_engine

pytestmark = pytest.mark.cosim

LATENCY = 5
OLD, NEW = b"old ", b"new "
# Start in cycle 0, command in 1; its beat is written in the cycle in which it is read.
WRITTEN = 1 + LATENCY


@pytest.fixture(scope="module")
def built() -> Build:
    return build_engine(two_port_engine())


def case(*, wait: int) -> Case:
    return Case(
        descriptor={"source": 0, "target": 2, "wait": wait},
        memory=NEW + b"...." + OLD + b"....",
        output_address=2,
        output_beats=2,
        latency_cycles=LATENCY,
        max_cycles=400,
    )


@pytest.mark.parametrize(
    ("wait", "seen"), [(1, OLD), (WRITTEN, OLD), (WRITTEN + 1, NEW), (WRITTEN + 9, NEW)]
)
def test_a_command_sees_what_was_written_before_it(built: Build, wait: int, seen: bytes) -> None:
    (result,) = built.run([case(wait=wait)])
    assert result.problem is None
    assert result.output == NEW + seen
    # Both ports answer after the latency, whatever the other does.
    assert result.written_at == (WRITTEN, max(wait + LATENCY, WRITTEN + 1))


def test_with_gaps_a_command_may_see_what_is_written_after_it(built: Build) -> None:
    early = case(wait=1)
    results = built.run([replace(early, gap_256=160, gap_seed=seed) for seed in range(40)])
    seen = {result.output[4:] for result in results}
    assert seen == {OLD, NEW}


def test_only_the_open_beats_can_be_written(built: Build) -> None:
    (result,) = built.run([replace(case(wait=1), output_address=3)])
    assert result.problem == "the engine used an address outside its operands"
