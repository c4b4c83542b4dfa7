"""Where tests find Liberty files: they are data to run against, not part of the repository."""

import os
import shutil
from pathlib import Path

import pytest

_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "liberty"


def liberty(name: str) -> Path:
    """Path of a Liberty file; skips the test where it, or OpenSTA, is absent."""
    if shutil.which("sta") is None:
        pytest.skip("no command 'sta' on PATH: apt-get install opensta")
    folder = Path(os.environ.get("DOVETAIL_LIBERTY", _BESIDE))
    if not (folder / name).is_file():
        pytest.skip(f"no {name} in {folder}; set DOVETAIL_LIBERTY to the folder that holds it")
    return folder / name
