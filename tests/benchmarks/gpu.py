"""How long the GPU model takes for a whole network, its tilings searched or found before."""

from __future__ import annotations

from functools import partial

from dovetail.arch.accel_sim import accel_sim
from dovetail.arch.gpu_machine import GpuMachine, machine_preset
from dovetail.models.networks.registry import network
from dovetail.models.trace import Trace
from dovetail.sim.gpu import simulate_on_gpu
from dovetail.sim.gpu_gemm import simulate_gpu_gemm
from dovetail.sim.gpu_issue import issue_cycles
from dovetail.tests.benchmarks.measure import machine, median_ms, table

NETWORKS = ("llama2-7b", "bitnet-3b", "llama2-70b", "opt-175b")
MACHINES = ("a100-fp16", "a100-lut-8x")


def searched(chosen: GpuMachine, trace: Trace) -> None:
    simulate_gpu_gemm.cache_clear()
    simulate_on_gpu(chosen, trace)


def main() -> None:
    machine()
    rows = []
    for name in NETWORKS:
        trace = network(name)
        for preset in MACHINES:
            chosen = machine_preset(preset)
            times = (median_ms(partial(run, chosen, trace)) for run in (searched, simulate_on_gpu))
            rows.append((name, preset, len(trace.ops), *times))
    table(("network", "machine", "operators", "ms, searched", "ms, found before"), rows)
    run = partial(issue_cycles, accel_sim().log, accel_sim().kernel)
    run()
    print(f"sample kernel, instruction by instruction: {median_ms(run):.3g} ms")


if __name__ == "__main__":
    main()
