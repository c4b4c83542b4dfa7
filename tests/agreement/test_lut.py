"""LUT Tensor Core three ways: reference = RTL, simulator = RTL; and that a fault is seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth import Module, Value

from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.gemm import Gemm, TileMapping
from dovetail.lockstep.case import LockstepCase, random_operands
from dovetail.lockstep.compare import compare
from dovetail.lockstep.random_cases import random_case, random_lut_engine
from dovetail.rtl import verilator
from dovetail.rtl.dot.group_sum import TableStepSum
from dovetail.rtl.engines import engine
from dovetail.rtl.lut import lookup
from dovetail.rtl.verilog import verilog
from dovetail.tests.rtl.simulation import small_engine

pytestmark = pytest.mark.cosim

SMALL = small_engine(
    core="lut_int8", lut_k=3, rows=2, cols=3, port_bits=32, accumulator_buffer_bytes=288
)


def small_case(seed: int, weight_format: Any = "zero_point", bits: int | None = 3) -> LockstepCase:
    """Several tiles along every dimension, edges, and a short last group and step."""
    gemm = Gemm(m=5, n=7, k=32, weight_format=weight_format, bits=bits, group=6)
    return LockstepCase(
        config=SMALL,
        gemm=gemm,
        mapping=TileMapping(tile_m=1, tile_n=2, tile_k=2, order="n_outer"),
        operands=random_operands(np.random.default_rng(seed), SMALL.spec, gemm),
        output_shift=6,
        weight_shift=0,
        gap_seed=seed,
        repeat="",
    )


CHOICES = [
    *(("odd", bits) for bits in range(1, 9)),
    *(("twos_complement", bits) for bits in range(1, 9)),
    *(("zero_point", bits) for bits in range(1, 5)),
    ("int8", None),
]


def test_every_width_of_weights_agrees_on_one_build() -> None:
    found = compare([small_case(seed, *choice) for seed, choice in enumerate(CHOICES)])
    assert found.mismatches == ()
    assert found.cases == len(CHOICES)


def wrong(monkeypatch: pytest.MonkeyPatch, case: LockstepCase) -> set[str]:
    """Kinds of mismatch with RTL that was changed."""
    monkeypatch.setattr(
        verilator, "engine_verilog", lambda config: verilog(engine(config), name="engine")
    )
    return {mismatch.kind for mismatch in compare([case]).mismatches}


def test_a_lookup_at_the_wrong_place_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    selected = lookup.selected

    def inverted_again(m: Module, unit: Any, *, inverted: bool) -> tuple[Any, Value]:
        return selected(m, unit, inverted=not inverted)

    monkeypatch.setattr(lookup, "selected", inverted_again)
    assert wrong(monkeypatch, small_case(0)) == {"values"}


def test_a_wrong_sum_of_activations_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TableStepSum, "add", lambda self, m, total, entry: total + entry)
    assert wrong(monkeypatch, small_case(0, "twos_complement", 2)) == {"values"}


@pytest.mark.parametrize("index", range(3))
def test_random_cases_agree(index: int) -> None:
    config: GemmEngineConfig = random_lut_engine(index)
    cases = [random_case(config, 100 * index + number, repeat="") for number in range(4)]
    assert compare(cases).mismatches == ()
