"""Is a netlist equal to its RTL?  Proved with Yosys where that ends in time."""

from __future__ import annotations

import re
import time
from pathlib import Path

from dovetail.errors import ToolError
from dovetail.rtl.yosys import run_yosys

__all__ = ["prove_netlist"]

_CYCLES = 6
"""How far a counterexample is looked for where the proof does not succeed."""

_TOO_LATE = "Yosys did not finish"
_REFUTED = "proof did fail"


def prove_netlist(rtl: Path, netlist: Path, models: str, *, top: str, limit_s: float) -> str:
    """Prove that a netlist does what the RTL does, in every state and for all inputs.

    Registers are matched by the names of their nets.  Outputs and registers that are equal in one
    cycle are proved to be so in the next one, by induction.

    Parameters
    ----------
    rtl : Path
        Flat RTLIL of the component.
    netlist : Path
        Verilog in the same folder.
    models : str
        Verilog models of its cells.
    top : str
        Name of the module in both.
    limit_s : float
        Seconds after which the attempt is given up.

    Returns
    -------
    str
        ``"proved"``, ``"not finished in <limit_s> s"``, or ``"not proved"`` with the points that
        resist, which then have no counterexample of a few cycles either.

    Raises
    ------
    ToolError
        They differ; the message states inputs for which they do.
    """
    folder = rtl.parent
    (folder / "models.v").write_text(models)
    read = [
        f"read_rtlil {rtl.name}",
        f"rename {top} gold",
        "read_verilog models.v",
        f"read_verilog {netlist.name}",
        f"rename {top} gate",
        "proc",
        "flatten gate",
        "opt_clean",
        "memory_map gold",
        "async2sync",
    ]
    start = time.monotonic()
    try:
        log = run_yosys(
            [
                *read,
                "equiv_make gold gate equiv",
                "hierarchy -top equiv",
                "opt_clean",
                "equiv_simple",
                "equiv_induct",
                "tee -o equiv.log equiv_status",
            ],
            folder=folder,
            timeout_s=limit_s,
        )
    except ToolError as error:
        return _unfinished(error, limit_s)
    log = (folder / "equiv.log").read_text()
    if "Equivalence successfully proven" in log:
        return "proved"
    points = re.findall(r"^\s*Unproven \$equiv \S+: \\?(\S+ ?\S*) ", log, flags=re.M)
    left_s = max(1.0, limit_s - (time.monotonic() - start))
    _look_for_difference(read, top, folder, left_s)
    return f"not proved for {len(points)} points, such as {points[0] if points else 'none named'}"


def _look_for_difference(read: list[str], top: str, folder: Path, limit_s: float) -> None:
    """Refuse the netlist if its outputs can be told from the RTL's within a few cycles."""
    try:
        run_yosys(
            [
                *read,
                # Registers of the netlist start with anything, so those of the RTL must as well;
                # what the RTL does not define may be anything.
                "setattr -unset init gold/w:*",
                "miter -equiv -flatten -ignore_gold_x -make_outputs gold gate miter",
                "hierarchy -top miter",
                "opt_clean",
                f"tee -o differs.log sat -verify -enable_undef -set-init-undef -set-def-inputs "
                f"-tempinduct-baseonly -maxsteps {_CYCLES} -prove trigger 0 "
                "-show-inputs -show-outputs miter",
            ],
            folder=folder,
            timeout_s=limit_s,
        )
    except ToolError as error:
        if _TOO_LATE in str(error):
            return
        if _REFUTED not in str(error):
            raise
        log = (folder / "differs.log").read_text()
        raise ToolError(
            f"the netlist of {top} differs from its RTL: {_example(log)}; "
            f"check the library's functions"
        ) from None


def _unfinished(error: ToolError, limit_s: float) -> str:
    if _TOO_LATE not in str(error):
        raise error
    return f"not finished in {limit_s:g} s"


def _example(log: str) -> str:
    """Ports in the last cycle of the solver's table, in one line."""
    rows = [line.split() for line in log[log.rindex("Signal Name") :].splitlines()[2:]]
    rows = rows[: rows.index([])] if [] in rows else rows
    last = max(int(row[0]) for row in rows if row[0].isdigit())
    ports = [f"{row[1].lstrip(chr(92))}=0x{row[3]}" for row in rows if row[0] == str(last)]
    return f"after {last} cycles, " + ", ".join(ports)
