"""sweeps/lut_formats.py: arrays of one area for every format, each a design with a price."""

from dataclasses import replace

import pytest

from dovetail.arch.lut import lut_design
from dovetail.arch.technology import technology
from dovetail.errors import ConfigError
from dovetail.models.networks import network
from dovetail.sweeps.axes import Sweep
from dovetail.sweeps.evaluate import evaluate
from dovetail.sweeps.lut_formats import BASELINE, CORES, TABLES, TECHNOLOGY, WEIGHT_BITS, sweep
from dovetail.systems import system


@pytest.fixture(scope="module")
def definition() -> Sweep:
    return sweep()


def test_every_array_has_the_area_of_the_baseline(definition: Sweep) -> None:
    prices = technology(TECHNOLOGY)
    base = lut_design(definition.base).engine
    rows, cols = BASELINE
    target = prices.array_um2(replace(base, rows=rows, cols=cols))
    found = set()
    for core, tables, m, n in next(iter(definition.axes.values())):
        array = prices.array_um2(replace(base, core=core, tables=tables, rows=m, cols=n))
        assert abs(array / target - 1) <= 0.05
        found.add((core, tables))
    assert found == {(core, tables) for core in CORES for tables in TABLES}


def test_every_point_is_a_design_or_lacks_buffers(definition: Sweep) -> None:
    ran = set()
    for candidate in definition.points():
        try:
            design = lut_design(candidate.design)
        except ConfigError as error:
            assert "_buffer_bytes=" in str(error)
            continue
        ran.add((design.engine.core, design.engine.tables, design.weight_bits))
    assert len(ran) == len(CORES) * len(TABLES) * len(WEIGHT_BITS)


@pytest.mark.parametrize("core", CORES)
def test_tables_that_are_loaded_move_more_and_need_no_heads(core: str) -> None:
    base = lut_design(sweep().base)
    trace = network("bitnet-3b-layer", phase="decode", seq=64)
    read, heads = {}, {}
    for tables in TABLES:
        design = replace(base, engine=replace(base.engine, core=core, tables=tables))
        evaluation = evaluate(
            design, trace, system=system("lut"), technology=technology(TECHNOLOGY)
        )
        read[tables] = evaluation.result.events["dram_read"]
        heads[tables] = evaluation.area.get("precompute", 0)
    assert read["loaded"] > read["made"]
    assert heads["made"] > 0 == heads["loaded"]
