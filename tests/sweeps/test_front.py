"""sweeps/front.py and sweeps/certify.py."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dovetail.errors import ConfigError, StoreError
from dovetail.sweeps import certify as certify_module
from dovetail.sweeps.axes import Sweep
from dovetail.sweeps.certify import certify_points, first_to_certify, valid_certificates
from dovetail.sweeps.front import front_points
from dovetail.sweeps.runner import load_traces, run_sweep
from dovetail.sweeps.store import Store
from dovetail.sweeps.table import certificates
from dovetail.systems import System
from dovetail.tests.sweeps import fake_system

WORKLOAD = {
    "network": "n",
    "phase": "prefill",
    "batch": 1,
    "seq": 2,
    "trace_id": "abc",
    "macs": 3,
    "notes": "[]",
    "others": "[]",
}
#             workload, time, energy
POINTS = [
    (0, 1.0, 9.0),
    (0, 2.0, 5.0),
    (0, 2.0, 6.0),
    (0, 9.0, 1.0),
    (1, 50.0, 50.0),
    (1, 60.0, 60.0),
    (1, 60.0, 40.0),
    (2, 3.0, 3.0),
]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    meta = {"sweep": {"objectives": ["time_ms", "energy_pj"], "measures": []}}
    workloads = [{**WORKLOAD, "workload": at} for at in (0, 1, 2)]
    store = Store.create(tmp_path / "s.sqlite", meta=meta, workloads=workloads)
    store.add_points(
        {
            "point": at,
            "status": "ok",
            "workload": workload,
            "settings": "{}",
            "time_ms": time,
            "energy_pj": energy,
        }
        for at, (workload, time, energy) in enumerate(POINTS)
    )
    store.add_points([{"point": 8, "status": "failed", "workload": 0, "settings": "{}"}])
    return store


def test_each_workload_has_its_own_front(store: Store) -> None:
    assert front_points(store) == (0, 1, 3, 4, 6, 7)


def test_any_objectives_can_be_chosen(store: Store) -> None:
    assert front_points(store, ("energy_pj",)) == (3, 6, 7)


def test_refuses_an_objective_that_was_not_measured(store: Store) -> None:
    with pytest.raises(StoreError, match=r"s\.sqlite: objective 'error' was not measured in this "):
        front_points(store, ("error",))
    with pytest.raises(ConfigError, match=r"s\.sqlite: objectives: no objective named 'beauty'; "):
        front_points(store, ("beauty",))


def test_certifies_the_best_of_each_objective_and_workload_first(store: Store) -> None:
    front = front_points(store)
    assert first_to_certify(store, front, None) == front
    assert first_to_certify(store, front, 5) == (0, 3, 4, 6, 7)
    assert first_to_certify(store, front, 2) == (0, 4)
    assert first_to_certify(store, front, 1, ("energy_pj",)) == (3,)


@pytest.fixture
def swept(tmp_path: Path, fake: System) -> tuple[Sweep, Path]:
    """Six points on two workloads; those of one row fail their certificates."""
    sweep = replace(fake_system.sweep(), axes={"engine.rows": (1, 8)})
    run_sweep(sweep, tmp_path / "c.sqlite", jobs=1)
    return sweep, tmp_path / "c.sqlite"


def test_a_certificate_that_passed_is_not_made_again(swept: tuple[Sweep, Path]) -> None:
    sweep, path = swept
    seen = []
    with Store.append(path) as opened:
        for points in ((0, 1), (0, 1, 2)):
            certify_points(
                opened, points, load_traces(sweep), progress=lambda done, total: seen.append(done)
            )
        frame = certificates(opened)
        rows = list(opened.query("SELECT * FROM certificates WHERE point = 1"))
        failed = list(opened.query("SELECT * FROM certificates WHERE point = 0"))
    assert frame["point"].tolist() == [0, 1, 2]
    assert frame["passed"].tolist() == [0, 1, 0]  # the fake one fails for one row
    assert frame["cases"][0] == [{"m": 5, "n": 3, "k": 2}]
    (row,) = rows
    assert json.loads(row["mismatches"]) == {"values": 0, "cycles": 0, "events": 0}
    assert (row["cycles"], row["seconds"]) == (1234, 0.5)
    assert len(failed) == 2  # tried again, and the first try is kept
    assert seen == [0, 1, 2, 0, 1, 2, 3]


def test_other_rtl_certifies_again_and_keeps_the_old_certificate(
    swept: tuple[Sweep, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep, path = swept
    traces = load_traces(sweep)
    with Store.append(path) as opened:
        for source in ("old", "new", "new"):
            monkeypatch.setattr(certify_module, "certificate_id", lambda source=source: source)
            certify_points(opened, (1,), traces)
        kept = [row["rests_on"] for row in opened.query("SELECT rests_on FROM certificates")]
        assert kept == ["old", "new"]
        assert certificates(opened)["rests_on"].tolist() == ["new"]
        assert valid_certificates(opened, "new") == {1}
        assert valid_certificates(opened, "old") == set()
