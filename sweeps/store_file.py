"""The file of a result store: is it one, may one write to it, and who does; errors in one line."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from dovetail.errors import StoreError
from dovetail.sweeps.schema import APPLICATION_ID, FORMAT_VERSION


def check_file(path: Path) -> None:
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


def lock_file(path: Path) -> IO[bytes]:
    """Take the store's lock, or say who cannot."""
    name = path.with_name(path.name + ".lock")
    while True:
        with one_line(path):
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


def unlock_file(path: Path, lock: IO[bytes]) -> None:
    path.with_name(path.name + ".lock").unlink(missing_ok=True)
    lock.close()


@contextlib.contextmanager
def one_line(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system say into one line that helps."""
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
