"""How long the exhaustive mapping search takes per design point of LLaMA-2-7B."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from itertools import product

from dovetail.arch.mixpe import MixpeDesign, preset
from dovetail.models.networks.registry import network
from dovetail.models.trace import Trace
from dovetail.sim import mapping
from dovetail.sim.mixpe import gemm_of
from dovetail.sim.network import MAPPING_SLACK
from dovetail.tests.benchmarks.measure import machine, table

BUFFERS = (
    (65536, 32768, 4096, 32768),
    (131072, 65536, 8192, 65536),
    (262144, 131072, 16384, 131072),
)
SIZES = (8, 16, 32, 64)
CORES = ("mixpe_w4a8", "int8")


def designs(size: int) -> list[MixpeDesign]:
    """Every combination of core, buffers, group and port at one array size that can be built."""
    base = preset("w4a8-32x32")
    points = []
    for core, buffers, group, port in product(CORES, BUFFERS, (32, 64, 128), (256, 512, 1024)):
        activations, weights, scales, accumulators = buffers
        try:
            engine = replace(
                base.engine,
                core=core,
                rows=size,
                cols=size,
                activation_buffer_bytes=activations,
                weight_buffer_bytes=weights,
                scale_buffer_bytes=scales,
                accumulator_buffer_bytes=accumulators,
                port_bits=port,
            )
        except ValueError:  # no room for two tiles of a large array
            continue
        points.append(replace(base, engine=engine, group=group))
    return points


def search_ms(design: MixpeDesign, trace: Trace) -> float:
    gemms = {gemm_of(design, op) for op in trace.gemms}
    mapping._search.cache_clear()
    begin = time.process_time()
    for gemm in gemms:
        mapping.best_mapping(design.engine, gemm, slack=MAPPING_SLACK)
    return 1e3 * (time.process_time() - begin)


def main() -> None:
    machine()
    traces = {
        "prefill": network("llama2-7b", phase="prefill"),
        "decode": network("llama2-7b", phase="decode"),
    }
    search_ms(preset("w4a8-32x32"), traces["prefill"])  # compiles
    rows = []
    for size, (phase, trace) in product(SIZES, traces.items()):
        times = [search_ms(design, trace) for design in designs(size)]
        rows.append([f"{size} x {size}", phase, len(times), statistics.median(times), max(times)])
    print("Search of all GEMMs of a design point, one core: processor ms\n")
    table(["array", "phase", "designs", "median", "most"], rows)


if __name__ == "__main__":
    main()
