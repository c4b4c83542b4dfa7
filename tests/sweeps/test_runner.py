"""sweeps/runner.py, sweeps/worker.py and sweeps/evaluate.py."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dovetail.arch.events import STALLS, Event
from dovetail.arch.mixpe import MixpeDesign, preset
from dovetail.errors import ConfigError, StoreError
from dovetail.models.trace import GemmOp, Trace
from dovetail.sweeps import runner, sweep_store
from dovetail.sweeps.axes import Sweep, Workload
from dovetail.sweeps.evaluate import evaluate, evaluation_row, find_technology
from dovetail.sweeps.runner import run_sweep
from dovetail.sweeps.store import Store
from dovetail.sweeps.table import export, operators, points
from dovetail.tests.sweeps import fake_system

pytestmark = pytest.mark.usefixtures("fake")
COMMAND = [sys.executable, "-m", "dovetail.tests.sweeps.fake_system", "sweep"]


def exported(store: Path) -> bytes:
    path = store.with_suffix(".csv")
    with Store.open(store) as opened:
        export(opened, path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of the fake sweep, made by the command itself."""
    path = tmp_path_factory.mktemp("sweep") / "s.sqlite"
    subprocess.run([*COMMAND, "fake", "--store", path, "--jobs", "2"], check=True)
    return path


def test_every_point_is_there_with_its_reason(swept: Path) -> None:
    with Store.open(swept) as store:
        frame = points(store)
    assert frame["point"].tolist() == list(range(72))
    refused = frame[frame["status"] == "rejected"]
    failed = frame[frame["status"] == "failed"]
    assert (frame[frame["engine.rows"] == 14]["status"] == "rejected").all()
    assert set(refused["reason"]) == {
        "rows=14 has no mapping; set rows to 16",
        "7 columns and 8 rows do not go together",
    }
    assert (failed["engine.rows"] == 13).all() and len(failed) == 18
    assert set(failed["reason"]) == {"ZeroDivisionError: rows of 13 bring bad luck"}
    assert len(frame) - len(refused) - len(failed) == 72 - 18 - 18 - 6


def test_a_row_holds_the_simulation_and_its_price(swept: Path) -> None:
    """Worked out by hand from the fake simulator's formula and the round prices."""
    with Store.open(swept) as store:
        frame = points(store)
        traces = runner.load_traces(fake_system.sweep())
        (stored,) = store.query("SELECT design FROM points WHERE point = 3")
    row = frame.set_index("point").loc[3]
    assert (row["engine.core"], row["engine.rows"], row["group"]) == ("mixpe_w4a8", 8, 32)
    stream = sum(op.count * -(-op.m * op.n * op.k // 64) for op in traces[0].gemms)
    stall = sum(op.count * (-(-op.m * op.n * op.k // 64) // 10) for op in traces[0].gemms)
    beats = sum(op.count * (8 * op.k * (op.m + op.n) // 1024) for op in traces[0].gemms)
    assert row["cycles"] == stream + stall == row[Event.CYCLE.value]
    assert row["stall_cycles"] == stall == sum(row[event.value] for event in STALLS)
    assert row["macs"] == traces[0].macs
    assert row["time_ms"] == pytest.approx((stream + stall) / 500e6 * 1e3, rel=1e-12)
    assert row["energy_dram_pj"] == pytest.approx(beats * 1024 * 0.6292, rel=1e-12)
    assert row["energy_pe_pj"] == pytest.approx(traces[0].macs, rel=1e-12)
    assert row["energy_pj"] == pytest.approx(
        sum(
            row[name]
            for name in frame
            if name.startswith("energy_")
            and name.count("_") > 1
            and name not in ("energy_low_pj", "energy_high_pj")
        ),
        rel=1e-9,
    )
    # 64 PEs of 100 um2, 8 group sums and 8 dequantisers of 10; 8 scale queues and each flip-flop
    # of 0.125: skew of activations and weights, control, and 15 + 3 + 1 + 12 bits with a result.
    registers = 8 * 28 + 4 * 36 + 8 * 4 + (8 * 31 + 1)
    assert row["array_um2"] == 64 * 100 + 16 * 10 + (8 + registers) / 8
    assert row["area_um2"] * 0.5 < row["area_low_um2"] < row["area_um2"] < row["area_high_um2"]
    assert row["error"] == 32 / 1024
    assert json.loads(stored["design"])["engine"]["rows"] == 8


def test_operators_stand_in_program_order_with_every_layer(swept: Path) -> None:
    with Store.open(swept) as store:
        frame = operators(store, 3)
        total = points(store).set_index("point").loc[3]["cycles"]
    trace = runner.load_traces(fake_system.sweep())[0]
    assert list(zip(frame["layer"], frame["name"], strict=True)) == [
        (op.layer, op.name) for op in trace.gemms
    ]
    assert frame["cycles"].sum() == total


def test_the_number_of_jobs_does_not_change_the_table(swept: Path, tmp_path: Path) -> None:
    summary = run_sweep(fake_system.sweep(), tmp_path / "s.sqlite", jobs=1)
    assert (summary.points, summary.rejected, summary.failed) == (30, 24, 18)
    assert exported(tmp_path / "s.sqlite") == exported(swept)


def test_a_limit_rejects_with_the_value(tmp_path: Path) -> None:
    sweep = replace(
        fake_system.sweep(),
        axes={"engine.rows": (1, 8)},
        limits={"area_um2": 1217000.0},
        objectives=("time_ms",),
    )
    run_sweep(sweep, tmp_path / "s.sqlite", jobs=1)
    with Store.open(tmp_path / "s.sqlite") as store:
        frame = points(store)
    assert frame["status"].tolist() == ["ok", "rejected"] * 2
    assert frame["reason"][1].startswith("area_um2=1.21957e+06")
    assert frame["reason"][1].endswith(" exceeds the sweep's limit of 1.217e+06")
    assert frame["error"].isna().all()  # nobody asked for it, so it was not measured


def test_a_clock_beyond_the_slowest_unit_is_rejected(tmp_path: Path) -> None:
    sweep = replace(fake_system.sweep(), axes={"engine.clock_mhz": (1000.0, 1001.0)})
    run_sweep(sweep, tmp_path / "s.sqlite", jobs=1)
    with Store.open(tmp_path / "s.sqlite") as store:
        assert points(store)["reason"][1] == (
            "clock_mhz=1001 exceeds the 1000 MHz of mixpe.scale_queue, the slowest part in "
            "technology 'flat'; lower clock_mhz"
        )


def test_a_design_without_a_price_is_rejected(tmp_path: Path) -> None:
    sweep = Sweep(
        name="unpriced",
        question="What do wide zero points cost?",
        system="lut",
        base={"engine": {"core": "lut_int8", "rows": 2, "cols": 4, "lut_k": 4}},
        axes={"engine.zero_bits": (4, 8)},
        workloads=(Workload(network="vit-b-16"),),
        technology="nangate45",
    )
    run_sweep(sweep, tmp_path / "s.sqlite", jobs=1)
    with Store.open(tmp_path / "s.sqlite") as store:
        rows = points(store)
    assert rows["status"].tolist() == ["ok", "rejected"]
    assert rows["reason"][1].startswith("zero_bits=8 of core 'lut_int8' has no price: ")
    assert rows["cycles"].isna().tolist() == [False, True]


def test_resume_needs_the_same_sweep_and_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.sqlite"
    sweep = replace(fake_system.sweep(), axes={"group": (32,)})
    run_sweep(sweep, path, jobs=1)
    with pytest.raises(StoreError, match=rf"^{path}: exists already; a store is never overwritte"):
        run_sweep(sweep, path, jobs=1)
    assert run_sweep(sweep, path, jobs=1, resume=True).evaluated == 0
    other = replace(sweep, axes={"group": (64,)})
    with pytest.raises(StoreError, match=rf"^{path}: holds a sweep that differs from 'fake' in ax"):
        run_sweep(other, path, jobs=1, resume=True)
    old = {**sweep_store.result_provenance(), "source": "0ld"}
    monkeypatch.setattr(sweep_store, "result_provenance", lambda: old)
    with pytest.raises(
        StoreError, match=rf"^{path}: was begun by other code \(source [0-9a-f]{{12}}"
    ):
        run_sweep(sweep, path, jobs=1, resume=True)


def test_an_error_that_cannot_be_measured_loses_no_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def error(design: MixpeDesign) -> float:
        if design.group == 32:
            raise ConfigError("group=32 has no measured error; leave it out")
        if design.group == 64:
            raise OSError("no\nweights")
        return 0.5

    monkeypatch.setattr(fake_system, "error", error)
    sweep = replace(
        fake_system.sweep(), axes={"group": (32, 64, 128)}, objectives=("time_ms", "error")
    )
    run_sweep(sweep, tmp_path / "s.sqlite", jobs=1)
    with Store.open(tmp_path / "s.sqlite") as store:
        frame = points(store)
    assert frame["status"].tolist() == ["rejected", "failed", "ok"] * 2
    assert frame["reason"].tolist()[:2] == [
        "group=32 has no measured error; leave it out",
        "OSError: no weights",
    ]
    assert frame["cycles"].isna().tolist() == [True, True, False] * 2


def test_refuses_no_jobs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^jobs=0 must be at least 1; set it to the number of"):
        run_sweep(fake_system.sweep(), tmp_path / "s.sqlite", jobs=0)


def test_layers_are_merged_only_where_they_follow_each_other() -> None:
    ops = tuple(GemmOp(name="q", layer=layer, m=4, n=4, k=32) for layer in (-1, 0, 2, 3, 5))
    trace = Trace(network="t", phase="prefill", batch=1, seq=1, ops=ops)
    design = preset("w4a8-8x8")
    entry = fake_system.FAKE
    table = find_technology(entry.technology)
    row = evaluation_row(evaluate(design, trace, system=entry, technology=table))
    (operator,) = json.loads(row["operators"])
    assert operator["layers"] == [[-1, -1], [0, 0], [2, 3], [5, 5]]
    assert len(json.loads(row["runs"])) == 1


def start(store: Path, **environment: str) -> subprocess.Popen[Any]:
    return subprocess.Popen(
        [*COMMAND, "long", "--store", store, "--resume", "--jobs", "2", "--json"],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # What runs in a shell's background has it ignored, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def group_is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def stored(store: Path) -> int:
    """Points in a store that another process may be writing, or has not made yet."""
    if not store.exists():
        return 0
    try:
        with closing(sqlite3.connect(store)) as reader:
            return int(reader.execute("SELECT count(*) FROM points").fetchone()[0])
    except sqlite3.OperationalError:  # its tables are not made yet
        return 0


def test_ten_kills_leave_the_same_table(tmp_path: Path) -> None:
    assert start(tmp_path / "whole.sqlite").wait() == 0
    store = tmp_path / "killed.sqlite"
    rng = random.Random(2)
    seen = [0]
    for _ in range(10):
        run = start(store, FAKE_SECONDS="0.015")
        # From before the first write to some rows after it, however fast the machine is now.
        goal = seen[-1] + rng.randrange(60)
        while stored(store) < goal and run.poll() is None:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.05))
        run.send_signal(signal.SIGKILL)
        run.wait()
        seen.append(stored(store))
        deadline = time.monotonic() + 10
        while not group_is_gone(run.pid):
            if time.monotonic() > deadline:
                os.killpg(run.pid, signal.SIGKILL)
                pytest.fail("a worker outlives its parent")
            time.sleep(0.05)
    assert seen == sorted(seen) and len({count for count in seen if 0 < count < 640}) >= 2
    assert start(store).wait() == 0
    assert exported(store) == exported(tmp_path / "whole.sqlite")


def test_ctrl_c_keeps_what_was_stored(tmp_path: Path) -> None:
    store = tmp_path / "s.sqlite"
    run = start(store, FAKE_SECONDS="0.02")
    stored = 0
    while stored == 0:
        time.sleep(0.1)
        if store.exists():
            with Store.open(store) as opened:
                stored = sum(1 for _ in opened.query("SELECT point FROM points"))
    os.killpg(run.pid, signal.SIGINT)  # as a terminal sends it, to workers too
    out, err = run.communicate(timeout=30)
    assert run.returncode == 2
    line = "interrupted; what was stored is kept: continue with --resume\n"
    assert (out, err) == ("", line)
    with Store.open(store) as opened:
        assert stored <= sum(1 for _ in opened.query("SELECT point FROM points")) < 640
