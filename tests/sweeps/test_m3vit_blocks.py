"""sweeps/m3vit_blocks.py and m3vit_measures.py: the sweeps run, and their columns are right."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dovetail.arch.m3vit.design import M3vitDesign, m3vit_design
from dovetail.models.importers import load_workload
from dovetail.reports.breakdowns import SHAPES
from dovetail.sim.m3vit_network import simulate_encoder
from dovetail.sweeps.axes import Sweep
from dovetail.sweeps.definition import load_sweep
from dovetail.sweeps.runner import run_sweep
from dovetail.sweeps.store import Store

# Few points of each: one port, one of them too wide for a row of results.
FEW = {
    "m3vit_attention": {"attention.engine.port_bits": (256,), "attention.parallel": (2, 4)},
    "m3vit_mixture": {"moe.engine.port_bits": (256, 1024), "moe.tile_tokens": (4,)},
}


def few(name: str) -> Sweep:
    sweep = load_sweep(name)
    return replace(sweep, axes=FEW[name], workloads=sweep.workloads[:1])


@pytest.mark.parametrize("name", FEW)
def test_points_are_those_of_the_simulator(name: str, tmp_path: Path) -> None:
    sweep = few(name)
    path = tmp_path / "sweep.sqlite"
    summary = run_sweep(sweep, path, jobs=1)
    refused = int(name == "m3vit_mixture")
    assert (summary.points, summary.rejected, summary.failed) == (2 - refused, refused, 0)
    trace = load_workload(sweep.workloads[0].network)
    with Store.open(path) as store:
        rows = list(store.query("SELECT * FROM points WHERE status = 'ok'"))
    for row in rows:
        design: M3vitDesign = m3vit_design(json.loads(row["design"]))
        result = simulate_encoder(design, trace)
        assert row["cycles"] == result.cycles
        measures = json.loads(row["measures"])
        # 8 features of 32 bits a beat; DDR4 takes some 20 to 40 pJ a bit, and stands by.
        assert measures["dram_bytes"] == 32 * (row["dram_read"] + row["dram_write"])
        assert measures["dram_mj"] > 1e-9 * 10 * 8 * measures["dram_bytes"]
        assert measures["port_bits"] == 256
        # 16 x 16 products, and in attention those of p queries in both products.
        held = design.engine.parallel if name == "m3vit_attention" else 0  # type: ignore[union-attr]
        assert measures["multipliers"] == 256 + 2 * 8 * held
        assert measures["buffer_bytes"] > 2 * 576 * 256 * 2


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("m3vit_attention", ("129 × 192", "3 heads of 64")),
        ("m3vit_mixture", ("129 × 192", "2 of 16 experts")),
    ],
)
def test_a_report_knows_how_to_write_a_run(name: str, written: tuple[str, str]) -> None:
    sweep = load_sweep(name)
    design: M3vitDesign = m3vit_design(dict(sweep.base))
    shape = simulate_encoder(design, load_workload("m3vit-tiny-balanced")).ops[0].result.shape
    (found,) = [one for one in SHAPES if set(one.fields) <= set(shape)]
    assert found.text(*(shape[field] for field in found.fields)) == written


def test_axes_and_workloads() -> None:
    sweep = load_sweep("m3vit_attention")
    assert sweep.axes["attention.parallel"] == (1, 2, 4, 8, 16)
    assert len(load_sweep("m3vit_mixture").workloads) == 3
