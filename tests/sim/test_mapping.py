"""sim/mapping.py and its kernel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dovetail.arch.descriptor import describe
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.events import Event
from dovetail.arch.gemm import Gemm, TileMapping
from dovetail.arch.mixpe import preset
from dovetail.errors import ConfigError
from dovetail.sim import mapping_kernel
from dovetail.sim.gemm_engine import engine_timing, gemm_registers, simulate_gemm
from dovetail.sim.mapping import best_mapping, mapping_limits
from dovetail.tests.sim.engines import Run, engines, fitting, gemms, runs

HUGE = np.iinfo(np.int64).max


def cost(config: GemmEngineConfig, gemm: Gemm, mapping: TileMapping) -> tuple[int, int]:
    """DRAM beats read, and cycles."""
    events = simulate_gemm(config, gemm, mapping).events
    return events[Event.DRAM_READ], events[Event.CYCLE]


@settings(max_examples=150)
@given(st.data(), engines(), st.sampled_from([0.0, 0.01, 0.1, 1.0]))
def test_no_mapping_is_better(data: st.DataObject, config: GemmEngineConfig, slack: float) -> None:
    gemm = data.draw(gemms(config, blocks=4))
    mappings = fitting(config, gemm)
    assume(mappings)
    costs = [cost(config, gemm, mapping) for mapping in mappings]
    limit = min(cycles for _, cycles in costs) * (1 + slack)
    want = min((reads, cycles) for reads, cycles in costs if cycles <= limit)
    got = best_mapping(config, gemm, slack=slack)
    assert got in mappings
    assert cost(config, gemm, got) == want


@settings(max_examples=300)
@given(runs())
def test_bounds_hold(run: Run) -> None:
    config, gemm, mapping = run
    timing = engine_timing(config)
    registers = gemm_registers(describe(config, gemm, mapping))
    table = mapping_kernel.k_tiles(timing, registers)
    k_tiles = -(-registers.groups // mapping.tile_k)
    at = (table[mapping.tile_k], mapping.tile_m, mapping.tile_n, k_tiles)
    bound, floor, reads = mapping_kernel._bound(timing, registers, *at, registers.n_outer)
    want_reads, cycles = cost(config, gemm, mapping)
    assert bound <= cycles
    assert reads == want_reads
    for smaller in range(1, mapping.tile_n):
        assert floor <= cost(config, gemm, replace(mapping, tile_n=smaller))[1]


@settings(max_examples=100)
@given(st.data(), engines())
def test_search_visits_every_mapping_that_fits(
    data: st.DataObject, config: GemmEngineConfig
) -> None:
    gemm = data.draw(gemms(config, blocks=3))
    want = fitting(config, gemm)
    assume(want)
    timing = engine_timing(config)
    registers = gemm_registers(describe(config, gemm, want[0]))
    limits, table = mapping_limits(config), mapping_kernel.k_tiles(timing, registers)
    for kernel, keys in ((mapping_kernel.next_by_bound, 2), (mapping_kernel.next_by_reads, 3)):
        visited = []
        after = np.zeros(keys, dtype=np.int64)
        while True:
            # A limit that no mapping reaches, and with which no sum leaves 64 bits.
            found = kernel(timing, registers, limits, table, 1 << 40, after)
            if not found[keys]:
                break
            assert tuple(found[:keys]) > tuple(after)
            visited.append(tuple(found[keys:].tolist()))
            after = found[:keys]
        orders = {"m_outer": 0, "n_outer": 1}
        assert len(visited) == len(set(visited))
        assert set(visited) == {
            (mapping.tile_m, mapping.tile_n, mapping.tile_k, orders[mapping.order])
            for mapping in want
        }


def test_slack_buys_fewer_reads() -> None:
    config = preset("w4a8-32x32").engine
    gemm = Gemm(m=512, n=512, k=1024)
    fast_reads, fast = cost(config, gemm, best_mapping(config, gemm))
    reads, cycles = cost(config, gemm, best_mapping(config, gemm, slack=0.01))
    assert fast <= cycles <= 1.01 * fast
    assert reads < fast_reads / 2


def test_clock_changes_no_mapping() -> None:
    config = preset("w4a8-8x8").engine
    gemm = Gemm(m=100, n=100, k=500)
    slow = replace(config, clock_mhz=100.0)
    assert best_mapping(slow, gemm) == best_mapping(config, gemm)


@pytest.mark.parametrize("slack", [-0.1, 1.5, float("nan")])
def test_refuses_a_slack_that_is_no_share(slack: float) -> None:
    message = r"^slack=\S+ must be from 0 to 1; 0\.01 allows one percent more cycles$"
    with pytest.raises(ConfigError, match=message):
        best_mapping(preset("w4a8-8x8").engine, Gemm(m=1, n=1, k=1), slack=slack)


def test_names_what_does_not_fit() -> None:
    config = replace(preset("w4a8-8x8").engine, weight_buffer_bytes=64, port_bits=64)
    message = (
        r"^Gemm\(m=1, n=1, k=128, weight_format='int4', group=128, bits=None\) fits in no tile: "
        r"the tile needs 1 blocks of 64 rows of weights; half of weight_buffer_bytes=64 holds 4 "
        r"rows; make the tile smaller$"
    )
    with pytest.raises(ConfigError, match=message):
        best_mapping(config, Gemm(m=1, n=1, k=128))


def test_refuses_a_group_that_the_engine_cannot_sum() -> None:
    config = replace(preset("w4a8-8x8").engine, max_group=64)
    with pytest.raises(ConfigError, match=r"^group=128 exceeds the engine's max_group=64; "):
        best_mapping(config, Gemm(m=1, n=1, k=128))
