"""Writing a file so that it appears whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO


def write_whole(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Let ``write`` fill a new file and put it in place of ``path`` when it is complete.

    A failed or interrupted write leaves what was there before, and no partial file.  A device or a
    pipe takes the bytes directly.

    Raises
    ------
    OSError
        As the system reports it.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            write(file)
        return
    target = path.resolve()  # through a link, so that the link stays one
    # In the same folder, since a rename does not cross file systems.
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            write(file)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
