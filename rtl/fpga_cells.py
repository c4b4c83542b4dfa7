"""Cells of an FPGA netlist: which resource each of them takes, and how much of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from dovetail.errors import ToolError

__all__ = ["Counts", "count_cells"]

Counts = dict[str, float]

# LUTs that each cell occupies.  A LUT is 64 x 1 bits of memory or 32 x 2, and has one port: depth
# over 64 for one read and write port, and as much again for a second read port.  The cells of
# several bits are named after the slice that they fill, of four LUTs or eight.
_LUT_CELLS = {
    **{f"LUT{inputs}": 1 for inputs in range(1, 7)},
    "INV": 1,
    "SRL16E": 1,
    "SRLC32E": 1,
}
_LUT_MEMORIES = {
    "RAM32X1S": 1,
    "RAM32X1D": 2,
    "RAM64X1S": 1,
    "RAM64X1D": 2,
    "RAM128X1S": 2,
    "RAM128X1D": 4,
    "RAM256X1S": 4,
    "RAM256X1D": 8,
    "RAM512X1S": 8,
    "RAM32M": 4,
    "RAM64M": 4,
    "RAM32M16": 8,
    "RAM64M8": 8,
    "RAM64X8SW": 8,
    "RAM32X16DR8": 8,
}
_FLIP_FLOPS = frozenset({"FDRE", "FDSE", "FDCE", "FDPE"})
_DSPS = frozenset({"DSP48E1", "DSP48E2"})
_BLOCK_RAMS = {"RAMB36E1": 1.0, "RAMB36E2": 1.0, "RAMB18E1": 0.5, "RAMB18E2": 0.5}
# Multiplexers between the LUTs of a slice cost nothing of their own; $scopeinfo is a note.
_FREE = frozenset({"MUXF7", "MUXF8", "MUXF9", "$scopeinfo"})


def count_cells(cells: Mapping[str, Any], *, carry8: bool, modules: Collection[str]) -> Counts:
    """Count the cells of one module by the names of :class:`dovetail.rtl.fpga.FpgaReport`.

    Parameters
    ----------
    cells : dict
        ``cells`` of a module in Yosys' JSON.
    carry8 : bool
        Count CARRY8 and not the CARRY4 that Yosys maps to.
    modules : collection of str
        Modules of the design, which are counted on their own.

    Raises
    ------
    ToolError
        A cell is not known here.
    """
    found = Counter(cell["type"] for cell in cells.values())
    carries = list(_carry_chains(cells))
    resources = {
        "lut": sum(found[kind] * luts for kind, luts in (_LUT_CELLS | _LUT_MEMORIES).items()),
        "lut_memory": sum(found[kind] * luts for kind, luts in _LUT_MEMORIES.items()),
        "ff": sum(found[kind] for kind in _FLIP_FLOPS),
        "carry": sum((chain + 1) // 2 if carry8 else chain for chain in carries),
        "dsp": sum(found[kind] for kind in _DSPS),
        "bram36": sum(found[kind] * blocks for kind, blocks in _BLOCK_RAMS.items()),
        "uram": found["URAM288"],
    }
    known = {"CARRY4", "URAM288", *_LUT_CELLS, *_LUT_MEMORIES, *_FLIP_FLOPS, *_DSPS, *_BLOCK_RAMS}
    unknown = set(found) - known - _FREE - set(modules)
    if unknown:
        raise ToolError(
            f"Yosys mapped to {', '.join(sorted(unknown))}, whose size is not known here; "
            f"add it to rtl/fpga_cells.py"
        )
    return resources


def _carry_chains(cells: Mapping[str, Any]) -> Iterator[int]:
    """Length of each chain of CARRY4."""
    carries = [cell["connections"] for cell in cells.values() if cell["type"] == "CARRY4"]
    after = {ports["CI"][0]: ports for ports in carries}
    out = {ports["CO"][3] for ports in carries}
    for ports in carries:
        if ports["CI"][0] in out:
            continue  # not the first of its chain
        length = 1
        while ports["CO"][3] in after:
            ports = after[ports["CO"][3]]
            length += 1
        yield length
