"""sim/gemm_chain.py: laws of chains, times by hand, and that what is skipped is what would run."""

from __future__ import annotations

import pytest

from dovetail.arch.chained import ChainedEngineConfig, describe_link
from dovetail.arch.descriptor import Descriptor
from dovetail.arch.events import STALLS, Event
from dovetail.arch.gemm import Gemm, TileMapping
from dovetail.lockstep.chain_cases import random_chain, random_chained_engine
from dovetail.sim import gemm_chain, gemm_kernel
from dovetail.sim.gemm_chain import Chain, Link, simulate_chain
from dovetail.sim.gemm_engine import simulate_gemm

CONFIG = ChainedEngineConfig(
    cols=4, lut_k=4, max_group=64, port_bits=128, dram_latency_cycles=20, weight_buffer_bytes=8192
)


def gemm(m: int, n: int, k: int, **options: bool) -> Descriptor:
    """One group along k; one tile along n and k."""
    return describe_link(
        CONFIG,
        Gemm(m=m, n=n, k=k, weight_format="int16", group=64),
        TileMapping(tile_m=1, tile_n=-(-n // 4), tile_k=1),
        activation_address=0,
        weight_address=0,
        output_address=0,
        **options,
    )


def test_two_gemms_by_hand() -> None:
    """Each: 3 rows of 32 k, which are 8 steps and beats; 4 channels, 8 steps of two beats."""
    one, two = (gemm(3, 4, 32) for _ in range(2))
    first, second = simulate_chain(CONFIG, [Link(descriptor=one), Link(descriptor=two)]).links
    # Both ports ask two cycles after the start, and data begin 20 cycles later.
    assert (first.accepted, first.ask_weights, first.ask_activations) == (0, 2, 2)
    assert first.weights_loaded == 2 + 20 + 16
    # Two halves of activations: rows 0 and 1 load at once, row 2 when row 0 has entered.
    assert first.stream == 38
    row_2 = 38 + 8 + 20 + 8
    assert first.activations_loaded == row_2
    assert first.streamed == row_2 + 8
    # 2 + 3 + 1 + 1 + 1 cycles to the accumulators; a row is read, and leaves five cycles later.
    assert first.written == first.streamed + 8 + 5 == first.landed
    # The other half of the weights takes the next ones, asked for at once; a cycle lies between.
    assert (second.accepted, second.ask_weights) == (1, 2 + 2)
    assert second.weights_loaded == 38 + 1 + 16
    # Row 1 has left its half at 54, but the command for row 2 of the first GEMM went out at 46.
    assert second.ask_activations == 54
    assert second.stream == row_2 + 1 + 8


def test_a_fence_waits_for_results_that_land_late() -> None:
    links = [
        Link(descriptor=gemm(3, 4, 32), write_cycles=100),
        Link(descriptor=gemm(3, 4, 32, after_writes=True)),
    ]
    first, second = simulate_chain(CONFIG, links).links
    assert first.landed == first.written + 100
    assert second.ask_activations == first.landed + 2
    assert second.ask_weights == 4


def test_beats_land_in_order_one_a_cycle() -> None:
    """Plain beats behind slow ones cannot pass them."""
    links = [
        Link(descriptor=gemm(3, 4, 32), write_cycles=1000),
        Link(descriptor=gemm(5, 8, 32)),
    ]
    first, second = simulate_chain(CONFIG, links).links
    assert second.written < first.landed
    assert second.landed == first.landed + 5 * 2


def test_commands_that_take_longer_find_memory_farther_away() -> None:
    """Two rows of 16 steps, which both halves take at once; weights as without."""
    link = Link(descriptor=gemm(2, 4, 64))
    (late,) = simulate_chain(CONFIG, [link], command_cycles=3).links
    assert late.activations_loaded == 2 + 20 + 3 + 2 * 16
    assert late.weights_loaded == 2 + 20 + 2 * 16


def test_a_chain_of_one_is_faster_than_one_port_by_what_it_saves() -> None:
    """Of one tile: both operands load side by side, and start costs one cycle more."""
    layer = Gemm(m=1, n=4, k=32, weight_format="int16", group=64)
    mapping = TileMapping(tile_m=1, tile_n=1, tile_k=1)
    alone = simulate_gemm(CONFIG, layer, mapping)
    chain = simulate_chain(CONFIG, [Link(descriptor=gemm(1, 4, 32))])
    assert alone.cycles - chain.cycles == 8 - 1


@pytest.mark.parametrize("index", range(6))
def test_chains_obey_the_laws(index: int) -> None:
    config = random_chained_engine(index)
    case = random_chain(config, index)
    result = case.simulate()
    events = result.events
    assert events[Event.CYCLE] == events[Event.STREAM] + sum(events[stall] for stall in STALLS)
    assert all(events[stall] >= 0 for stall in STALLS)
    filled = (Event.WEIGHT_WRITE, Event.SCALE_WRITE, Event.ACTIVATION_WRITE)
    assert events[Event.DRAM_READ] == sum(events[event] for event in filled)
    assert events[Event.OUTPUT] == sum(one.gemm.m * one.gemm.n for one in case.gemms)
    for one, times in zip(case.gemms, result.links, strict=True):
        assert times.ask_weights >= times.accepted + 2
        assert times.stream >= times.accepted + 2
        steps = one.descriptor.m_blocks * one.descriptor.n_blocks * one.descriptor.k
        assert times.streamed - times.stream >= steps
        assert times.written >= times.streamed + config.result_latency_cycles


def test_skipping_changes_nothing() -> None:
    """A token a tile, hundreds of them, whose iterations repeat."""
    links = [
        Link(descriptor=gemm(300, 8, 64)),
        Link(descriptor=gemm(200, 4, 32, after_writes=True), write_cycles=30),
        Link(descriptor=gemm(500, 12, 64), gap=5000),
    ]
    assert simulate_chain(CONFIG, links) == simulate_chain(CONFIG, links, skip=False)


def test_tiles_are_those_of_the_chain() -> None:
    chain, other = Chain(CONFIG), Chain(CONFIG)
    first = Link(descriptor=gemm(3, 4, 32))
    chain.add(first)
    other.tiles(first)
    times = chain.add(first)
    tiles = other.tiles(first)
    assert tiles[0].load_weights == times.ask_weights
    assert tiles[-1].activations_ready == times.activations_loaded
    assert tiles[-1].streamed == times.streamed
    assert chain.result == other.result


def test_the_kernel_is_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    links = [Link(descriptor=gemm(3, 8, 32)), Link(descriptor=gemm(2, 4, 32, after_writes=True))]
    compiled = simulate_chain(CONFIG, links)
    for name in ("_block_rows", "_fetched_rows", "_tile", "_normalise", "_copy", "_repeats"):
        monkeypatch.setattr(gemm_kernel, name, getattr(gemm_kernel, name).py_func)
    for name in ("_skip", "_inner", "_gemm"):
        monkeypatch.setattr(gemm_kernel, name, getattr(gemm_kernel, name).py_func)
    monkeypatch.setattr(gemm_chain, "run_link", gemm_kernel.run_link.py_func)
    assert simulate_chain(CONFIG, links) == compiled
