"""sim/deform_network.py."""

from dataclasses import replace

import numpy as np
import pytest

from dovetail.arch.deform import DeformDesign, preset
from dovetail.arch.events import Event
from dovetail.errors import TraceError
from dovetail.models.networks import network
from dovetail.models.networks.codenet import CODENETS
from dovetail.sim.deform_engine import simulate_call
from dovetail.sim.deform_network import simulate_network

DESIGN = preset("codenet")


def test_a_network_is_its_calls_one_after_the_other() -> None:
    result = simulate_network(DESIGN, network("codenet-a"))
    for event in Event:
        alone = sum(
            simulate_call(DESIGN.engine, call.call, call.offsets).events[event]
            for call, _ in result.calls
        )
        assert result.events[event] == alone, event
    stem = next(op for op in network("codenet-a").convolutions if op.name == "stem")
    assert result.macs == network("codenet-a").macs - stem.macs
    useful = result.macs / ((256 + 144) * result.cycles)
    assert result.utilization == pytest.approx(useful)
    assert 0 < result.stall_cycles < result.cycles


def test_the_array_needs_at_least_its_share_of_cycles() -> None:
    """Padded MACs of the 1x1 convolutions over 256 a cycle bound the time from below."""
    result = simulate_network(DESIGN, network("codenet-c"))
    least = sum(
        call.call.height * call.call.width * call.call.in_groups(16) * call.call.out_groups(16)
        for call, _ in result.calls
        if call.call.pointwise
    )
    assert least == result.events[Event.PE_OP] // 256
    assert least < result.cycles < 1.5 * least


def test_the_bound_changes_what_is_read_and_not_the_time() -> None:
    trace = network("codenet-c")
    narrow = DeformDesign(engine=replace(DESIGN.engine, bound=1))
    wide, clipped = simulate_network(DESIGN, trace), simulate_network(narrow, trace)
    assert wide.events[Event.LINE_READ] < clipped.events[Event.LINE_READ]
    assert clipped.cycles < wide.cycles  # fewer rows to fill before the first window


@pytest.mark.parametrize("name", CODENETS)
def test_every_codenet_fits_the_preset(name: str) -> None:
    assert simulate_network(DESIGN, network(name)).cycles > 0


def test_offsets_decide_the_reads() -> None:
    drawn = simulate_network(DESIGN, network("codenet-c-gamma"))
    image = simulate_network(DESIGN, network("codenet-c"))
    assert drawn.cycles == image.cycles
    assert drawn.events[Event.LINE_READ] != image.events[Event.LINE_READ]
    assert np.isclose(drawn.events[Event.LINE_READ], image.events[Event.LINE_READ], rtol=0.01)


def test_a_network_without_convolutions_is_refused() -> None:
    with pytest.raises(
        TraceError,
        match="^llama2-7b has no convolution that this engine runs; choose one of the codenets$",
    ):
        simulate_network(DESIGN, network("llama2-7b"))
