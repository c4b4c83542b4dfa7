"""Many engines on an FPGA: leaves that they share are synthesised once."""

from __future__ import annotations

import hashlib
from collections.abc import MutableMapping
from typing import Any

from dovetail.rtl.fpga import Family, synthesize_fpga
from dovetail.rtl.fpga_cells import Counts
from dovetail.rtl.verilog import rtlil_modules

__all__ = ["count_by_parts"]


def count_by_parts(
    component: Any,
    *,
    name: str,
    family: Family,
    dsp: bool = True,
    known: MutableMapping[tuple[str, bool], Counts],
) -> Counts:
    """Count what :func:`dovetail.rtl.fpga.synthesize_fpga` counts, leaf by leaf.

    A leaf is a boundary there too, so the sums are equal; a leaf of the same RTL is not
    synthesised again.

    Parameters
    ----------
    component : wiring.Component
        With ``leaves``.
    name : str
        Module name.
    family : str
    dsp : bool
        Yosys may map multiplications to DSPs.
    known : mutable mapping
        Counts of the leaves so far, of one family; new ones are added.

    Returns
    -------
    dict of str to float
        By the names of :attr:`dovetail.rtl.fpga.FpgaReport.resources`.
    """
    leaves = {leaf.name: leaf.component for leaf in component.leaves}
    shell = synthesize_fpga(component, name=name, family=family, dsp=dsp, shell=True)
    totals = dict(shell.resources)
    for module in shell.modules:
        if module.name not in leaves:
            continue
        part = leaves[module.name]
        text = "".join(rtlil_modules(part, name=module.name))
        key = (hashlib.sha256(text.encode()).hexdigest(), dsp)
        if key not in known:
            known[key] = synthesize_fpga(
                part, name=module.name, family=family, dsp=dsp, flat=True
            ).resources
        for resource, count in known[key].items():
            totals[resource] += module.instances * count
    return totals
