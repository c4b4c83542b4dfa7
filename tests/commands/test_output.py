"""src/dovetail/commands/output.py"""

import resource
from pathlib import Path

import pytest

from dovetail.commands.output import check_writable, write_text
from dovetail.errors import ConfigError


def test_a_text_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "engine.v"
    write_text(path, "old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # as a disk that fills up
    try:
        with pytest.raises(ConfigError, match=r"engine\.v: cannot be written \(File too large\); "):
            write_text(path, "x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_is_tried_before_the_work(tmp_path: Path) -> None:
    path = tmp_path / "table.toml"
    check_writable(path)
    assert not path.exists()
    path.write_text("old")
    check_writable(path)
    assert path.read_text() == "old"
    for wrong in (tmp_path, tmp_path / "no" / "table.toml"):
        with pytest.raises(ConfigError, match=r": cannot be written \(.*\); name a file in a fold"):
            check_writable(wrong)
