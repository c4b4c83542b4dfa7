"""The demo's recipe in the Makefile, with stand-ins for the commands that it runs."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STORE = "sweep.sqlite"


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_a_demo_of_other_code_is_moved_aside(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    demo = tmp_path / "demo"
    for name, line in {
        "python": 'echo "$SOURCE"',
        "dovetail": f'echo "$SOURCE" >> {demo}/{STORE}',
    }.items():
        (tools / name).write_text(f"#!/bin/sh\n{line}\n")
        (tools / name).chmod(0o755)

    def make(source: str) -> str:
        return subprocess.check_output(
            ["make", "--no-print-directory", "-o", ".venv/installed", "-o", "check-tools", "demo"]
            + [f"BIN={tools}", f"DEMO={demo}"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "SOURCE": source},
            text=True,
        )

    def moved() -> list[Path]:
        return list(tmp_path.glob("demo-before-*"))

    assert make("one") == "" and make("one") == ""
    before = (demo / STORE).read_text()
    assert before == "one\n" * 4 and not moved()
    out = make("two")
    (aside,) = moved()
    assert out == (f"Other code made {demo}/{STORE}, whose numbers may differ: moved to {aside}/\n")
    assert (aside / STORE).read_text() == before
    assert (demo / STORE).read_text() == "two\n" * 2
