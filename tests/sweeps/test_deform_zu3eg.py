"""sweeps/deform_zu3eg.py, deform_measures.py, deform_fpga.py and deform_accuracy.py."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from dovetail.arch.deform import DeformDesign, deform_design, preset
from dovetail.arch.devices import device
from dovetail.lockstep.deform_certify import certify
from dovetail.models.networks import network
from dovetail.reports.html import write_report
from dovetail.sim.deform_system import frame_time
from dovetail.sweeps.deform_accuracy import configurations, variant_costs
from dovetail.sweeps.deform_fpga import engine_counts, engines, fpga_counts
from dovetail.sweeps.deform_zu3eg import FREE_BYTES, design_space, variants
from dovetail.sweeps.front import front_points
from dovetail.sweeps.runner import run_sweep
from dovetail.sweeps.store import Store

CODENET = preset("codenet")


def test_every_engine_of_the_sweeps_was_counted() -> None:
    assert [engine for engine, dsp in engines() if engine_counts(engine, dsp=dsp) is None] == []


def test_a_line_buffer_takes_a_block_ram_for_each_512_words_of_64_bits_and_more() -> None:
    """By hand: 128 bits are two blocks of 72, 1,024 beats of a row are 2 x 512."""
    rows = {}
    for bound in (3, 7, 15):
        counts = engine_counts(replace(CODENET.engine, bound=bound))
        assert counts is not None
        rows[2 * bound + 1] = counts["bram36"]
    assert rows[15] - rows[7] == 8 * 4
    assert rows[31] - rows[15] == 16 * 4


def test_the_counts_of_a_design_are_those_of_its_engines() -> None:
    design = replace(
        CODENET,
        engine=replace(CODENET.engine, bound=1, window_ports=9),
        second="gather",
        second_lanes=4,
        second_offset_bytes=FREE_BYTES,
    )
    first = engine_counts(design.engine)
    assert design.second_engine is not None
    second = engine_counts(design.second_engine, dsp=False)
    assert first is not None and second is not None and second["dsp"] == 0
    assert fpga_counts(design) == {name: first[name] + second[name] for name in first}
    assert fpga_counts(replace(CODENET, engine=replace(CODENET.engine, bound=6))) is None


def _designs(sweep_of: str) -> list[DeformDesign]:
    sweep = {"space": design_space, "variants": variants}[sweep_of]()
    return [deform_design(candidate.design) for candidate in sweep.points()]


def test_the_sweeps_vary_what_they_ask_about() -> None:
    space, kinds = _designs("space"), _designs("variants")
    assert {design.engine.bound for design in space} == {3, 7, 15}
    assert {design.engine.window_ports for design in space} == {1, 3, 9}
    assert {design.engine.lanes for design in space} == {8, 16, 32}
    assert len({design.engine.clock_mhz for design in space}) == 3
    assert {design.second for design in kinds} == {
        "none",
        "gather",
        "full",
        "full-gather",
        "full-1-port",
        "full-3-ports",
    }


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The design space at one clock on configuration a."""
    sweep = design_space()
    axes = dict(sweep.axes) | {"engine.clock_mhz": (250.0,)}
    path = tmp_path_factory.mktemp("deform") / "sweep.sqlite"
    run_sweep(replace(sweep, axes=axes, workloads=sweep.workloads[:1]), path, jobs=1)
    return path


def test_a_design_that_does_not_fit_is_kept_with_the_reason(store: Path) -> None:
    limits = device("zu3eg").limits
    with Store.open(store) as opened:
        rejected = [dict(row) for row in opened.query("SELECT * FROM points WHERE reason != ''")]
        front = front_points(opened)
        kept = [dict(row) for row in opened.query("SELECT * FROM points WHERE status = 'ok'")]
    reasons = {}
    for row in rejected:
        engine = json.loads(row["design"])["engine"]
        reasons[engine["lanes"], engine["packed_products"], engine["window_ports"]] = row["reason"]
    assert reasons[16, False, 3] == f"dsp=434 exceeds the sweep's limit of {limits['dsp']}"
    assert "bram36=336 exceeds the sweep's limit of 216" in reasons[16, True, 9]
    assert (32, True, 3) in reasons
    assert set(front) <= {row["point"] for row in kept}
    for row in kept:
        measures = json.loads(row["measures"])
        assert all(measures[name] <= limits[name] for name in ("lut", "ff", "dsp", "bram36"))
        assert row["energy_pj"] is None and row["area_um2"] is None
    one = next(row for row in kept if json.loads(row["design"]) == CODENET.to_dict())
    frame = frame_time(CODENET, network("codenet-a"))
    assert json.loads(one["measures"])["frames_per_second"] == pytest.approx(
        frame.frames_per_second
    )


def test_the_report_needs_no_prices(store: Path, tmp_path: Path) -> None:
    page = write_report(store, tmp_path).read_text(encoding="utf-8")
    assert "frame time" in page and "Technology:" not in page and "Where the energy" not in page
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {"frame_ms-bram36.png", "frame_ms-dsp.svg", "accuracy-frames.png"} <= names
    assert "energy.png" not in names


def test_accuracies_belong_to_the_fastest_point_of_their_variant() -> None:
    points = pd.DataFrame(
        [
            ("codenet-c", "none", 7, 50.0, 80.0),
            ("codenet-c", "none", 7, 40.0, 90.0),
            ("codenet-c", "none", 3, 30.0, 60.0),  # a bound without a published accuracy
            ("codenet-c-free", "none", 7, 60.0, 80.0),
            ("codenet-c-free", "gather", 1, 90.0, 50.0),
            ("codenet-c-plain", "none", 1, 45.0, 50.0),
            ("codenet-c-full-square", "full-3-ports", 1, 55.0, 99.0),
            ("codenet-c-full-square", "full", 1, 45.0, 99.0),  # a bound of 1
        ],
        columns=["network", "second", "engine.bound", "frame_ms", "bram36"],
    )
    costs = variant_costs(points, CODENET.to_dict())
    table = {(c.source, c.full, c.variant): (c.accuracy, c.point) for c in costs}
    assert table == {
        ("CoDeNet, table 1", False, "no offsets"): (39.1, 5),
        ("CoDeNet, table 1", False, "free"): (42.9, 4),
        ("CoDeNet, table 1", False, "free, bounded"): (41.0, 3),
        ("CoDeNet, table 1", False, "square"): (41.1, 1),
        ("released checkpoints", False, "no offsets"): (37.0, 5),
        ("released checkpoints", False, "free"): (43.9, 4),
        ("released checkpoints", False, "square"): (41.65, 1),
        ("released checkpoints", True, "square"): (42.2, 6),
    }


def test_the_larger_a_configuration_the_slower_and_the_more_accurate() -> None:
    table = configurations()
    assert table["ap50"].is_monotonic_increasing
    for rate in ("paper", "public", "ours"):
        assert table[rate].is_monotonic_decreasing
    assert (table["ours"] > table["paper"]).all()


@pytest.mark.long
def test_both_engines_of_a_design_are_certified() -> None:
    engine = replace(CODENET.engine, bound=1, window_ports=9)
    design = replace(CODENET, engine=engine, second="full-3-ports", second_lanes=4)
    certificate = certify(design, network("codenet-c-full-square"))
    assert certificate.passed and certificate.cycles > 0
    assert {case["full"] for case in certificate.cases} == {True, False}
