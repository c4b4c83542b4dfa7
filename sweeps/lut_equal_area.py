"""At equal array area: LUT arrays, multipliers, bit-serial adders and MixPE, in every shape."""

from __future__ import annotations

from dataclasses import replace

from dovetail.arch.cores import Core
from dovetail.arch.lut import preset
from dovetail.arch.technology import technology
from dovetail.sweeps.axes import Sweep, Workload
from dovetail.sweeps.equal_area import BAND, arrays_by_rows

TECHNOLOGY = "nangate45"
BASELINE = (8, 64)  # LUT array whose area is the target: 2,048 lanes of one weight bit
LUT_K = 4
SERIES: tuple[tuple[Core, int], ...] = (
    ("lut_int8", 1),
    ("lut_int8", 2),
    ("lut_int8", 4),
    ("add_int8", 2),
    ("mac_int8", 8),
    ("mixpe_w4a8", 4),
)
"""Cores, and bits of the weights that each runs; all are two's complement in groups of 128."""

# On-chip capacity of activations, weights, scales and sums; the smallest holds few tiles.
BUFFERS = (
    (16384, 16384, 4096, 32768),
    (65536, 65536, 16384, 65536),
    (262144, 262144, 65536, 262144),
)
WORKLOADS = tuple(
    Workload(network=network, phase=phase)
    for network in ("llama2-7b", "bitnet-3b")
    for phase in ("prefill", "decode")
)


def sweep() -> Sweep:
    """Each core in every aspect that has the area of the baseline, whatever its weights."""
    table = technology(TECHNOLOGY)
    base = replace(preset("w2a8-m2n64k4"), levels="twos_complement")
    engine = replace(base.engine, clock_mhz=table.clock_mhz)
    rows, cols = BASELINE
    target_um2 = table.array_um2(replace(engine, rows=rows, cols=cols))
    shapes = {
        core: arrays_by_rows(
            replace(engine, core=core, lut_k=_lut_k(core)),
            target_um2=target_um2,
            band=BAND,
            technology=table,
        )
        for core in dict(SERIES)
    }
    return Sweep(
        name="lut_equal_area",
        question=f"At equal array area (within {BAND * 100:.0f} % of a LUT array of {rows} x "
        f"{cols}, steps of {LUT_K}), does looking up beat multipliers, bit-serial adders and MixPE "
        "on LLaMA-2-7B and BitNet b1.58 3B, and in which shape?",
        system="lut",
        base=replace(base, engine=engine).to_dict(),
        axes={
            ("engine.core", "weight_bits", "engine.rows", "engine.cols", "engine.lut_k"): tuple(
                (core, bits, *shape, _lut_k(core))
                for core, bits in SERIES
                for shape in shapes[core]
            ),
            (
                "engine.activation_buffer_bytes",
                "engine.weight_buffer_bytes",
                "engine.scale_buffer_bytes",
                "engine.accumulator_buffer_bytes",
            ): BUFFERS,
            "engine.port_bits": (128, 512),
        },
        workloads=WORKLOADS,
        technology=TECHNOLOGY,
    )


def _lut_k(core: Core) -> int:
    """k of a step; one k a cycle moves through MixPE's array."""
    return 1 if core == "mixpe_w4a8" else LUT_K
