"""How the benchmarks measure: processor time, medians, and children that start cold."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path


def median_ms(function: Callable[[], object], *, repeats: int = 7) -> float:
    """Median processor time of ``function`` in ms, which other processes do not stretch much."""
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        function()
        times.append(time.process_time() - begin)
    return 1e3 * statistics.median(times)


def child(code: str, *, cold: bool) -> tuple[float, float, int]:
    """Run Python ``code`` in a process of its own.

    Parameters
    ----------
    code : str
    cold : bool
        With an empty cache of compiled kernels.

    Returns
    -------
    (float, float, int)
        Processor seconds of the child and its own children, wall seconds, largest resident bytes
        of any of them.
    """
    with tempfile.TemporaryDirectory(prefix="dovetail-bench-") as folder:
        environment = dict(os.environ)
        if cold:
            environment["NUMBA_CACHE_DIR"] = folder
        begin = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-c", code], env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"the benchmark's child process failed:\n{code}")
    return usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * 1024


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table; floats get three significant digits."""

    def text(value: object) -> str:
        return f"{value:.3g}" if isinstance(value, float) else str(value)

    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(text(value) for value in row) + " |", flush=True)
    print()


def machine() -> None:
    """Print what the figures were measured on."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    load = os.getloadavg()[0]
    print(
        f"{model}, {os.cpu_count()} processors, Python {platform.python_version()}; "
        f"load {load:.1f} at the start\n"
    )
