"""The question of ``mixpe_vs_int8`` on arrays of up to 256 PEs, for `make demo`."""

from __future__ import annotations

from dovetail.arch.mixpe import preset
from dovetail.arch.technology import technology
from dovetail.sweeps.axes import Sweep
from dovetail.sweeps.equal_area import arrays_as_large_as
from dovetail.sweeps.mixpe_vs_int8 import TECHNOLOGY, WORKLOADS

BASELINES = ((8, 8), (8, 16))  # INT8 arrays whose areas are the targets
MAX_PES = 256  # builds and runs in Verilator in seconds


def sweep() -> Sweep:
    """Arrays of two areas, each core in every shape that has that area."""
    base = preset("w4a8-8x8")
    arrays = arrays_as_large_as(base.engine, BASELINES, technology=technology(TECHNOLOGY))
    small = tuple((core, rows, cols) for core, rows, cols in arrays if rows * cols <= MAX_PES)
    return Sweep(
        name="demo",
        question="At equal array area, does MixPE W4A8 beat an INT8 multiplier array on "
        "LLaMA-2-7B prefill and decode?",
        system="mixpe",
        base=base.to_dict(),
        axes={
            ("engine.core", "engine.rows", "engine.cols"): small,
            (
                "engine.activation_buffer_bytes",
                "engine.weight_buffer_bytes",
                "engine.accumulator_buffer_bytes",
            ): ((2048, 2048, 2048), (16384, 16384, 16384), (65536, 65536, 65536)),
            "engine.port_bits": (32, 128, 512),
            "group": (32, 64, 128),
            "engine.clock_mhz": (250.0, 500.0),
        },
        workloads=WORKLOADS,
        technology=TECHNOLOGY,
    )
