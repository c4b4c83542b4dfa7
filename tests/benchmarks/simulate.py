"""How long it takes to simulate LLaMA-2-7B prefill, mappings given; what skipping spares."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from dovetail.arch.gemm import SMALLEST_TILE
from dovetail.arch.mixpe import MixpeDesign, preset
from dovetail.models.networks.registry import network
from dovetail.sim.gemm_engine import simulate_gemm
from dovetail.sim.mixpe import simulate
from dovetail.tests.benchmarks.measure import child, machine, median_ms, table

SIZES = (8, 16, 32, 64, 128)
GROUPS = (32, 64, 128)
COLD = """
from dovetail.arch.mixpe import preset
from dovetail.models.networks.registry import network
from dovetail.sim.mixpe import simulate
simulate(preset("w4a8-32x32"), network("llama2-7b"))
"""


def design(rows: int, cols: int, group: int, core: str) -> MixpeDesign:
    base = preset("w4a8-32x32")
    # Two halves of two tiles of 48-bit accumulators, at least.
    accumulators = max(base.engine.accumulator_buffer_bytes, 4 * rows * cols * 6)
    engine = replace(
        base.engine, core=core, rows=rows, cols=cols, accumulator_buffer_bytes=accumulators
    )
    return replace(base, engine=engine, group=group)


def simulation_ms(point: MixpeDesign) -> float:
    trace = network("llama2-7b")
    mappings = {op.result.gemm: op.result.mapping for op in simulate(point, trace).ops}
    return median_ms(lambda: simulate(point, trace, mappings=mappings))


def skip_times(point: MixpeDesign) -> list[list[object]]:
    """Each distinct GEMM of the network by its own mapping, the first one also in least tiles."""
    first = {}
    for op in simulate(point, network("llama2-7b")).ops:
        first.setdefault(op.result.gemm, op)
    runs = [(op.name, op.result.gemm, op.result.mapping) for op in first.values()]
    name, gemm, _ = runs[0]
    runs.insert(1, (f"{name}, least tiles", gemm, SMALLEST_TILE))
    rows: list[list[object]] = []
    for name, gemm, mapping in runs:
        one = partial(simulate_gemm, point.engine, gemm, mapping)
        with_skip, without = (median_ms(partial(one, skip=skip)) for skip in (True, False))
        shape = f"{gemm.m} x {gemm.n} x {gemm.k}"
        rows.append([name, shape, one().cycles, with_skip, without, without / with_skip])
    return rows


def main() -> None:
    machine()
    print("Simulation of LLaMA-2-7B prefill, mappings given, one core, warm: median ms\n")
    table(
        ["core", "array", *(f"group {group}" for group in GROUPS)],
        [
            [core, f"{size} x {size}"]
            + [simulation_ms(design(size, size, group, core)) for group in GROUPS]
            for core in ("mixpe_w4a8", "int8")
            for size in SIZES
        ],
    )
    print("What skipping repeated tiles spares, MixPE 32 x 32, group 128: ms\n")
    table(
        ["operator", "GEMM", "cycles", "with", "without", "ratio"],
        skip_times(preset("w4a8-32x32")),
    )
    print("A whole process, search and import included\n")
    rows = []
    for name, cold in (("cold, kernels to compile", True), ("warm", False)):
        cpu, wall, resident = child(COLD, cold=cold)
        rows.append([name, cpu, wall, resident / 2**20])
    table(["process", "processor s", "wall s", "MiB resident"], rows)


if __name__ == "__main__":
    main()
