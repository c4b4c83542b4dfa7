"""Yosys in a child process: the one way from this package to Yosys commands.

On any error Yosys ends the process that it runs in, so it cannot be called from ours.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dovetail.errors import ToolError

# Run by a bare interpreter; the commands arrive as JSON on its standard input.
_CHILD = """
import json, sys
from pyosys import libyosys
design = libyosys.Design()
for command in json.load(sys.stdin):
    libyosys.run_pass(command, design)
"""


def run_yosys(commands: Sequence[str], *, folder: Path, timeout_s: float = 600.0) -> str:
    """Run Yosys commands on one design, in order.

    Parameters
    ----------
    commands : sequence of str
        Yosys commands.  They run inside ``folder``, so a plain file name in them needs no quoting,
        wherever the folder is.
    folder : Path
        Existing folder with the inputs; outputs appear in it.
    timeout_s : float
        Seconds after which Yosys, and what it started, is ended.

    Returns
    -------
    str
        Everything that Yosys printed.

    Raises
    ------
    ToolError
        Yosys refused a command, crashed or took too long; the message holds its own words.
    """
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        # A group of its own, so that ending it also ends the abc that Yosys started.
        start_new_session=True,
    )
    try:
        log, _ = child.communicate(json.dumps(list(commands)), timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise ToolError(
            f"Yosys did not finish within {timeout_s:g} s; "
            f"synthesise a smaller design or allow more time"
        ) from None
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    if child.returncode:
        raise ToolError(f"Yosys failed: {_reason(log, child.returncode)}")
    return log


def _reason(log: str, code: int) -> str:
    """The line of a failed run's log that says why it failed."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    if errors:
        return errors[-1]
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return lines[-1] if lines else f"exit code {code}"
