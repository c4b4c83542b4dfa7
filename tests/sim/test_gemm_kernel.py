"""sim/gemm_kernel.py and sim/mapping_kernel.py: shortcuts and the compiler change nothing."""

from __future__ import annotations

from itertools import product
from types import ModuleType

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from dovetail.arch.descriptor import describe
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.events import Event
from dovetail.arch.gemm import SMALLEST_TILE, Gemm, TileMapping
from dovetail.arch.mixpe import preset
from dovetail.sim import gemm_kernel, mapping_kernel
from dovetail.sim.gemm_engine import engine_timing, gemm_registers, named, simulate_gemm, tile_times
from dovetail.sim.mapping import mapping_limits
from dovetail.tests.sim.engines import Run, runs


@settings(max_examples=300)
@given(runs(blocks=12))
def test_skipping_what_repeats_changes_nothing(run: Run) -> None:
    assert simulate_gemm(*run, skip=True) == simulate_gemm(*run, skip=False)


@pytest.mark.parametrize(
    ("core", "weight_format"),
    [
        *product(("mixpe_w4a8", "int8", "dequant_w4a16"), ("int4", "uint4_zero", "int8")),
        ("fp16", "fp16"),
    ],
)
@pytest.mark.parametrize("order", ["m_outer", "n_outer"])
def test_skipping_a_long_gemm_changes_nothing(core: str, order: str, weight_format: str) -> None:
    engine = preset("w4a8-8x8").engine
    config = GemmEngineConfig(
        core=core, rows=8, cols=8, port_bits=engine.port_bits, dram_latency_cycles=100
    )
    gemm = Gemm(m=700, n=900, k=500, weight_format=weight_format, group=32)
    for tile_m, tile_n, tile_k in ((1, 1, 16), (1, 1, 3), (3, 2, 16), (2, 5, 5)):
        mapping = TileMapping(tile_m=tile_m, tile_n=tile_n, tile_k=tile_k, order=order)
        run = Run(config, gemm, mapping)
        assert simulate_gemm(*run, skip=True) == simulate_gemm(*run, skip=False)


def test_skips_nearly_all_of_a_long_gemm(monkeypatch: pytest.MonkeyPatch) -> None:
    tiles = []
    interpret(monkeypatch, gemm_kernel)
    one_tile = gemm_kernel._tile

    def counted(*args: object) -> None:
        tiles.append(args)
        one_tile(*args)

    monkeypatch.setattr(gemm_kernel, "_tile", counted)
    config, gemm = preset("w4a8-32x32").engine, Gemm(m=2048, n=4096, k=4096)
    interpreted_events(config, gemm, SMALLEST_TILE, skip=True)
    # 64 x 128 x 32 tiles; first, last and a few in between of each of the outer two loops.
    assert len(tiles) < 10 * 10 * 32


def interpret(monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> None:
    """Let every kernel of ``module`` run as the Python that it is written in."""
    for name, kernel in list(vars(module).items()):
        if hasattr(kernel, "py_func"):
            monkeypatch.setattr(module, name, kernel.py_func)


def interpreted_events(
    config: GemmEngineConfig, gemm: Gemm, mapping: TileMapping, *, skip: bool
) -> dict[Event, int]:
    events = np.zeros(len(gemm_kernel.COUNTED), dtype=np.int64)
    registers = gemm_registers(describe(config, gemm, mapping))
    log = np.zeros((0, gemm_kernel.LOG_COLUMNS), dtype=np.int64)
    gemm_kernel.run_gemm(engine_timing(config), registers, events, skip, log)
    return named(events)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(run=runs(blocks=4))
def test_compiled_recurrence_equals_its_source(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    compiled = simulate_gemm(*run).events
    with monkeypatch.context() as patch:
        interpret(patch, gemm_kernel)
        assert interpreted_events(*run, skip=True) == compiled


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(run=runs(blocks=3))
def test_compiled_search_equals_its_source(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    config, gemm, mapping = run
    timing, limits = engine_timing(config), mapping_limits(config)
    registers = gemm_registers(describe(config, gemm, mapping))
    limit = 2 * simulate_gemm(*run).cycles

    def search() -> list[list[int]]:
        table = mapping_kernel.k_tiles(timing, registers)
        by_bound = mapping_kernel.next_by_bound(
            timing, registers, limits, table, limit, np.zeros(2, dtype=np.int64)
        )
        by_reads = mapping_kernel.next_by_reads(
            timing, registers, limits, table, limit, np.zeros(3, dtype=np.int64)
        )
        return [table.tolist(), by_bound.tolist(), by_reads.tolist()]

    compiled = search()
    with monkeypatch.context() as patch:
        interpret(patch, mapping_kernel)
        assert search() == compiled


def test_a_log_holds_every_tile() -> None:
    config = preset("w4a8-8x8").engine
    gemm = Gemm(m=20, n=17, k=300)
    mapping = TileMapping(tile_m=2, tile_n=1, tile_k=2, order="n_outer")
    got = [(tile.m, tile.n, tile.g) for tile in tile_times(config, gemm, mapping)]
    assert got == [(m, n, g) for n in (0, 1, 2) for m in (0, 2) for g in (0, 2)]
