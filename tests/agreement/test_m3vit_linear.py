"""M3ViT's linear core three ways: reference = RTL, simulator = RTL; and that a fault is seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from amaranth import Module, Signal, signed

from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.gemm import Gemm, TileMapping
from dovetail.lockstep.case import LockstepCase, random_operands
from dovetail.lockstep.chain import LINEAR_PLAN
from dovetail.lockstep.compare import compare
from dovetail.lockstep.random_cases import random_case
from dovetail.lockstep.verify import verify
from dovetail.rtl import verilator
from dovetail.rtl.engines import engine
from dovetail.rtl.m3vit import linear_output
from dovetail.rtl.m3vit.bias_add import BiasAdd
from dovetail.rtl.verilog import verilog

pytestmark = pytest.mark.cosim

# One token and 16 k a cycle as in a block's engine, all of K in one group; a row is two beats.
LINEAR = GemmEngineConfig(
    core="linear_w16a32",
    rows=1,
    cols=3,
    lut_k=16,
    max_group=4096,
    port_bits=64,
    activation_buffer_bytes=65536,
    weight_buffer_bytes=65536,
    scale_buffer_bytes=256,
    accumulator_buffer_bytes=144,
)
# How features, patches and attention are multiplied: shift of results, and of biases.
SHIFTS = [(14, 25), (14, 27), (2, 13), (14, 14)]


def case(
    seed: int, weight_format: Any = "int16_bias", *, k: int = 70, group: int = 4096
) -> LockstepCase:
    output_shift, bias_shift = SHIFTS[seed % len(SHIFTS)]
    gemm = Gemm(m=3, n=7, k=k, weight_format=weight_format, group=group)
    return LockstepCase(
        config=LINEAR,
        gemm=gemm,
        mapping=TileMapping(tile_m=2, tile_n=1, tile_k=1),
        operands=random_operands(np.random.default_rng(seed), LINEAR.spec, gemm),
        output_shift=output_shift,
        weight_shift=0,
        bias_shift=bias_shift,
        gelu=bool(seed // 4 % 2),
        gap_seed=seed,
        repeat="",
    )


def test_every_layer_agrees_on_one_build() -> None:
    """Each shift with and without GELU, no biases, several groups, and K of the largest layer."""
    cases = [case(seed) for seed in range(8)]
    cases += [case(8, "int16"), case(9, group=32), case(10, k=3072)]
    assert compare(cases).mismatches == ()


def wrong(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Kinds of mismatch with RTL that was changed."""
    monkeypatch.setattr(
        verilator, "engine_verilog", lambda config: verilog(engine(config), name="engine")
    )
    small = replace(case(0), config=replace(LINEAR, lut_k=2, accumulator_buffer_bytes=144))
    return {mismatch.kind for mismatch in compare([small]).mismatches}


@pytest.mark.long
def test_a_bias_that_is_not_shifted_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def unshifted(self: BiasAdd, platform: object) -> Module:
        m = Module()
        total = Signal(signed(self.o_bits))
        m.d.sync += total.eq(self.p + self.bias)
        m.d.comb += self.o.eq(total)
        return m

    monkeypatch.setattr(BiasAdd, "elaborate", unshifted)
    assert wrong(monkeypatch) == {"values"}


@pytest.mark.long
def test_a_result_that_comes_a_cycle_late_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear_output.LinearOutput, "cycles", 4)
    assert wrong(monkeypatch) == {"values"}


@pytest.mark.long
def test_the_engine_of_a_block_agrees() -> None:
    config = replace(
        LINEAR,
        cols=16,
        port_bits=512,
        weight_buffer_bytes=262144,
        scale_buffer_bytes=256,
        accumulator_buffer_bytes=1536,
    )
    cases = [random_case(config, number, repeat="") for number in range(12)]
    assert compare(cases).mismatches == ()


@pytest.mark.long
def test_random_engines_agree() -> None:
    report = verify("m3vit", plans=(LINEAR_PLAN,), seeds=72)
    assert report.mismatches == {"values": 0, "cycles": 0, "events": 0}, "\n".join(report.lines)
    assert (report.compared, report.configurations) == (72, 9)
