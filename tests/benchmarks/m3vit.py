"""How long it takes to simulate the schedule of M3ViT-small on NYUD with a real routing."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from dovetail.arch.m3vit.schedule import schedule_preset
from dovetail.models.m3vit.config import SMALL
from dovetail.models.networks.m3vit_trace import routing_of
from dovetail.models.networks.registry import network
from dovetail.sim.m3vit_schedule import simulate_schedule
from dovetail.tests.benchmarks.measure import machine, median_ms, table

BUFFER_BYTES = 1 << 21


def main() -> None:
    machine()
    trace = network("m3vit-small")
    print(
        f"Schedule of {trace.network}, {trace.seq} tokens, one image, one core, warm: median ms\n"
    )
    rows: list[list[object]] = []
    for preset in ("edge-moe-zcu102", "m3vit-zcu104"):
        base = replace(schedule_preset(preset), weight_buffer_bytes=BUFFER_BYTES)
        for schedule in ("expert_by_expert", "resident", "cached"):
            design = replace(base, schedule=schedule, cache_experts=4)
            routing = routing_of(trace)
            run = partial(simulate_schedule, design, SMALL, routing)
            from_trace = partial(lambda d: simulate_schedule(d, SMALL, routing_of(trace)), design)
            rows.append([preset, schedule, run().cycles, median_ms(run), median_ms(from_trace)])
    table(["design", "schedule", "cycles", "routing given", "routing from the trace"], rows)


if __name__ == "__main__":
    main()
