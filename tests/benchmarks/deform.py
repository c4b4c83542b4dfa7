"""How long it takes to simulate a frame of each CoDeNet on its engine, every call and offset."""

from __future__ import annotations

from dovetail.arch.deform import preset
from dovetail.models.networks.registry import network
from dovetail.sim.deform_network import simulate_network
from dovetail.tests.benchmarks.measure import machine, median_ms, table

NETWORKS = ("codenet-a", "codenet-c", "codenet-d")


def main() -> None:
    machine()
    print("A frame on the preset codenet, one image, one core, warm: median ms\n")
    design = preset("codenet")
    rows: list[list[object]] = []
    for name in NETWORKS:
        trace = network(name)
        result = simulate_network(design, trace)
        time_ms = median_ms(lambda trace=trace: simulate_network(design, trace))  # type: ignore[misc]
        rows.append([name, len(result.calls), result.cycles, time_ms])
    table(["network", "calls", "cycles", "ms"], rows)


if __name__ == "__main__":
    main()
