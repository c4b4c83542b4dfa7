"""The examples of README.md and docs/ run as they stand."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def example(name: str, language: str) -> str:
    """The one block of ``language`` in a document."""
    (block,) = re.findall(
        rf"^```{language}\n(.*?)^```$", (ROOT / name).read_text(), re.DOTALL | re.MULTILINE
    )
    return str(block)


def test_the_python_example_of_the_readme_runs() -> None:
    code = example("README.md", "python")
    out = subprocess.check_output([sys.executable, "-c", code], text=True)
    cycles, utilization = out.split()
    assert int(cycles) > 0 and 0 < float(utilization) <= 1


@pytest.mark.parametrize(
    ("language", "suffix", "points"), [("toml", "toml", 12), ("python", "py", 6)]
)
def test_the_sweeps_of_the_docs_run(
    tmp_path: Path, language: str, suffix: str, points: int
) -> None:
    path = tmp_path / f"mine.{suffix}"
    path.write_text(example("docs/sweeps.md", language))
    command = [sys.executable, "-m", "dovetail", "sweep", str(path), "--jobs", "1", "--json"]
    data = json.loads(subprocess.check_output(command, text=True, cwd=tmp_path))
    assert (data["points"], data["rejected"], data["failed"]) == (points, 0, 0)
    assert data["front"]
