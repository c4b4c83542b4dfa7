"""Points a second of a sweep, store included, and the memory of a large one.

`--points N` sets the size of the large sweep, 100,000 unless given.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from dataclasses import replace
from pathlib import Path

from dovetail.sweeps import mixpe_vs_int8
from dovetail.sweeps.axes import Sweep
from dovetail.sweeps.runner import SweepSummary, run_sweep
from dovetail.tests.benchmarks.measure import child, machine, table

READ = """
from pathlib import Path
from dovetail.sweeps.front import front_points
from dovetail.sweeps.store import Store
from dovetail.sweeps.table import points
with Store.open(Path({path!r})) as store:
    assert len(points(store)) >= {count}
    assert front_points(store)
"""


def large_sweep(count: int) -> Sweep:
    """At least ``count`` points: the sweep of ``mixpe_vs_int8`` at more clocks."""
    sweep = mixpe_vs_int8.sweep()
    axes = dict(sweep.axes)
    axes["engine.clock_mhz"] = (500.0,)
    clocks = -(-count // len(replace(sweep, axes=axes)))
    axes["engine.clock_mhz"] = tuple(100.0 + 400.0 * at / clocks for at in range(clocks))
    return replace(sweep, axes=axes)


def rate(name: str, summary: SweepSummary, jobs: int) -> list[object]:
    return [
        name,
        jobs,
        summary.evaluated,
        summary.failed,
        round(summary.seconds, 1),
        round(summary.points_per_second),
    ]


def mebibytes(who: int) -> float:
    return resource.getrusage(who).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=100_000)
    count = parser.parse_args().points
    machine()
    with tempfile.TemporaryDirectory(prefix="dovetail-bench-") as folder:
        rows = []
        for at, (name, jobs) in enumerate(
            (("mixpe_vs_int8, may compile first", 2), ("again", 2), ("again", 1))
        ):
            summary = run_sweep(mixpe_vs_int8.sweep(), Path(folder) / f"{at}.sqlite", jobs=jobs)
            rows.append(rate(name, summary, jobs))
        path = Path(folder) / "large.sqlite"
        rows.append(rate("the same at many clocks", run_sweep(large_sweep(count), path, jobs=2), 2))
        table(["sweep", "jobs", "points", "failed", "wall s", "points/s"], rows)
        own, worker = mebibytes(resource.RUSAGE_SELF), mebibytes(resource.RUSAGE_CHILDREN)
        _, wall, resident = child(READ.format(path=str(path), count=count), cold=False)
        table(
            ["of the large sweep", "value"],
            [
                ["MiB resident, the process that writes", round(own)],
                ["MiB resident, the largest worker", round(worker)],
                ["MiB resident to read all points and find the front", round(resident / 2**20)],
                ["wall s to do so", round(wall, 1)],
                ["MiB of the store", round(path.stat().st_size / 2**20)],
            ],
        )


if __name__ == "__main__":
    main()
