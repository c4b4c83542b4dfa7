"""Synthesis of one component: area, speed, leakage and energy with a standard-cell library.

Amaranth to RTLIL, Yosys to a netlist of library cells, OpenSTA to timing and power.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dovetail.errors import ToolError
from dovetail.rtl.verilog import rtlil_modules
from dovetail.rtl.yosys import run_yosys

__all__ = ["ACTIVITY", "SynthesisReport", "synthesize"]

ACTIVITY = 0.2
"""Toggles of every net in one cycle where power is reported; clocks toggle twice."""

_OUTPUT_LOAD_FF = 1.0
"""Load that sizing assumes on each output; about one input pin at 45 nm."""

# abc's mapping for delay, then sizing toward the clock.  Its default, which maps for area, leaves
# the 48-bit adder at 45 nm short of 500 MHz, for 10 % of that adder's area and 1 % of a PE's.
_ABC = (
    "+strash;scorr;dc2;strash;dch,-f;map,-B,0.9,-D,{period};topo;"
    "buffer,-c;upsize,-D,{period};dnsize,-D,{period};stime,-p"
)

_STA = """\
{libraries}
read_verilog netlist.v
link_design {top}
# Without this, times and powers are in the units of the first library.
set_cmd_units -time ns
create_clock -name dovetail_clock -period {period_ns!r} {clock_port}
set data_inputs {{}}
foreach port [all_inputs] {{
  if {{[get_full_name $port] ne "clk"}} {{ lappend data_inputs $port }}
}}
if {{[llength $data_inputs]}} {{ set_input_delay 0 -clock dovetail_clock $data_inputs }}
if {{[llength [all_outputs]]}} {{ set_output_delay 0 -clock dovetail_clock [all_outputs] }}
puts "slack_ns [worst_slack]"
foreach activity {{0 {activity!r}}} {{
  set_power_activity -global -activity $activity -duty 0.5
  report_power -digits 9
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesisReport:
    """What one component takes in one library at one clock.

    Attributes
    ----------
    name : str
        Module name.
    area_um2 : float
        Sum of the cells' areas; placement adds white space to it.
    register_um2 : float
        The part of it that registers take; 0 for a combinational component.
    cells : int
        Number of cells.
    clock_mhz : float
        The clock that sizing aimed at.
    fmax_mhz : float
        Clock at which the longest path (register, input or output to register or output, inputs
        at time zero) just fits; may lie below ``clock_mhz``, then ``slack_ns`` is negative.
    slack_ns : float
        Time left on that path at ``clock_mhz``.
    energy_pj_per_op : float
        Dynamic energy of one cycle in which each net toggles ``activity`` times: power x period.
    clock_pj_per_cycle : float
        The part of it that the clock pins take even where no data net toggles.
    leakage_nw : float
        Leakage power, mean over the cells' states.
    activity : float
        Toggles of each net per cycle, the same for all nets.
    liberty : tuple of str
        Names of the library files.
    """

    name: str
    area_um2: float
    register_um2: float
    cells: int
    clock_mhz: float
    fmax_mhz: float
    slack_ns: float
    energy_pj_per_op: float
    clock_pj_per_cycle: float
    leakage_nw: float
    activity: float
    liberty: tuple[str, ...]


def synthesize(
    component: Any,
    *,
    name: str,
    liberty: Sequence[Path],
    clock_mhz: float,
    activity: float = ACTIVITY,
) -> SynthesisReport:
    """Map ``component`` to the cells of ``liberty`` and measure the result.

    Hierarchy is dissolved, cells are sized for the clock; there is no clock tree, and wires are
    the library's default wire load where it has one.  Equal inputs give equal figures.

    Parameters
    ----------
    component : wiring.Component
        Elaboratable with ports; may be combinational.
    name : str
        Module name.
    liberty : sequence of Path
        Liberty files of one library, plain or ``.gz``.
    clock_mhz : float
        Clock to size for and to report power at.
    activity : float
        Toggles of each net per cycle.

    Raises
    ------
    ToolError
        OpenSTA is not installed, a library cannot be read, or Yosys or OpenSTA failed.
    """
    # First, because Amaranth warns of a component that is thrown away unused.
    design = rtlil_modules(component, name=name)
    if shutil.which("sta") is None:
        raise ToolError(
            "no command 'sta' on PATH; timing and power need OpenSTA: apt-get install opensta"
        )
    if not clock_mhz > 0:
        raise ToolError(f"clock_mhz={clock_mhz} must be above 0; give a clock")
    if not liberty:
        raise ToolError("no Liberty file given; synthesis needs one at least: name it")
    with tempfile.TemporaryDirectory(prefix="dovetail-synth-") as scratch:
        folder = Path(scratch)
        libraries = [f"library{index}.lib" for index in range(len(liberty))]
        for path, library in zip(liberty, libraries, strict=True):
            _unpack(path, folder / library)
        options = " ".join(f"-liberty {library}" for library in libraries)
        _check(liberty, options, folder)
        stat = _map(design, name, options, 1e6 / clock_mhz, folder)
        log = _time(name, libraries, 1e3 / clock_mhz, activity, folder)
    slack_ns = _slack_ns(log, name)
    (idle_w, _), (total_w, leakage_w) = _powers(log)
    # W x us = uJ = 1e6 pJ
    per_cycle = 1e6 / clock_mhz
    return SynthesisReport(
        name=name,
        area_um2=float(stat["area"]),
        register_um2=float(stat["sequential_area"]),
        cells=int(stat["num_cells"]),
        clock_mhz=clock_mhz,
        fmax_mhz=1e3 / (1e3 / clock_mhz - slack_ns),
        slack_ns=slack_ns,
        energy_pj_per_op=total_w * per_cycle,
        clock_pj_per_cycle=idle_w * per_cycle,
        leakage_nw=leakage_w * 1e9,
        activity=activity,
        liberty=tuple(path.name for path in liberty),
    )


def _unpack(path: Path, target: Path) -> None:
    """Copy a Liberty file, unpacked, refusing what is visibly not one."""
    try:
        raw = path.read_bytes()
        if path.suffix == ".gz":
            raw = gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ToolError(
            f"cannot read Liberty file {path}: {reason}; give a readable .lib or .lib.gz file"
        ) from None
    if not re.search(rb"\blibrary\s*\(", raw):
        raise ToolError(f"{path} holds no library(...) group; give a Liberty file")
    target.write_bytes(raw)


def _check(liberty: Sequence[Path], options: str, folder: Path) -> None:
    """Refuse a library that Yosys cannot parse, so that it is not taken for a faulty design."""
    try:
        run_yosys([f"dfflibmap -info {options}"], folder=folder)
    except ToolError as error:
        names = ", ".join(str(path) for path in liberty)
        raise ToolError(
            f"{names} is no usable Liberty library: {error}; give a whole one"
        ) from None


def _map(
    design: Sequence[str], name: str, options: str, period_ps: float, folder: Path
) -> dict[str, Any]:
    """Write ``netlist.v`` into ``folder``; return the statistics that Yosys made of it."""
    for index, text in enumerate(design):
        (folder / f"{index}.il").write_text(text)
    (folder / "abc.constr").write_text(f"set_load {_OUTPUT_LOAD_FF}\n")
    script = _ABC.format(period=f"{period_ps:.3f}")
    try:
        run_yosys(
            [
                # The cache lies in the temporary folder of the user and is never emptied.
                "libcache -scl -disable",
                *(f"read_rtlil {index}.il" for index in range(len(design))),
                f"synth -flatten -top {name}",
                f"dfflibmap {options}",
                f"abc {options} -constr abc.constr -script {script}",
                "setundef -zero",
                "opt_clean -purge",
                f"tee -q -o stat.json stat -json {options}",
                "write_verilog -noattr -noexpr -nohex netlist.v",
            ],
            folder=folder,
        )
    except ToolError as error:
        if "flip-flops are not supported" not in str(error):
            raise
        raise ToolError(
            f"the library has no flip-flop for {name}; give all files of the library"
        ) from None
    netlist = folder / "netlist.v"
    # OpenSTA's reader does not know the keyword.
    text = re.sub(r"^(\s*(?:input|output|wire)) signed\b", r"\1", netlist.read_text(), flags=re.M)
    netlist.write_text(text)
    stat: dict[str, Any] = json.loads((folder / "stat.json").read_text())["modules"][f"\\{name}"]
    if not stat["num_cells"]:
        raise ToolError(f"{name} has no logic left after synthesis; check what it computes")
    return stat


def _time(
    name: str, libraries: Sequence[str], period_ns: float, activity: float, folder: Path
) -> str:
    """Run OpenSTA on the netlist; return what it printed."""
    clocked = re.search(r"^\s*input clk;", (folder / "netlist.v").read_text(), flags=re.M)
    (folder / "sta.tcl").write_text(
        _STA.format(
            libraries="\n".join(f"read_liberty {library}" for library in libraries),
            top=name,
            period_ns=period_ns,
            # Without a port the clock is a virtual one, against which paths are still timed.
            clock_port="[get_ports clk]" if clocked else "",
            activity=activity,
        )
    )
    try:
        run = subprocess.run(
            ["sta", "-no_init", "-no_splash", "-exit", "sta.tcl"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ToolError(f"OpenSTA did not finish {name} within 600 s; use a smaller one") from None
    # It ends with 0 whatever went wrong.
    errors = [line for line in run.stdout.splitlines() if line.startswith("Error")]
    if errors or run.returncode:
        raise ToolError(f"OpenSTA failed on {name}: {(errors or [run.stdout.strip()])[0]}")
    return run.stdout


def _slack_ns(log: str, name: str) -> float:
    found = re.search(r"^slack_ns (\S+)$", log, flags=re.M)
    slack = float(found.group(1)) if found else float("inf")
    if abs(slack) > 1e20:  # OpenSTA's infinity
        raise ToolError(f"{name} has no path to time; synthesise a component with inputs or state")
    return slack


def _powers(log: str) -> list[tuple[float, float]]:
    """Dynamic and leakage power in W of each power report in the log."""
    rows = re.findall(r"^Total\s+(\S+)\s+(\S+)\s+(\S+)\s+\S+", log, flags=re.M)
    if len(rows) != 2:
        raise ToolError("OpenSTA printed no power report; check its version (tried: 2.0.17)")
    return [(float(internal) + float(net), float(leak)) for internal, net, leak in rows]
