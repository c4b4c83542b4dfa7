"""rtl/engine_synth.py: sizes, and the sum against the prices of the shipped table."""

import pytest

from dovetail.arch.mixpe import preset
from dovetail.arch.technology import technology
from dovetail.rtl.engine_synth import size_in, synthesize_engine
from dovetail.tests.rtl.liberty import liberty


def test_units_have_the_size_that_the_engine_builds() -> None:
    engine = preset("w4a8-32x32").engine
    assert size_in(engine, "mixpe.pe_w4a8") == engine.max_group == 128
    assert size_in(engine, "mixpe.scale_queue") == engine.segments_in_flight
    assert size_in(engine, "gemm.accumulate") is None


def test_the_sum_is_what_the_table_prices() -> None:
    engine = preset("int8-8x8").engine
    seen: list[tuple[int, int]] = []
    synthesis = synthesize_engine(
        engine,
        liberty=[liberty("nangate45_typ.lib.gz")],
        clock_mhz=500.0,
        stimulus=lambda name, size: None,
        progress=lambda done, of: seen.append((done, of)),
    )
    prices = technology("nangate45").area_um2(engine)
    logic = sum(area for part, area in prices.items() if not part.endswith("_spad"))
    assert synthesis.area_um2 == pytest.approx(logic, rel=0.02)
    counts = {unit.name: unit.count for unit in synthesis.units}
    assert (counts["int8.pe"], counts["gemm.accumulate"]) == (64, 8)
    assert seen[0] == (0, len(counts)) and seen[-1] == (len(counts), len(counts))
    slowest = min(synthesis.units, key=lambda unit: unit.report.netlist_mhz)
    assert synthesis.fmax_mhz == slowest.report.netlist_mhz
    assert synthesis.too_slow == ()
    per_mac = sum(unit.count * unit.report.energy_pj_per_op for unit in synthesis.units) / 64
    assert synthesis.energy_pj_per_op == pytest.approx(per_mac)
