"""sweeps/store.py."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from dovetail.errors import StoreError
from dovetail.sweeps.store import Store

WORKLOAD = {
    "workload": 0,
    "network": "n",
    "phase": "prefill",
    "batch": 1,
    "seq": 2,
    "trace_id": "abc",
    "macs": 3,
    "notes": "[]",
    "others": "[]",
}
POINT = {"status": "ok", "workload": 0, "settings": "{}", "cycles": 1 << 40}


def make(path: Path, points: int = 3) -> Path:
    with Store.create(path, meta={"sweep": {"name": "x"}}, workloads=[WORKLOAD]) as store:
        store.add_points({**POINT, "point": at} for at in range(points))
    return path


def test_keeps_what_was_added(tmp_path: Path) -> None:
    path = make(tmp_path / "new" / "s.sqlite")
    with Store.append(path) as store:
        store.add_points([{**POINT, "point": 3, "status": "rejected", "reason": "too big"}])
        store.add_certificate(
            {
                "point": 0,
                "rests_on": "0123456789ab",
                "passed": 1,
                "cases": "[]",
                "cycles": 5,
                "mismatches": "{}",
                "seconds": 1.5,
            }
        )
    with Store.open(path) as store:
        assert [row["point"] for row in store.query("SELECT * FROM points")] == [0, 1, 2, 3]
        assert (store.count("ok"), store.count("rejected"), store.count("failed")) == (3, 1, 0)
        assert store.meta("sweep") == {"name": "x"}
        assert [row["cycles"] for row in store.query("SELECT * FROM certificates")] == [5]


def test_a_closed_store_is_one_file(tmp_path: Path) -> None:
    make(tmp_path / "s.sqlite")
    assert [path.name for path in tmp_path.iterdir()] == ["s.sqlite"]


def test_is_in_wal_mode_while_written_and_can_be_read_meanwhile(tmp_path: Path) -> None:
    path = make(tmp_path / "s.sqlite")
    with Store.append(path) as writer, Store.open(path) as reader:
        writer.add_points([{**POINT, "point": 9}])
        assert reader.count("ok") == 4
        assert [row[0] for row in reader.query("PRAGMA journal_mode")] == ["wal"]


@pytest.mark.parametrize("sql", ["UPDATE points SET cycles = 0", "DELETE FROM points"])
def test_is_append_only(tmp_path: Path, sql: str) -> None:
    with (
        Store.append(make(tmp_path / "s.sqlite")) as store,
        pytest.raises(sqlite3.IntegrityError, match=r"^a store is append-only$"),
    ):
        store.connection.execute(sql)


def test_a_point_stands_in_the_table_once(tmp_path: Path) -> None:
    with (
        Store.append(make(tmp_path / "s.sqlite")) as store,
        pytest.raises(sqlite3.IntegrityError, match="UNIQUE"),
    ):
        store.add_points([{**POINT, "point": 7}, {**POINT, "point": 0}])
    with Store.open(tmp_path / "s.sqlite") as store:
        assert store.count("ok") == 3  # the whole transaction was undone


def test_never_overwrites(tmp_path: Path) -> None:
    path = make(tmp_path / "s.sqlite")
    with pytest.raises(StoreError, match=rf"^{path}: exists already; a store is never overwritt"):
        Store.create(path, meta={}, workloads=[])
    with Store.open(path) as store:
        assert store.count("ok") == 3


def test_a_half_made_store_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    path.with_name("s.sqlite.new").write_bytes(b"SQLite format 3\0 and then the power went")
    with Store.open(make(path)) as store:
        assert store.count("ok") == 3


def test_one_run_writes_at_a_time(tmp_path: Path) -> None:
    path = make(tmp_path / "s.sqlite")
    with Store.append(path) as first:
        with pytest.raises(
            StoreError,
            match=rf"^{path}: another run is writing to it; one run at a time may: wait for it, "
            r"or name another file with --store$",
        ):
            Store.append(path)
        first.add_points([{**POINT, "point": 3}])
    with Store.append(path) as second:
        assert second.count("ok") == 4


def test_refuses_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no\.sqlite: no such store; make it with `dovetail swe"):
        Store.open(tmp_path / "no.sqlite")
    with pytest.raises(StoreError, match=rf"^{tmp_path}: cannot be read \(Is a directory\); a st"):
        Store.open(tmp_path)


def test_an_event_that_came_later_counts_zero_in_an_older_store(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    make(path)
    with Store.append(path) as store:
        store.add_points([{**POINT, "point": 3, "status": "rejected", "reason": "too large"}])
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE points DROP COLUMN expert")
        connection.execute("ALTER TABLE points DROP COLUMN logit")
    for open_store in (Store.open, Store.append):
        with open_store(path) as store:
            assert store.count("ok") == 3
            rows = store.query("SELECT status, cycles, expert, logit FROM points ORDER BY point")
            assert [tuple(row) for row in rows] == [
                *[("ok", POINT["cycles"], 0, 0)] * 3,
                ("rejected", POINT["cycles"], None, None),
            ]
    with Store.open(path) as store, pytest.raises(StoreError):
        store.add_points([{**POINT, "point": 4}])
    with sqlite3.connect(path) as connection:
        held = {name for _, name, *_ in connection.execute("PRAGMA table_info(points)")}
    assert "expert" not in held  # reading an older store changes nothing in it


@pytest.mark.parametrize(
    ("change", "name"),
    [("DROP COLUMN utilization", "utilization"), ("ADD COLUMN warp INTEGER", "warp")],
)
def test_a_store_with_other_columns_is_of_another_dovetail(
    tmp_path: Path, change: str, name: str
) -> None:
    path = tmp_path / "s.sqlite"
    make(path)
    with sqlite3.connect(path) as connection:
        connection.execute(f"ALTER TABLE points {change}")
    for open_store in (Store.open, Store.append):
        with pytest.raises(
            StoreError,
            match=rf"^{path}: this Dovetail and the store differ in {name}; use the Dovetail that",
        ):
            open_store(path)


@pytest.mark.parametrize("content", [b"", b"point,cycles\n1,2\n" * 20, b"SQLite format 3\0"])
@pytest.mark.parametrize("opening", [Store.open, Store.append])
def test_refuses_what_is_no_store(tmp_path: Path, content: bytes, opening) -> None:
    path = tmp_path / "s.sqlite"
    path.write_bytes(content)
    with pytest.raises(
        StoreError,
        match=rf"^{path}: not a result store; `dovetail sweep` makes one: correct the path$",
    ):
        opening(path)
    assert path.read_bytes() == content


def test_refuses_a_database_of_another_program(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE points (a)")
    with pytest.raises(StoreError, match=rf"^{path}: a SQLite file, but not a result store; `dov"):
        Store.open(path)


def test_refuses_another_version(tmp_path: Path) -> None:
    path = make(tmp_path / "s.sqlite")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 1")
    with pytest.raises(
        StoreError,
        match=rf"^{path}: store format 1, this Dovetail reads 3; use the Dovetail that wrote it, "
        r"or run the sweep again into another file$",
    ):
        Store.append(path)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.99])
def test_refuses_a_truncated_file(tmp_path: Path, part: float) -> None:
    path = make(tmp_path / "s.sqlite", points=2000)
    size = path.stat().st_size
    with path.open("rb+") as file:
        file.truncate(int(size * part))
    with pytest.raises(
        StoreError,
        match=rf"^{path}: truncated, {int(size * part)} of {size} bytes; restore the file from a "
        r"copy, or run the sweep again into another file$",
    ):
        Store.open(path)


def test_says_that_a_page_is_damaged(tmp_path: Path) -> None:
    path = make(tmp_path / "s.sqlite", points=2000)
    with path.open("rb+") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(StoreError, match=rf"^{path}: damaged; restore the file from a copy, or r"):
        with Store.open(path) as store:
            list(store.query("SELECT * FROM points"))


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """The page limit makes SQLite fail as a full disk does, with SQLITE_FULL."""
    path = make(tmp_path / "s.sqlite")
    store = Store.append(path)
    store.connection.execute("PRAGMA max_page_count = 60")
    with pytest.raises(
        StoreError,
        match=rf"^{path}: the disk is full; what was stored is kept: free some space and continue "
        r"with --resume$",
    ):
        for batch in range(1, 1000):
            store.add_points({**POINT, "point": batch * 100 + at} for at in range(100))
    kept = store.count("ok")
    store.close()
    assert kept > 3
    with Store.append(path) as again:
        assert again.count("ok") == kept
        again.add_points([{**POINT, "point": 1 << 30}])


def test_no_permission_to_write() -> None:
    path = Path("/proc/dovetail/s.sqlite")  # nobody can write there, not even root
    with pytest.raises(StoreError, match=rf"^{path}: cannot be written \(.*\); a store needs a fo"):
        Store.create(path, meta={}, workloads=[])


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    path = tmp_path / "f" / "s.sqlite"
    with pytest.raises(StoreError, match=rf"^{path}: cannot be written \(.*\); a store needs a fo"):
        Store.create(path, meta={}, workloads=[])


def test_a_copy_taken_after_a_kill_is_whole(tmp_path: Path) -> None:
    """A killed writer leaves a log; the file with its log is what was stored."""
    path = make(tmp_path / "s.sqlite")
    store = Store.append(path)
    store.add_points([{**POINT, "point": 3}])
    copy = tmp_path / "copy"
    copy.mkdir()
    for left in ("s.sqlite", "s.sqlite-wal"):
        shutil.copy(tmp_path / left, copy / left)
    store.close()
    with Store.append(copy / "s.sqlite") as found:
        assert found.count("ok") == 4


def test_a_read_only_store_cannot_be_written(tmp_path: Path) -> None:
    """SQLite answers as it does for a file without write permission, which root does not lack."""
    path = make(tmp_path / "s.sqlite")
    with Store.append(path) as store:
        store.connection.execute("PRAGMA query_only = 1")
        with pytest.raises(StoreError, match=rf"^{path}: no permission to write; a store is writ"):
            store.add_points([{**POINT, "point": 3}])
