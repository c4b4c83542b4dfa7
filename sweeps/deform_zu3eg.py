"""CoDeNet on a ZU3EG: which engine gives the most frames a second, and what each variant costs."""

from __future__ import annotations

from dataclasses import replace

from dovetail.arch.deform import DeformDesign, preset
from dovetail.arch.devices import device
from dovetail.models.networks.codenet import VARIANTS
from dovetail.sweeps.axes import Sweep, Workload

DEVICE = "zu3eg"
LIMITED = ("lut", "ff", "dsp", "bram36")
OBJECTIVES = ("frame_ms", "bram36", "dsp", "lut", "clipped_percent")

PUBLISHED_BOUND = 7  # for which accuracies were published
WHOLE, SMALL = (16384, 262144), (8192, 65536)
"""Longest row of the line buffer, and weights of the 1x1 convolution, in bytes: as published, and
the largest that halve the rows and keep a quarter of the weights."""

_PAIRS = ((3, 1), (3, 3), (3, 9), (7, 1), (7, 3), (15, 1), (15, 3))
"""Bound and ports; the published histogram of distances ends at 15 to 17 pixels."""

ARRAYS = (
    *((16, True, *windows, *buffers) for windows in _PAIRS for buffers in (WHOLE, SMALL)),
    (16, True, 7, 9, *WHOLE),
    (16, False, 7, 3, *WHOLE),
    *((8, True, 7, ports, *SMALL) for ports in (1, 3)),
    (32, True, 7, 3, *SMALL),
)
"""Lanes, products in pairs, bound, ports, and the two buffers."""

FREE_BYTES = 18 * 64 * 64
"""Free offsets of the largest of CoDeNet's deformable convolutions at 512 x 512."""

VARIANT_WINDOWS = (
    ("none", 8, 7, 3, 16384, 16384),
    ("none", 8, 7, 1, FREE_BYTES, 16384),
    ("none", 8, 1, 9, 16384, 16384),
    ("gather", 4, 1, 9, 16384, FREE_BYTES),
    ("gather", 8, 1, 9, 16384, FREE_BYTES),
    ("full", 4, 1, 9, 16384, 16384),
    ("full-gather", 4, 1, 9, 16384, FREE_BYTES),
    ("full-1-port", 4, 1, 9, 16384, FREE_BYTES),
    ("full-3-ports", 4, 1, 9, 16384, 16384),
)
"""Second engine and its lanes, bound and ports of the first, bytes of offsets of both."""


def _base() -> DeformDesign:
    return preset("codenet")


def design_space() -> Sweep:
    """Engines for CoDeNet as it is: bound, lanes, ports, buffers and clock."""
    limits = device(DEVICE).limits
    return Sweep(
        name="deform_zu3eg",
        question="Which bound, lanes, line-buffer ports and buffers give CoDeNet the most frames a "
        "second on a ZU3EG, and what do they take of it?",
        system="deform",
        base=_base().to_dict(),
        axes={
            (
                "engine.lanes",
                "engine.packed_products",
                "engine.bound",
                "engine.window_ports",
                "engine.line_row_bytes",
                "engine.pointwise_weight_bytes",
            ): ARRAYS,
            "engine.clock_mhz": (150.0, 200.0, 250.0),
        },
        workloads=(Workload(network="codenet-a"), Workload(network="codenet-c")),
        technology=None,
        objectives=OBJECTIVES,
        limits={name: limits[name] for name in LIMITED},
        series=("engine.window_ports",),
    )


def variants() -> Sweep:
    """Networks of the published ablation, each on every engine that can run it."""
    limits = device(DEVICE).limits
    base = _base()
    return Sweep(
        name="deform_variants",
        question="Which variant of deformable convolution costs how much accuracy for how many "
        "frames a second on a ZU3EG?",
        system="deform",
        base=replace(base, engine=replace(base.engine, clock_mhz=250.0)).to_dict(),
        axes={
            (
                "second",
                "second_lanes",
                "engine.bound",
                "engine.window_ports",
                "engine.offset_buffer_bytes",
                "second_offset_bytes",
            ): VARIANT_WINDOWS,
            "engine.pointwise_weight_bytes": (WHOLE[1], SMALL[1]),
        },
        workloads=(
            Workload(network="codenet-c"),
            *(Workload(network=name) for name in VARIANTS),
        ),
        technology=None,
        objectives=OBJECTIVES,
        limits={name: limits[name] for name in LIMITED},
        series=("second", "engine.window_ports"),
    )
