"""The result store: one append-only SQLite file that survives being killed at any moment."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from dovetail.errors import StoreError
from dovetail.sweeps.schema import APPLICATION_ID, FORMAT_VERSION, POINT_COLUMNS, SCHEMA

_INSERT_POINT = f"INSERT INTO points VALUES ({', '.join(':' + name for name, _ in POINT_COLUMNS)})"
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
        with _lines(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        lock = _lock(path)
        try:
            if path.exists():
                raise StoreError(
                    f"{path}: exists already; a store is never overwritten: continue it with "
                    f"--resume, or name another file with --store"
                )
            with _lines(path):
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
            _unlock(path, lock)
            raise

    @classmethod
    def append(cls, path: Path) -> Self:
        """Open an existing store for writing."""
        _check_file(path)
        lock = _lock(path)
        try:
            _check_file(path)
            return cls._writer(path, lock)
        except BaseException:
            _unlock(path, lock)
            raise

    @classmethod
    def _writer(cls, path: Path, lock: IO[bytes]) -> Self:
        with _lines(path):
            connection = sqlite3.connect(path)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
        store = cls(path, connection, lock)
        store._check_content()
        return store

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open an existing store for reading."""
        _check_file(path)
        with _lines(path):
            connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        store = cls(path, connection, None)
        store._check_content()
        return store

    def _check_content(self) -> None:
        with _lines(self.path):
            self.connection.row_factory = sqlite3.Row
            self.connection.execute("SELECT count(*) FROM meta").fetchone()

    def close(self) -> None:
        """Close the file; a store that was written becomes one plain file again."""
        if self._lock is not None:
            # Fails while somebody reads, or on a full disk; the log then stays and nothing is lost.
            with contextlib.suppress(sqlite3.Error):
                self.connection.execute("PRAGMA journal_mode = DELETE")
        self.connection.close()
        if self._lock is not None:
            _unlock(self.path, self._lock)
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
        with _lines(self.path), self.connection:
            self.connection.executemany(_INSERT_POINT, [{**_NO_POINT, **row} for row in rows])

    def add_certificate(self, row: Mapping[str, Any]) -> None:
        """Append the certificate of one point."""
        with _lines(self.path), self.connection:
            self.connection.execute(
                "INSERT INTO certificates VALUES "
                "(:point, :passed, :cases, :cycles, :mismatches, :seconds)",
                row,
            )

    def add_run(self, row: Mapping[str, Any]) -> None:
        """Append the record of one run of the sweep: when, how long, on what."""
        with _lines(self.path), self.connection:
            self.connection.execute(
                "INSERT INTO runs (started, seconds, points, jobs, provenance) VALUES "
                "(:started, :seconds, :points, :jobs, :provenance)",
                row,
            )

    # reading

    def query(self, sql: str, values: Iterable[Any] = ()) -> Iterator[sqlite3.Row]:
        """Rows of a query, one at a time."""
        with _lines(self.path):
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


def _check_file(path: Path) -> None:
    """Refuse what is not a whole store of this version, before SQLite touches it."""
    try:
        with path.open("rb") as file:
            header = file.read(100)
        size = path.stat().st_size
        log = path.with_name(path.name + "-wal")
        has_log = log.exists() and log.stat().st_size > 0
    except FileNotFoundError:
        raise StoreError(
            f"{path}: no such store; make it with `dovetail sweep`, or correct the path"
        ) from None
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be read ({error.strerror}); a store is a file that you may read: "
            f"correct the path or its permissions"
        ) from None
    if not header.startswith(b"SQLite format 3\0") or len(header) < 100:
        raise StoreError(
            f"{path}: not a result store; `dovetail sweep` makes one: correct the path"
        )
    if int.from_bytes(header[68:72]) != APPLICATION_ID:
        raise StoreError(
            f"{path}: a SQLite file, but not a result store; `dovetail sweep` makes one: "
            f"correct the path"
        )
    version = int.from_bytes(header[60:64])
    if version != FORMAT_VERSION:
        raise StoreError(
            f"{path}: store format {version}, this Dovetail reads {FORMAT_VERSION}; "
            f"use the Dovetail that wrote it, or run the sweep again into another file"
        )
    page_bytes = int.from_bytes(header[16:18])
    need = (65536 if page_bytes == 1 else page_bytes) * int.from_bytes(header[28:32])
    # While a log is there, the file itself may be behind it; SQLite then completes it.
    if size < need and not has_log:
        raise StoreError(
            f"{path}: truncated, {size} of {need} bytes; restore the file from a copy, "
            f"or run the sweep again into another file"
        )


def _lock(path: Path) -> IO[bytes]:
    """Take the store's lock, or say who cannot."""
    name = path.with_name(path.name + ".lock")
    while True:
        with _lines(path):
            file = name.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise StoreError(
                f"{path}: another run is writing to it; one run at a time may: wait for it, "
                f"or name another file with --store"
            ) from None
        # The previous owner may have removed the file between our open and our lock.
        if name.exists() and os.path.samestat(name.stat(), os.fstat(file.fileno())):
            return file
        file.close()


def _unlock(path: Path, lock: IO[bytes]) -> None:
    path.with_name(path.name + ".lock").unlink(missing_ok=True)
    lock.close()


@contextlib.contextmanager
def _lines(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system say into one line."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise  # ours, not the user's: a point twice, or a change to what is stored
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        raise StoreError(f"{path}: {_ADVICE.get(code, str(error))}") from error
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be written ({error.strerror}); a store needs a folder that you may "
            f"write to: name another file with --store"
        ) from error


_ADVICE = {
    sqlite3.SQLITE_FULL: "the disk is full; what was stored is kept: free some space and "
    "continue with --resume",
    sqlite3.SQLITE_IOERR: "the disk refused a read or write; what was stored is kept: check the "
    "disk and continue with --resume",
    sqlite3.SQLITE_READONLY: "no permission to write; a store is written by `dovetail sweep`: "
    "change its permissions or name another file with --store",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; a store needs a folder that you may write to: "
    "name another file with --store",
    sqlite3.SQLITE_CORRUPT: "damaged; restore the file from a copy, or run the sweep again into "
    "another file",
    sqlite3.SQLITE_NOTADB: "not a result store; `dovetail sweep` makes one: correct the path",
    sqlite3.SQLITE_BUSY: "another program holds it; close that program and try again",
}
