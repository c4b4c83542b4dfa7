"""Reads a signal of the top module at a time from a waveform file."""

import re
from pathlib import Path


def times(path: Path) -> list[int]:
    return [int(line[1:]) for line in path.read_text().splitlines() if line.startswith("#")]


def value_at(path: Path, signal: str, time: int) -> int:
    """Value that the first signal of that name has after all changes at ``time``."""
    code = None
    value = None
    for line in path.read_text().splitlines():
        declared = re.match(r"\s*\$var \w+ +\d+ (\S+) (\S+)", line)
        if declared and code is None and declared[2] == signal:
            code = declared[1]
        if line.startswith("#") and int(line[1:]) > time:
            break
        bits = line.split()
        if code and len(bits) == 2 and bits[1] == code and line[0] == "b":
            value = int(bits[0][1:], 2)
        elif code and line[:1] in "01" and line[1:] == code:
            value = int(line[0])
    assert value is not None, f"{signal} has no value at {time} in {path}"
    return value
