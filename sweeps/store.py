"""The result store: one append-only SQLite file that survives being killed at any moment."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from dovetail.arch.events import Event
from dovetail.errors import StoreError
from dovetail.sweeps.schema import APPLICATION_ID, FORMAT_VERSION, POINT_COLUMNS, SCHEMA
from dovetail.sweeps.store_file import check_file, lock_file, one_line, unlock_file

_INSERT_POINT = (
    f"INSERT INTO main.points VALUES ({', '.join(':' + name for name, _ in POINT_COLUMNS)})"
)
_NO_POINT = dict.fromkeys(name for name, _ in POINT_COLUMNS)


class Store:
    """An open store; use it as a context manager.

    :meth:`create` and :meth:`append` hold the store's lock, so that one process writes at a time;
    :meth:`open` reads, also while another process writes.

    Attributes
    ----------
    path : Path
    connection : sqlite3.Connection
        For :mod:`dovetail.sweeps.table`, which reads whole tables.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: IO[bytes] | None) -> None:
        self.path = path
        self.connection = connection
        self._lock = lock

    @classmethod
    def create(
        cls, path: Path, *, meta: Mapping[str, Any], workloads: Iterable[Mapping[str, Any]]
    ) -> Self:
        """Make a new store at ``path`` and open it for writing.

        Parameters
        ----------
        path : Path
            Must not exist; its folder is made.
        meta : mapping of str to plain data
            The sweep's definition and the provenance of its results.
        workloads : iterable of mappings
            One row of the table ``workloads`` each.
        """
        with one_line(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        lock = lock_file(path)
        try:
            if path.exists():
                raise StoreError(
                    f"{path}: exists already; a store is never overwritten: continue it with "
                    f"--resume, or name another file with --store"
                )
            with one_line(path):
                # Built beside its place and moved there whole: a kill leaves no half-made store.
                draft = path.with_name(path.name + ".new")
                draft.unlink(missing_ok=True)
                with contextlib.closing(sqlite3.connect(draft)) as connection:
                    connection.executescript(
                        f"PRAGMA application_id = {APPLICATION_ID};"
                        f"PRAGMA user_version = {FORMAT_VERSION};{SCHEMA}"
                    )
                    with connection:
                        connection.executemany(
                            "INSERT INTO meta VALUES (?, ?)",
                            [(key, json.dumps(value)) for key, value in meta.items()],
                        )
                        connection.executemany(
                            "INSERT INTO workloads VALUES (:workload, :network, :phase, :batch, "
                            ":seq, :trace_id, :macs, :notes, :others)",
                            list(workloads),
                        )
                draft.rename(path)
            return cls._writer(path, lock)
        except BaseException:
            unlock_file(path, lock)
            raise

    @classmethod
    def append(cls, path: Path) -> Self:
        """Open an existing store for writing."""
        check_file(path)
        lock = lock_file(path)
        try:
            check_file(path)
            return cls._writer(path, lock)
        except BaseException:
            unlock_file(path, lock)
            raise

    @classmethod
    def _writer(cls, path: Path, lock: IO[bytes]) -> Self:
        with one_line(path):
            connection = sqlite3.connect(path)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
        store = cls(path, connection, lock)
        store._check_content()
        return store

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open an existing store for reading."""
        check_file(path)
        uri = path.absolute().as_uri()
        with one_line(path):
            connection = sqlite3.connect(f"{uri}?mode=ro", uri=True)
            try:
                connection.execute("SELECT count(*) FROM meta").fetchone()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_READONLY:
                    raise
                # A writer that was killed left a log that must be completed first.
                connection.close()
                connection = sqlite3.connect(f"{uri}?mode=rw", uri=True)
        store = cls(path, connection, None)
        store._check_content()
        with one_line(path):
            connection.execute("PRAGMA query_only = ON")
        return store

    def _check_content(self) -> None:
        with one_line(self.path):
            self.connection.row_factory = sqlite3.Row
            self.connection.execute("SELECT count(*) FROM meta").fetchone()
            rows = self.connection.execute("SELECT name FROM pragma_table_info('points')")
            held = {row["name"] for row in rows}
        known = {name for name, _ in POINT_COLUMNS}
        added = known - held
        apart = sorted(held - known | added - {event.value for event in Event})
        if apart:
            raise StoreError(
                f"{self.path}: this Dovetail and the store differ in {', '.join(apart)}; "
                f"use the Dovetail that wrote it, or run the sweep again into another file"
            )
        if added:
            # Events that came to the vocabulary after the store was made: nothing counted them.
            zeros = ", ".join(
                f"CASE status WHEN 'ok' THEN 0 END AS \"{name}\"" for name in sorted(added)
            )
            with one_line(self.path):
                self.connection.execute(
                    f"CREATE TEMP VIEW points AS SELECT *, {zeros} FROM main.points"
                )

    def close(self) -> None:
        """Close the file; a store that was written becomes one plain file again."""
        if self._lock is not None:
            # Fails while somebody reads, or on a full disk; the log then stays and nothing is lost.
            with contextlib.suppress(sqlite3.Error):
                self.connection.execute("PRAGMA journal_mode = DELETE")
        self.connection.close()
        if self._lock is not None:
            unlock_file(self.path, self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # writing

    def add_points(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append points in one transaction; a column that a row lacks is empty."""
        with one_line(self.path), self.connection:
            self.connection.executemany(_INSERT_POINT, [{**_NO_POINT, **row} for row in rows])

    def add_certificate(self, row: Mapping[str, Any]) -> None:
        """Append a certificate of a point; earlier ones of the same point stay."""
        with one_line(self.path), self.connection:
            self.connection.execute(
                "INSERT INTO certificates "
                "(point, rests_on, passed, cases, cycles, mismatches, seconds) VALUES "
                "(:point, :rests_on, :passed, :cases, :cycles, :mismatches, :seconds)",
                row,
            )

    def add_run(self, row: Mapping[str, Any]) -> None:
        """Append the record of one run of the sweep: when, how long, on what."""
        with one_line(self.path), self.connection:
            self.connection.execute(
                "INSERT INTO runs (started, seconds, points, jobs, provenance) VALUES "
                "(:started, :seconds, :points, :jobs, :provenance)",
                row,
            )

    # reading

    def query(self, sql: str, values: Iterable[Any] = ()) -> Iterator[sqlite3.Row]:
        """Rows of a query, one at a time."""
        with one_line(self.path):
            yield from self.connection.execute(sql, tuple(values))

    def meta(self, key: str) -> Any:
        """Plain data stored under ``key`` when the store was made."""
        for row in self.query("SELECT value FROM meta WHERE key = ?", [key]):
            return json.loads(row["value"])
        raise StoreError(
            f"{self.path}: holds no {key!r}; make the store again with `dovetail sweep`"
        )

    def count(self, status: str) -> int:
        """Number of points whose status is ``ok``, ``rejected`` or ``failed``."""
        (row,) = self.query("SELECT count(*) FROM points WHERE status = ?", [status])
        return int(row[0])
