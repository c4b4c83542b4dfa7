"""At equal array area: LUT arrays for each format of activations, with tables made or loaded."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from dovetail.arch.cores import Core
from dovetail.arch.lut import preset
from dovetail.arch.technology import technology
from dovetail.sweeps.axes import Sweep, Workload
from dovetail.sweeps.equal_area import BAND, arrays_by_rows

TECHNOLOGY = "asap7"  # the units of every format meet its clock; in Nangate45 FP32 sums do not
BASELINE = (8, 64)  # rows and columns of the INT8 array whose area is the target
CORES: tuple[Core, ...] = ("lut_int8", "lut_int16", "lut_fp16", "lut_fp8")
TABLES: tuple[Literal["made", "loaded"], ...] = ("made", "loaded")
WEIGHT_BITS = (1, 2, 4)
WORKLOADS = tuple(Workload(network="bitnet-3b", phase=phase) for phase in ("prefill", "decode"))


def sweep() -> Sweep:
    """Each format in every aspect that has the area of the baseline, whatever its weights.

    Tables rounded to 8 bits have no price in an engine; what their units cost is in
    docs/lut-hardware.md, what they lose in docs/lut.md.
    """
    table = technology(TECHNOLOGY)
    base = replace(preset("w2a8-m2n64k4"), levels="odd")
    engine = replace(base.engine, clock_mhz=table.clock_mhz)
    rows, cols = BASELINE
    target_um2 = table.array_um2(replace(engine, rows=rows, cols=cols))
    return Sweep(
        name="lut_formats",
        question=f"At equal array area (within {BAND * 100:.0f} % of an INT8 LUT array of {rows} x "
        f"{cols} that makes its tables), what do INT16, FP16 and FP8 activations cost beside INT8 "
        "on BitNet b1.58 3B, and tables that are loaded ready-made?",
        system="lut",
        base=replace(base, engine=engine).to_dict(),
        axes={
            ("engine.core", "engine.tables", "engine.rows", "engine.cols"): tuple(
                (core, tables, *shape)
                for core in CORES
                for tables in TABLES
                for shape in arrays_by_rows(
                    replace(engine, core=core, tables=tables),
                    target_um2=target_um2,
                    band=BAND,
                    technology=table,
                )
            ),
            "weight_bits": WEIGHT_BITS,
        },
        workloads=WORKLOADS,
        technology=TECHNOLOGY,
    )
