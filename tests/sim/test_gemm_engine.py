"""sim/gemm_engine.py against a state machine that counts cycles, conservation laws and limits."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.arch.cores import LUT_CORES
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.events import STALLS, Event
from dovetail.arch.gemm import SMALLEST_TILE, Gemm, TileMapping
from dovetail.arch.mixpe import preset
from dovetail.errors import ConfigError
from dovetail.sim.gemm_engine import simulate_gemm, tile_times
from dovetail.sim.mapping import best_mapping
from dovetail.tests.sim.cycle_model import (
    AFTER_GROUP,
    BIT_SERIAL,
    BROADCAST,
    FLOATING,
    LINEAR,
    MAC,
    CycleModel,
    makes_tables,
)
from dovetail.tests.sim.engines import Run, runs

ENGINE = preset("w4a8-32x32").engine  # 1,024-bit port, 64 cycles of latency


@settings(max_examples=300)
@given(runs())
def test_every_event_equals_a_count_cycle_by_cycle(run: Run) -> None:
    assert simulate_gemm(*run).events == CycleModel(*run).run()


@settings(max_examples=200)
@given(runs(cores=tuple(LUT_CORES)))
def test_every_event_of_steps_and_planes_equals_a_count_cycle_by_cycle(run: Run) -> None:
    assert simulate_gemm(*run).events == CycleModel(*run).run()


def blocks(gemm: Gemm, config: GemmEngineConfig) -> tuple[int, int]:
    return math.ceil(gemm.m / config.rows), math.ceil(gemm.n / config.cols)


@settings(max_examples=200)
@given(runs())
def test_nothing_is_lost_or_counted_twice(run: Run) -> None:
    config, gemm, mapping = run
    events = simulate_gemm(*run).events
    mixpe = config.core in AFTER_GROUP
    unscaled = gemm.weight_format in ("int8", "fp16", "int16")
    serial = config.core in BIT_SERIAL
    passes = 2 if mixpe and unscaled and config.core not in BROADCAST else 1
    planes = (gemm.bits or 8) if serial else 1
    steps = math.ceil(gemm.k / config.lut_k)
    groups = math.ceil(gemm.k / gemm.group)
    by_group = mixpe or config.core in FLOATING
    segments = passes * groups if by_group else math.ceil(groups / mapping.tile_k)
    m_blocks, n_blocks = blocks(gemm, config)

    row_steps = gemm.m * n_blocks * steps
    assert events[Event.CYCLE] == events[Event.STREAM] + sum(events[stall] for stall in STALLS)
    assert events[Event.STREAM] == m_blocks * n_blocks * steps * passes * planes
    assert events[Event.PE_OP] == gemm.m * gemm.n * steps * passes * planes
    assert events[Event.OUTPUT] == gemm.m * gemm.n
    assert events[Event.ACCUMULATE] == gemm.m * gemm.n * segments
    assert events[Event.GROUP_DEQUANT] == (events[Event.ACCUMULATE] if mixpe else 0)
    corrected = mixpe and config.core not in MAC
    assert events[Event.GROUP_SUM] == (row_steps * passes if corrected else 0)
    assert events[Event.TABLE] == (row_steps if makes_tables(config) else 0)
    at_heads = config.core in ("int8", "shift_add_int8") and not unscaled
    weights = m_blocks * gemm.n * gemm.k if at_heads else 0
    assert events[Event.WEIGHT_DEQUANT] == weights
    # Each row of accumulators is stored by its first segment, and read once at the end.
    rows = gemm.m * n_blocks
    assert events[Event.ACCUMULATOR_WRITE] == rows * segments
    assert events[Event.ACCUMULATOR_READ] == events[Event.ACCUMULATOR_WRITE]
    filled = (Event.WEIGHT_WRITE, Event.SCALE_WRITE, Event.ACTIVATION_WRITE)
    assert events[Event.DRAM_READ] == sum(events[event] for event in filled)


@settings(max_examples=200)
@given(runs())
def test_dram_moves_at_least_what_must_move(run: Run) -> None:
    config, gemm, _ = run
    events = simulate_gemm(*run).events
    weight_bits = gemm.bits or {
        "int8": 8,
        "int8_scaled": 8,
        "fp16": 16,
        "int16": 16,
        "int16_bias": 16,
    }.get(gemm.weight_format, 4)
    stored = gemm.weight_format not in ("int8", "fp16", "int16")
    scales = math.ceil(gemm.k / gemm.group) if stored else 0
    of_core = {"int4": 4, "lut_int16": 16, "lut_fp8": 8, "linear_w16a32": 32}
    activation_bits = of_core.get(config.core, 16 if config.core in FLOATING else 8)
    bits = {
        Event.ACTIVATION_WRITE: activation_bits * gemm.m * gemm.k,
        Event.WEIGHT_WRITE: weight_bits * gemm.n * gemm.k,
        Event.SCALE_WRITE: 16 * gemm.n * scales,
        Event.DRAM_WRITE: (32 if config.core in LINEAR else 16) * gemm.m * gemm.n,
    }
    for event, least in bits.items():
        assert events[event] * config.port_bits >= least


@settings(max_examples=100)
@given(runs(), st.integers(1, 200))
def test_a_slower_dram_is_never_faster(run: Run, more: int) -> None:
    config, gemm, mapping = run
    slow = replace(config, dram_latency_cycles=config.dram_latency_cycles + more)
    assert simulate_gemm(slow, gemm, mapping).cycles >= simulate_gemm(*run).cycles + more


BUFFERS = ("activation", "weight", "scale", "accumulator")


@settings(max_examples=60)
@given(runs(blocks=4), st.sampled_from(BUFFERS), st.integers(2, 4))
def test_a_larger_buffer_is_never_slower(run: Run, name: str, times: int) -> None:
    config, gemm, _ = run
    field = f"{name}_buffer_bytes"
    larger = replace(config, **{field: times * getattr(config, field)})
    cycles = [
        simulate_gemm(engine, gemm, best_mapping(engine, gemm)).cycles
        for engine in (config, larger)
    ]
    assert cycles[1] <= cycles[0]


@settings(max_examples=100)
@given(runs())
def test_loops_commute_where_one_of_them_has_one_step(run: Run) -> None:
    config, gemm, mapping = run
    gemm = replace(gemm, m=min(gemm.m, mapping.tile_m * config.rows))
    mapping = replace(mapping, tile_m=blocks(gemm, config)[0])
    results = [
        simulate_gemm(config, gemm, replace(mapping, order=order)).events
        for order in ("m_outer", "n_outer")
    ]
    assert results[0] == results[1]


@settings(max_examples=50)
@given(runs())
def test_zero_points_cost_no_time(run: Run) -> None:
    config, gemm, mapping = run
    results = [
        simulate_gemm(config, replace(gemm, weight_format=weights), mapping).events
        for weights in ("int4", "uint4_zero")
        if gemm.weight_format in ("int4", "uint4_zero")
    ]
    assert len(results) == 0 or results[0] == results[1]


def finish(config: GemmEngineConfig, rows: int) -> int:
    """Cycles after the one in which a GEMM's last k leaves the scratchpads.

    Two registers to the array; down ``rows`` PEs; ``rows`` results drain, one a cycle, the first
    of them at once; through the column of group sums and ``cols`` columns; a cycle to mark the
    tile done and one to see it; ``rows`` valid results are read back, one a cycle; the last leaves
    two cycles after its read.
    """
    return 2 + config.rows + (config.rows - 1) + (1 + config.cols) + 1 + 1 + (rows - 1) + 2


@pytest.mark.parametrize(("m", "n", "k"), [(32, 32, 128), (7, 32, 128), (1, 3, 50)])
def test_one_tile_takes_load_stream_and_drain(m: int, n: int, k: int) -> None:
    # A beat of 1,024 bits holds the weights of 8 k, the activations of 4, or two groups' scales.
    beats = math.ceil(k / 8) + math.ceil(k / 4) + 1
    result = simulate_gemm(ENGINE, Gemm(m=m, n=n, k=k), SMALLEST_TILE)
    # The command goes out in cycle 1, and its first beat 64 cycles later.
    assert result.cycles == (1 + 64 + beats - 1) + k + finish(ENGINE, m)


def test_a_compute_bound_gemm_stalls_only_at_its_ends() -> None:
    # Tiles of one array: 128 cycles, in which 16 + 1 + 32 beats are loaded, and double buffering
    # leaves 128 cycles for a latency of 64 and those 49 beats.
    gemm = Gemm(m=2048, n=4096, k=4096)
    result = simulate_gemm(ENGINE, gemm, SMALLEST_TILE)
    first_load = 64 + 49
    ideal = gemm.macs // 1024
    assert result.events[Event.STREAM] == ideal
    assert result.cycles == first_load + ideal + finish(ENGINE, 32)
    loads = result.events[Event.STALL_WEIGHTS] + result.events[Event.STALL_ACTIVATIONS]
    assert loads == first_load
    assert result.events[Event.STALL_OUTPUT] == result.events[Event.STALL_DEQUANT] == 0


def test_a_drain_longer_than_a_group_sets_the_pace() -> None:
    # 64 rows drain for 64 cycles after each group of 16.
    config = replace(ENGINE, rows=64)
    gemm = Gemm(m=64, n=32, k=16 * 8, group=16)
    result = simulate_gemm(config, gemm, TileMapping(tile_m=1, tile_n=1, tile_k=8))
    assert result.events[Event.STREAM] == 128
    assert result.events[Event.STALL_DEQUANT] == 7 * (64 - 16)


def test_decode_runs_at_the_speed_of_the_port() -> None:
    # One token on a 64-bit port: a tile of one block of columns and 8 groups streams 1,024 cycles
    # and loads longer than that and the latency, so the port never waits.
    config = replace(ENGINE, port_bits=64)
    gemm = Gemm(m=1, n=4096, k=4096)
    mapping = TileMapping(tile_m=1, tile_n=1, tile_k=8)
    # Activations come as blocks of 32 rows, of which one is valid, with each of 128 columns' tiles.
    tile_bits = 1024 * (32 * 8 + 32 * 4) + 8 * 32 * 16
    reads = 128 * 4 * tile_bits // 64
    result = simulate_gemm(config, gemm, mapping)
    assert result.events[Event.DRAM_READ] == reads
    # A row of 32 results takes 8 beats on this port.
    last_row = 8 - 1
    assert result.cycles == (1 + 64 + reads - 1) + 1024 + finish(config, 1) + last_row


@settings(max_examples=60)
@given(runs())
def test_tile_times_agree_with_the_counters(run: Run) -> None:
    config, gemm, _ = run
    events = simulate_gemm(*run).events
    tiles = tile_times(*run)
    to_beat = 4 if config.core in LINEAR else 1
    assert max(tile.written for tile in tiles) + to_beat == events[Event.CYCLE]
    busy = sum(tile.streamed - tile.stream for tile in tiles)
    # Within a tile the array waits for nothing but its drain chains.
    assert events[Event.STREAM] <= busy <= events[Event.STREAM] + events[Event.STALL_DEQUANT]
    for before, tile in zip(tiles, tiles[1:], strict=False):
        assert tile.stream >= before.streamed
    for tile in tiles:
        assert tile.stream >= max(tile.weights_ready, tile.activations_ready)
        for begin, end in (
            (tile.load_weights, tile.weights_ready),
            (tile.load_activations, tile.activations_ready),
        ):
            assert begin == end == -1 or end > begin + config.dram_latency_cycles


def test_refuses_a_group_longer_than_the_engines() -> None:
    message = (
        r"^group=256 exceeds the engine's max_group=128; "
        r"use a shorter group or build a larger engine$"
    )
    with pytest.raises(ConfigError, match=message):
        simulate_gemm(ENGINE, Gemm(m=1, n=1, k=256, group=256), SMALLEST_TILE)


def test_refuses_a_mapping_that_does_not_fit() -> None:
    mapping = TileMapping(tile_m=64, tile_n=1, tile_k=8)
    message = (
        r"^tile_m=64 x tile_n=1 needs 64 array tiles of accumulators; half of "
        r"accumulator_buffer_bytes=131072 holds 10; make the tile smaller$"
    )
    for run in (simulate_gemm, tile_times):
        with pytest.raises(ConfigError, match=message):
            run(ENGINE, Gemm(m=2048, n=32, k=1024), mapping)
