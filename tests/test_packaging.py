"""The wheel and the sdist hold the whole package and nothing beside it."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ("arch", "models", "reports", "rtl", "sim", "sweeps")


@pytest.fixture(scope="module")
def tracked() -> set[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: what belongs to the package is what git tracks")
    # Untracked files that git would take count too, so that a file not yet committed passes.
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "src/dovetail"]
    names = subprocess.check_output([*listing, *LAYERS], cwd=ROOT, text=True).splitlines()
    return {name for name in names if (ROOT / name).exists()}


def built(target: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    (path,) = folder.iterdir()
    return path


def test_wheel_is_the_tracked_tree_under_one_name(tracked: set[str], tmp_path: Path) -> None:
    names = zipfile.ZipFile(built("wheel", tmp_path)).namelist()
    shipped = {name for name in names if ".dist-info/" not in name}
    moved = {n.removeprefix("src/") if n.startswith("src/") else f"dovetail/{n}" for n in tracked}
    assert shipped == moved


def test_sdist_lacks_nothing(tracked: set[str], tmp_path: Path) -> None:
    with tarfile.open(built("sdist", tmp_path)) as archive:
        shipped = {name.split("/", 1)[1] for name in archive.getnames()}
    assert tracked <= shipped
