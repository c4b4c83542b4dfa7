"""LUT Tensor Core three ways: reference = RTL, simulator = RTL; and that a fault is seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from amaranth import Module, Value

from dovetail.arch.cores import LUT_CORES
from dovetail.arch.gemm import Gemm, TileMapping
from dovetail.arch.lut import preset
from dovetail.lockstep.case import LockstepCase, random_operands
from dovetail.lockstep.compare import compare
from dovetail.lockstep.lut import certify, verify
from dovetail.lockstep.random_cases import random_case, random_lut_engine
from dovetail.models.trace import GemmOp, Trace
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


def test_twelve_random_cases_agree() -> None:
    report = verify("lut", seeds=12)
    assert report.mismatches == {"values": 0, "cycles": 0, "events": 0}, "\n".join(report.lines)
    assert (report.compared, report.configurations) == (12, 3)
    cores = [line.partition(":")[0] for line in report.lines[1:4]]
    assert cores == ["lut_fp16", "lut_int16", "lut_int8"]


@pytest.mark.long
@pytest.mark.parametrize("index", range(3, len(LUT_CORES)), ids=list(LUT_CORES)[3:])
def test_every_other_core_agrees(index: int) -> None:
    """The random cases above run on the first three cores."""
    config = random_lut_engine(index)
    assert config.core == list(LUT_CORES)[index]
    cases = [random_case(config, 100 * index + number, repeat="") for number in range(4)]
    assert compare(cases).mismatches == ()


def test_a_certificate_covers_stored_and_computed_weights() -> None:
    design = preset("w2a8-m2n4k4")
    rng = np.random.default_rng(0)
    trace = Trace(
        network="own",
        phase="prefill",
        batch=1,
        seq=5,
        ops=(
            GemmOp(name="q_proj", layer=0, m=5, n=9, k=70),
            GemmOp(name="scores", layer=0, m=5, n=5, k=20, weights="activation"),
        ),
        operands={
            "0.q_proj.a": rng.normal(size=(5, 70)).astype(np.float32),
            "0.q_proj.w": rng.normal(size=(9, 70)).astype(np.float32),
        },
    )
    certificate = certify(design, trace)
    assert certificate.passed
    formats = [(case["weight_format"], case["bits"]) for case in certificate.cases]
    assert formats == [("twos_complement", 2), ("int8", None)]


def test_accumulators_of_a_single_row_agree() -> None:
    """Half of them is one accumulator a column, whose address still takes a bit."""
    config = replace(SMALL, rows=1, cols=1, accumulator_buffer_bytes=12)
    assert config.accumulator_half_tiles == 1
    gemm = Gemm(m=2, n=2, k=7, weight_format="odd", bits=2, group=6)
    case = LockstepCase(
        config=config,
        gemm=gemm,
        mapping=TileMapping(tile_m=1, tile_n=1, tile_k=1),
        operands=random_operands(np.random.default_rng(5), config.spec, gemm),
        output_shift=4,
        weight_shift=0,
        gap_seed=5,
        repeat="",
    )
    assert compare([case]).mismatches == ()


def test_full_tables_of_a_power_of_two_of_k_agree() -> None:
    """Their entries are a bit narrower than symmetric ones; sums of activations are negative."""
    config = replace(SMALL, core="unpu_int8", lut_k=4)
    gemm = Gemm(m=5, n=7, k=30, weight_format="zero_point", bits=3, group=8)
    case = LockstepCase(
        config=config,
        gemm=gemm,
        mapping=TileMapping(tile_m=1, tile_n=2, tile_k=2),
        operands=random_operands(np.random.default_rng(3), config.spec, gemm),
        output_shift=6,
        weight_shift=0,
        gap_seed=3,
        repeat="",
    )
    assert (case.operands.activations.sum(axis=1) < 0).any()
    assert compare([case]).mismatches == ()
