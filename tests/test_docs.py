"""The examples of README.md and docs/ run as they stand."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dovetail.sweeps.mixpe_verdict import verdict
from dovetail.sweeps.pe_table import markdown

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


def test_the_worked_example_of_table_lookup() -> None:
    """It prints what the page says, and the page says what arithmetic says."""
    code, printed = example("docs/lut.md", "python"), example("docs/lut.md", "text")
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == printed
    weights, a = (-1, 1, -3, 3), (3, 50, -7, 100)
    lines = printed.splitlines()
    assert lines[0] == f"weights [{weights[0]}  {weights[1]} {weights[2]}  {weights[3]}]"
    sums = [sum(s * x for s, x in zip(signs, a[:3], strict=True)) - a[3] for signs in SIGNS]
    assert [int(x) for x in re.findall(r"-?\d+", lines[1])] == sums
    assert lines[4].split()[-1] == str(sum(w * x for w, x in zip(weights, a, strict=True)))


# Of the first three activations, that of the first changing fastest.
SIGNS = [(x, y, z) for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)]


def test_the_pes_in_the_docs_are_those_of_the_tables() -> None:
    text = (ROOT / "docs" / "energy.md").read_text(encoding="utf-8")
    assert markdown() in text
    quoted = " ".join(line.removeprefix("> ") for line in text.splitlines())
    assert verdict() in quoted


def test_the_readme_names_every_document() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"\]\(docs/([^)]+\.md)\)", text)
    assert sorted(set(named)) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))
