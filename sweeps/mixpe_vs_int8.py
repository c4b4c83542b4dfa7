"""At equal array area, does MixPE W4A8 beat an INT8 multiplier array on LLaMA-2-7B?"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from dovetail.arch.mixpe import preset
from dovetail.arch.technology import technology
from dovetail.sweeps.axes import Sweep, Workload
from dovetail.sweeps.equal_area import arrays_as_large_as

TECHNOLOGY = "nangate45"
BASELINES = ((8, 8), (16, 16), (32, 32))  # INT8 arrays whose areas are the targets
WORKLOADS = (
    Workload(network="llama2-7b", phase="prefill"),
    Workload(network="llama2-7b", phase="decode"),
)


def sweep(library: str = TECHNOLOGY) -> Sweep:
    """Arrays of three areas in one technology, each core in every shape that has that area.

    They run at the clock for which the technology's units were sized, and at half of it.
    """
    table = technology(library)
    base = preset("w4a8-32x32")
    engine = replace(base.engine, clock_mhz=table.clock_mhz)
    arrays = arrays_as_large_as(engine, BASELINES, technology=table)
    return Sweep(
        name="mixpe_vs_int8" if library == TECHNOLOGY else f"mixpe_vs_int8_{library}",
        question="At equal array area (within 5 % of an INT8 array of 8 x 8, 16 x 16 or 32 x 32), "
        "does MixPE W4A8 beat an INT8 multiplier array on LLaMA-2-7B prefill and decode?",
        system="mixpe",
        base=replace(base, engine=engine).to_dict(),
        axes={
            ("engine.core", "engine.rows", "engine.cols"): arrays,
            (
                "engine.activation_buffer_bytes",
                "engine.weight_buffer_bytes",
                "engine.scale_buffer_bytes",
                "engine.accumulator_buffer_bytes",
            ): (
                (65536, 32768, 4096, 32768),
                (131072, 65536, 8192, 65536),
                (262144, 131072, 16384, 131072),
            ),
            "engine.port_bits": (256, 512, 1024),
            "group": (32, 64, 128),
            "engine.clock_mhz": (table.clock_mhz / 2, table.clock_mhz),
        },
        workloads=WORKLOADS,
        technology=library,
    )


asap7 = partial(sweep, "asap7")
sky130hd = partial(sweep, "sky130hd")
