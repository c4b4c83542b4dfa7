"""sweeps/lut_equal_area.py: arrays of one area, of every aspect, that can be built."""

from dataclasses import replace

import pytest

from dovetail.arch.lut import lut_design
from dovetail.arch.technology import technology
from dovetail.errors import ConfigError
from dovetail.models.networks import network
from dovetail.sim.lut import gemm_of, simulate
from dovetail.sweeps.axes import Sweep
from dovetail.sweeps.evaluate import evaluate
from dovetail.sweeps.lut_equal_area import BASELINE, SERIES, TECHNOLOGY, sweep
from dovetail.sweeps.lut_error import output_error
from dovetail.systems import system


@pytest.fixture(scope="module")
def definition() -> Sweep:
    return sweep()


def test_every_array_has_the_area_of_the_baseline(definition: Sweep) -> None:
    prices = technology(TECHNOLOGY)
    base = lut_design(definition.base).engine
    rows, cols = BASELINE
    target = prices.array_um2(replace(base, rows=rows, cols=cols))
    aspects: dict[tuple[object, object], list[float]] = {series: [] for series in SERIES}
    for core, bits, m, n, lut_k in next(iter(definition.axes.values())):
        area = prices.array_um2(replace(base, core=core, rows=m, cols=n, lut_k=lut_k))
        assert abs(area / target - 1) <= 0.05
        aspects[core, bits].append(n / m)
    for found in aspects.values():
        assert min(found) < 1 / 4 and max(found) > 16 and len(found) >= 6


def test_every_point_is_a_design_and_every_series_runs(definition: Sweep) -> None:
    refused, ran = 0, set()
    for candidate in definition.points():
        try:
            design = lut_design(candidate.design)
        except ConfigError as error:
            assert "_buffer_bytes=" in str(error)  # the only reason for which a point is refused
            refused += 1
            continue
        ran.add((design.engine.core, design.weight_bits))
    assert ran == set(SERIES)
    assert refused < len(definition) / 10


def test_the_base_is_one_of_the_points_series(definition: Sweep) -> None:
    base = lut_design(definition.base)
    assert (base.engine.core, base.weight_bits) in SERIES
    trace = network("bitnet-3b", phase="decode", seq=64)
    result = simulate(base, trace)
    assert {op.result.gemm for op in result.ops} == {gemm_of(base, op) for op in trace.gemms}
    evaluation = evaluate(base, trace, system=system("lut"), technology=technology(TECHNOLOGY))
    assert evaluation.result.cycles == result.cycles and evaluation.energy_pj > 0
    assert set(evaluation.area) >= {"pe", "precompute", "group_sum", "dequantiser"}


def test_the_error_of_every_series_is_in_a_table(definition: Sweep) -> None:
    """More bits of the same levels lose less; nothing is measured on the spot."""
    errors = {}
    for core, bits in SERIES:
        lut_k = 1 if core == "mixpe_w4a8" else 4
        changed = {**definition.base["engine"], "core": core, "lut_k": lut_k}
        errors[core, bits] = output_error(
            lut_design({**definition.base, "engine": changed, "weight_bits": bits})
        )
    assert errors["lut_int8", 1] > errors["lut_int8", 2] > errors["lut_int8", 4]
    assert errors["add_int8", 2] == errors["lut_int8", 2]
    assert errors["mac_int8", 8] < errors["lut_int8", 4]
