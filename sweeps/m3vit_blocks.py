"""Which ports and tiles do the mixtures of M3ViT-tiny need, and how many queries should be held?

Engines as they are built, so every point is exact to the cycle; whole encoders under other
schedules are :mod:`dovetail.sweeps.m3vit_schedule`'s question.
"""

from __future__ import annotations

from dovetail.arch.m3vit.design import preset
from dovetail.sweeps.axes import Sweep, Workload

_PORTS = (64, 128, 256)


def mixture() -> Sweep:
    """Port, DRAM latency and tile of tokens, under balanced, skewed and equal routing."""
    return Sweep(
        name="m3vit_mixture",
        question="Where does a mixture of experts turn from waiting for weights to computing, by "
        "port, DRAM latency and routing?",
        system="m3vit",
        base=preset("moe-edge-moe").to_dict(),
        axes={
            "moe.engine.port_bits": _PORTS,
            "moe.engine.dram_latency_cycles": (16, 64, 120),
            "moe.tile_tokens": (1, 2, 4),
        },
        workloads=tuple(
            Workload(network=f"m3vit-tiny-{kind}") for kind in ("balanced", "skewed", "same")
        ),
        technology=None,
        objectives=("time_ms", "port_bits", "dram_mj"),
        series=("moe.engine.port_bits",),
    )


def attention() -> Sweep:
    """Queries held and port of the attention half."""
    return Sweep(
        name="m3vit_attention",
        question="What does holding more queries buy an attention half, behind which port?",
        system="m3vit",
        base=preset("attention-edge-moe").to_dict(),
        axes={
            "attention.engine.port_bits": _PORTS,
            "attention.parallel": (1, 2, 4, 8, 16),
        },
        workloads=(Workload(network="m3vit-tiny-balanced"),),
        technology=None,
        objectives=("time_ms", "port_bits", "multipliers"),
        series=("attention.engine.port_bits",),
    )
