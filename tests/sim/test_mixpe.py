"""sim/mixpe.py and sim/result.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dovetail.arch.events import STALLS, Event
from dovetail.arch.gemm import SMALLEST_TILE, Gemm
from dovetail.arch.mixpe import MixpeDesign, preset, presets
from dovetail.errors import ConfigError, TraceError
from dovetail.models.networks.registry import network
from dovetail.models.trace import GemmOp, OtherOp, Trace
from dovetail.sim.gemm_engine import simulate_gemm
from dovetail.sim.mapping import best_mapping
from dovetail.sim.mixpe import gemm_of, simulate
from dovetail.sim.network import MAPPING_SLACK

DESIGN = preset("w4a8-8x8")
PROJECTION = GemmOp(name="proj", layer=0, m=20, n=30, k=100)
SCORES = GemmOp(name="scores", layer=0, m=20, n=20, k=64, count=4, weights="activation")
OPS = (
    PROJECTION,
    SCORES,
    OtherOp(name="softmax", layer=0, kind="softmax", operations=12345),
    replace(PROJECTION, layer=1),
)
TRACE = Trace(network="test", phase="prefill", batch=1, seq=20, ops=OPS)


def designed(**values: object) -> MixpeDesign:
    return replace(DESIGN, **values)


@pytest.mark.parametrize(
    ("design", "op", "want"),
    [
        (DESIGN, PROJECTION, Gemm(m=20, n=30, k=100, group=32)),
        (
            designed(zero_point=True, group=64),
            PROJECTION,
            Gemm(m=20, n=30, k=100, weight_format="uint4_zero", group=64),
        ),
        # INT8 keys and values have no groups: the longest segment that the PEs can sum.
        (DESIGN, SCORES, Gemm(m=20, n=20, k=64, weight_format="int8", group=128)),
        (designed(kv_bits=4), SCORES, Gemm(m=20, n=20, k=64, group=32)),
    ],
)
def test_formats_of_stored_and_computed_weights(
    design: MixpeDesign, op: GemmOp, want: Gemm
) -> None:
    assert gemm_of(design, op) == want


def test_a_segment_of_computed_weights_shrinks_to_the_scratchpad() -> None:
    # Half of 512 bytes holds 32 k of 8 activations.
    design = designed(engine=replace(DESIGN.engine, activation_buffer_bytes=512))
    assert gemm_of(design, SCORES).group == 32


def test_a_network_is_the_sum_of_its_gemms() -> None:
    result = simulate(DESIGN, TRACE)
    singles = {}
    for op in (PROJECTION, SCORES):
        gemm = gemm_of(DESIGN, op)
        mapping = best_mapping(DESIGN.engine, gemm, slack=MAPPING_SLACK)
        singles[op.name] = simulate_gemm(DESIGN.engine, gemm, mapping)
    assert [(op.name, op.layer, op.count) for op in result.ops] == [
        ("proj", 0, 1),
        ("scores", 0, 4),
        ("proj", 1, 1),
    ]
    for op in result.ops:
        assert op.result == singles[op.name]
        assert op.cycles == op.count * singles[op.name].cycles
    for event in Event:
        want = 2 * singles["proj"].events[event] + 4 * singles["scores"].events[event]
        assert result.events[event] == want
    assert result.cycles == sum(op.cycles for op in result.ops)
    assert result.stall_cycles == sum(result.events[stall] for stall in STALLS)
    assert result.stall_cycles == result.cycles - result.events[Event.STREAM]
    # MACs of the network; its softmax is no MAC, and a second nibble pass is none either.
    assert result.macs == 2 * 20 * 30 * 100 + 4 * 20 * 20 * 64
    assert result.utilization == result.macs / (64 * result.cycles)
    assert 0 < result.utilization < 1


def test_takes_the_mappings_that_are_given() -> None:
    gemm = gemm_of(DESIGN, PROJECTION)
    result = simulate(DESIGN, TRACE, mappings={gemm: SMALLEST_TILE})
    assert result.ops[0].result.mapping == SMALLEST_TILE
    assert result.ops[1].result.mapping == best_mapping(
        DESIGN.engine, gemm_of(DESIGN, SCORES), slack=MAPPING_SLACK
    )


def test_without_slack_a_network_is_no_slower() -> None:
    assert simulate(DESIGN, TRACE, slack=0.0).cycles <= simulate(DESIGN, TRACE).cycles


def test_names_the_gemm_that_does_not_fit() -> None:
    engine = replace(DESIGN.engine, weight_buffer_bytes=256, rows=4)
    with pytest.raises(ConfigError, match=r"^Gemm\(m=20, n=30, k=100, .*\) fits in no tile: "):
        simulate(designed(engine=engine, group=128), TRACE)


@pytest.mark.parametrize("phase", ["prefill", "decode"])
@pytest.mark.parametrize("name", presets())
def test_presets_run_a_real_network(name: str, phase: str) -> None:
    design = preset(name)
    trace = network("llama2-7b", phase=phase)
    result = simulate(design, trace)
    # All weights of 32 layers and the head are read once at least, at 4 bits and a scale a group,
    # or in FP16.
    weights = 32 * (4 * 4096**2 + 3 * 4096 * 11008) + 32000 * 4096
    bits = weights * (16 if design.engine.core == "fp16" else 4 + 16 / design.group)
    assert result.events[Event.DRAM_READ] * design.engine.port_bits >= bits
    assert 0 < result.utilization <= 1
    if phase == "prefill":
        assert result.utilization > 0.7


def test_a_network_without_gemms_is_refused() -> None:
    with pytest.raises(TraceError, match=r"^test has no GEMM, and a GEMM engine runs nothing "):
        simulate(DESIGN, replace(TRACE, ops=(OPS[2],)))
