"""How long the Verilog of a 32 x 32 engine takes, and on what."""

from __future__ import annotations

import resource
import time
from dataclasses import replace

from dovetail.arch.mixpe import preset
from dovetail.rtl.engines import engine
from dovetail.rtl.verilog import verilog
from dovetail.tests.benchmarks.measure import machine, table


def children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    machine()
    rows = []
    for core in ("mixpe_w4a8", "int8"):
        config = replace(preset("w4a8-32x32").engine, core=core)
        wall, own, yosys = time.perf_counter(), time.process_time(), children_s()
        text = verilog(engine(config), name="engine")
        rows.append(
            [
                core,
                time.process_time() - own,
                children_s() - yosys,
                time.perf_counter() - wall,
                len(text) / 1e6,
            ]
        )
    print("Verilog of a 32 x 32 engine with the buffers of the preset\n")
    table(["core", "Amaranth, processor s", "Yosys, processor s", "wall s", "MB"], rows)


if __name__ == "__main__":
    main()
