"""At equal array area, does MixPE W4A8 beat an INT8 multiplier array on LLaMA-2-7B?"""

from __future__ import annotations

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


def sweep() -> Sweep:
    """Arrays of three areas, each core in every shape that has that area."""
    base = preset("w4a8-32x32")
    arrays = arrays_as_large_as(base.engine, BASELINES, technology=technology(TECHNOLOGY))
    return Sweep(
        name="mixpe_vs_int8",
        question="At equal array area (within 5 % of an INT8 array of 8 x 8, 16 x 16 or 32 x 32), "
        "does MixPE W4A8 beat an INT8 multiplier array on LLaMA-2-7B prefill and decode?",
        system="mixpe",
        base=base.to_dict(),
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
            "engine.clock_mhz": (250.0, 500.0),
        },
        workloads=WORKLOADS,
        technology=TECHNOLOGY,
    )
