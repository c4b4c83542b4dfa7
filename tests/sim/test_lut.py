"""sim/lut.py: which GEMM an operator becomes, and what bit planes cost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dovetail.arch.events import Event
from dovetail.arch.lut import lut_design, preset
from dovetail.models.networks import network
from dovetail.models.trace import GemmOp
from dovetail.sim.lut import gemm_of, simulate

DESIGN = preset("w2a8-m2n64k4")


def operator(weights: str = "parameter") -> GemmOp:
    return GemmOp(name="x", layer=0, m=16, n=128, k=512, count=1, weights=weights)  # type: ignore[arg-type]


def test_stored_weights_run_in_their_planes_and_computed_ones_in_8_bits() -> None:
    stored = gemm_of(DESIGN, operator())
    assert (stored.weight_format, stored.bits, stored.group) == ("odd", 2, 128)
    computed = gemm_of(DESIGN, operator("activation"))
    assert (computed.weight_format, computed.bits) == ("int8", None)


def test_groups_of_computed_operands_are_whole_steps() -> None:
    engine = {**DESIGN.to_dict()["engine"], "lut_k": 3, "max_group": 256}
    design = lut_design({"engine": engine, "group": 96})
    # 256 k hold 85 steps of 3; 64 of them are the largest power of two.
    assert gemm_of(design, operator("activation")).group == 192


def test_a_baseline_s_weights_are_its_own() -> None:
    engine = {**DESIGN.to_dict()["engine"], "core": "mixpe_w4a8", "lut_k": 1}
    design = lut_design({"engine": engine, "weight_bits": 4, "levels": "twos_complement"})
    gemm = gemm_of(design, operator())
    assert (gemm.weight_format, gemm.bits) == ("int4", None)


@pytest.mark.parametrize("name", ["llama2-7b", "bitnet-3b"])
def test_a_plane_more_is_as_many_cycles_more(name: str) -> None:
    """Streaming cycles of stored weights are in proportion to their bits; others stay."""
    trace = network(name, phase="prefill", seq=256)
    streamed = [
        simulate(replace(DESIGN, weight_bits=bits), trace).events[Event.STREAM]
        for bits in (1, 2, 3)
    ]
    engine = DESIGN.engine
    steps = sum(
        op.count * -(-op.m // engine.rows) * -(-op.n // engine.cols) * -(-op.k // engine.lut_k)
        for op in trace.gemms
        if op.weights != "activation"
    )
    assert streamed[1] - streamed[0] == streamed[2] - streamed[1] == steps
