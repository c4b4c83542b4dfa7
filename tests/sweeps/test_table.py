"""sweeps/table.py."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from dovetail.errors import StoreError
from dovetail.sweeps import table
from dovetail.sweeps.runner import run_sweep
from dovetail.sweeps.store import Store
from dovetail.tests.sweeps import fake_system


@pytest.fixture
def store(fake: object, tmp_path: Path) -> Store:
    sweep = replace(
        fake_system.sweep(),
        axes={"engine.clock_mhz": (250, 333.5), "engine.rows": (8, 14), "zero_point": (True,)},
    )
    run_sweep(sweep, tmp_path / "s.sqlite", jobs=1)
    return Store.open(tmp_path / "s.sqlite")


@pytest.mark.parametrize("rows", [3, 8, 100])
def test_both_exports_hold_the_same_table(
    store: Store, rows: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also where it is written piece by piece, and a piece holds rejected points alone."""
    monkeypatch.setattr(table, "EXPORT_ROWS", rows)
    table.export(store, tmp_path / "t.csv")
    table.export(store, tmp_path / "t.parquet")
    parquet = pd.read_parquet(tmp_path / "t.parquet")
    csv = pd.read_csv(tmp_path / "t.csv")
    pd.testing.assert_frame_equal(parquet.reset_index(drop=True), table.points(store))
    pd.testing.assert_frame_equal(csv.astype(parquet.dtypes), parquet)
    assert parquet["engine.clock_mhz"].tolist() == [250.0, 250.0, 333.5, 333.5] * 2
    assert parquet["zero_point"].tolist() == [1] * 8
    assert parquet["status"].tolist() == ["ok", "rejected"] * 4
    assert parquet["phase"].tolist() == ["prefill"] * 4 + ["decode"] * 4


def test_a_store_without_points_exports_its_header(tmp_path: Path) -> None:
    meta = {"sweep": {"axes": [{"fields": ["engine.rows"], "values": [1]}], "measures": []}}
    with Store.create(tmp_path / "s.sqlite", meta=meta, workloads=[]) as store:
        table.export(store, tmp_path / "t.csv")
        table.export(store, tmp_path / "t.parquet")
        assert table.operators(store, 0).empty
        assert table.certificates(store).empty
    assert pd.read_csv(tmp_path / "t.csv").empty
    assert "engine.rows" in pd.read_parquet(tmp_path / "t.parquet")


def test_refuses_another_format_and_another_place(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"t\.xlsx: cannot be exported to; the suffix says the fo"):
        table.export(store, tmp_path / "t.xlsx")
    with pytest.raises(
        StoreError, match=r"^/proc/no/t\.csv: cannot be written \(.*\); name a file"
    ):
        table.export(store, Path("/proc/no/t.csv"))
