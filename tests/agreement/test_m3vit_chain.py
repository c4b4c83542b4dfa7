"""Chains of GEMMs in Verilator: reference = RTL, simulator = RTL; and that a fault is seen."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth import Module

from dovetail.arch.chained import ChainedEngineConfig
from dovetail.lockstep.chain import CHAIN_PLAN, ChainRun, random_run
from dovetail.lockstep.chain_cases import random_chain, random_chained_engine
from dovetail.lockstep.compare import compare
from dovetail.rtl.gemm.chained_engine import ChainedEngine

pytestmark = [pytest.mark.cosim, pytest.mark.long]


@pytest.mark.parametrize("index", range(8))
def test_random_chains_agree(index: int) -> None:
    config = random_chained_engine(index)
    found = compare([random_run(config, 100 * index + number, repeat="") for number in range(16)])
    assert found.mismatches == ()
    assert found.cases == 16


def test_chains_on_the_engine_of_a_block_agree() -> None:
    """All of K in one group, as wide as a layer of M3ViT-tiny."""
    config = ChainedEngineConfig(
        cols=16,
        lut_k=16,
        max_group=4096,
        port_bits=256,
        tag_bits=8,
        activation_buffer_bytes=1 << 14,
        weight_buffer_bytes=1 << 17,
        scale_buffer_bytes=1 << 10,
        accumulator_buffer_bytes=16 * 12 * 16,
    )
    runs = [
        ChainRun(case=random_chain(config, seed, most_k=768), gap_seed=seed, repeat="")
        for seed in range(6)
    ]
    assert compare(runs).mismatches == ()


def test_a_missing_fence_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(self: ChainedEngine, m: Module, commands: Any, queue: Any) -> None:
        m.d.comb += queue.hold.eq(0)

    monkeypatch.setattr(ChainedEngine, "_fence", none)
    config = random_chained_engine(0)
    found = compare([random_run(config, number, repeat="") for number in range(4)])
    assert {mismatch.kind for mismatch in found.mismatches} == {"values", "cycles", "events"}


@pytest.mark.parametrize("seeds", [1, 3, 24, 200])
def test_there_are_enough_engines(seeds: int) -> None:
    engines = {CHAIN_PLAN.engine(CHAIN_PLAN.build_index(number)) for number in range(seeds)}
    assert len(engines) >= min(seeds, max(3, seeds // 8))
