"""arch/registers.py: every flip-flop of a core is priced, or is part of its drain control."""

import json
from pathlib import Path
from typing import Any, Literal

import pytest

from dovetail.arch.cores import CORES, Core
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.registers import pe_weight_bits
from dovetail.arch.units import CORE_UNITS
from dovetail.rtl.engines import compute_core
from dovetail.rtl.gemm.drain import DrainControl
from dovetail.rtl.units import axis, unit
from dovetail.rtl.verilog import rtlil_modules
from dovetail.rtl.yosys import run_yosys


def flip_flops(component: Any, folder: Path) -> int:
    """Flip-flops that are left of a component, its small memories among them.

    The accumulators of the engines here are larger memories, which the table prices by the bit.
    """
    texts = rtlil_modules(component, name="top")
    for index, text in enumerate(texts):
        (folder / f"{index}.il").write_text(text)
    run_yosys(
        [
            *(f"read_rtlil {index}.il" for index in range(len(texts))),
            "hierarchy -check -top top",
            "proc",
            "flatten",
            "opt_clean -purge",
            "memory_collect",
            "memory_map t:$mem_v2 r:SIZE<256 %i",
            "simplemap",
            "opt_clean -purge",
            "tee -q -o stat.json stat -json",
        ],
        folder=folder,
    )
    (module,) = json.loads((folder / "stat.json").read_text())["modules"].values()
    cells: dict[str, int] = module["num_cells_by_type"]
    return sum(count for kind, count in cells.items() if "DFF" in kind)


def _unused(config: GemmEngineConfig) -> int:
    """Flip-flops of units whose outputs nobody reads, so that synthesis drops them."""
    spec, rows, cols = config.spec, config.rows, config.cols
    if spec.broadcast:
        return cols + spec.group_sums  # shift of each chain's last row
    activations = spec.activation_bits * rows  # of the last column's PEs
    # Weight, first and signed, shift of each last row's PE.
    bottom = cols * (pe_weight_bits(config) + 2 + 1)
    if spec.after_group:
        # A scaled sum has a sign, 12 bits of scale and 4 of the high nibbles more.
        increments = 0 if spec.floating else cols * (36 - (config.pe_accumulator_bits + 1 + 12 + 4))
        sums = 2 + 1 + (rows - 1)  # the same of the group sums, and signed all the way down
        return activations + bottom + sums + increments
    signed = 0 if spec.dequantise == "pe" else cols * (rows - 1)
    # The table's adder of integers is as wide as MixPE's.
    increments = 0 if spec.floating else cols * (36 - config.pe_accumulator_bits)
    nibbles = config.segments_in_flight  # in the drain control's queue
    return activations + bottom + signed + increments + nibbles


SHAPES = [(2, 3), (4, 2), (3, 8)]
ONCE = ("lut_int16", "lut_fp16", "lut_fp8")
"""Cores whose registers follow from those of ``lut_int8``, or take long to count."""


@pytest.mark.parametrize(
    ("core", "tables", "rows", "cols"),
    [
        *((core, "made", *s) for core in CORE_UNITS for s in SHAPES if core not in ONCE),
        *((core, "made", 2, 3) for core in ONCE),
        ("lut_int8", "loaded", 2, 3),
        ("lut_fp16", "loaded", 4, 2),
    ],
)
def test_priced_registers_are_those_of_the_core(
    tmp_path: Path, core: Core, tables: Literal["made", "loaded"], rows: int, cols: int
) -> None:
    config = GemmEngineConfig(
        core=core,
        rows=rows,
        cols=cols,
        lut_k=4 if CORES[core].broadcast else 1,
        tables=tables,
        accumulator_buffer_bytes=65536,
    )
    sizes = {
        "max_group": config.max_group,
        "depth": config.segments_in_flight,
        "sum_format": config.sum_format,
        None: None,
    }

    def bits(component: Any, name: str) -> int:
        folder = tmp_path / name
        folder.mkdir()
        return flip_flops(component, folder)

    priced = 0
    for index, part in enumerate(CORE_UNITS[core]):
        if part.component != "output":  # lies outside the core and has no register
            component = unit(part.name, size=sizes[axis(part.name)])
            priced += part.count(config) * bits(component, f"unit_{index}")
    drain = bits(DrainControl(config), "drain")
    assert bits(compute_core(config), "core") == priced + drain - _unused(config)
