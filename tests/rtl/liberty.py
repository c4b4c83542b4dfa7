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


def library_files(node: str) -> list[Path]:
    """All files of ``asap7``, ``nangate45`` or ``sky130hd``; skips the test as :func:`liberty`."""
    names = {
        "asap7": tuple(
            f"asap7sc7p5t_{part}.lib.gz"
            for part in (
                "AO_RVT_TT_nldm_211120",
                "INVBUF_RVT_TT_nldm_220122",
                "OA_RVT_TT_nldm_211120",
                "SEQ_RVT_TT_nldm_220123",
                "SIMPLE_RVT_TT_nldm_211120",
            )
        ),
        "nangate45": ("nangate45_typ.lib.gz",),
        "sky130hd": ("sky130hd_tt.lib.gz",),
    }
    return [liberty(name) for name in names[node]]
