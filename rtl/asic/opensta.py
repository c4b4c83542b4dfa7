"""Static timing of a netlist with OpenSTA: slack, slews and loads, and its own power report."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dovetail.errors import ToolError

__all__ = [
    "PinTiming",
    "PowerReport",
    "Timing",
    "opensta",
    "opensta_version",
    "timing",
    "worst_slack",
]

_READ = """\
{libraries}
read_verilog {verilog}
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
"""

# Slews of both edges and the net's capacitance for both, in s and F.  Of the slews of a pin, the
# last are those of the slowest paths, which the power report takes as well.
_PINS = """\
set corner [sta::cmd_corner]
foreach instance [get_cells *] {{
  set pins [$instance pin_iterator]
  while {{[$pins has_next]}} {{
    set pin [$pins next]
    set net [$pin net]
    set vertices [$pin vertices]
    if {{$net ne "NULL" && [llength $vertices]}} {{
      set vertex [lindex $vertices 0]
      puts "pin [get_full_name $pin]\\
        [lindex [$vertex slews rise] end] [lindex [$vertex slews fall] end]\\
        [$net capacitance rise $corner max] [$net capacitance fall $corner max]"
    }}
  }}
  $pins finish
}}
foreach activity {{0 {activity!r}}} {{
  set_power_activity -global -activity $activity -duty 0.5
  report_power -digits 9
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinTiming:
    """One pin of one cell: transition times, and the capacitance of its whole net."""

    rise_ns: float
    fall_ns: float
    load_ff: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerReport:
    """Power of the whole netlist by OpenSTA's own rules, in W."""

    internal_w: float
    switching_w: float
    leakage_w: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What OpenSTA says of a netlist at one clock.

    Attributes
    ----------
    slack_ns : float
        Time left on the longest path; negative where it does not meet the clock.
    pins : dict of (str, str) to PinTiming
        By instance and pin.
    idle, uniform : PowerReport
        With no data net toggling, and with each toggling ``activity`` times a cycle.
    """

    slack_ns: float
    pins: Mapping[tuple[str, str], PinTiming]
    idle: PowerReport
    uniform: PowerReport


def timing(
    verilog: Path, *, top: str, libraries: Sequence[str], clock_mhz: float, activity: float
) -> Timing:
    """Time a netlist, and collect what its energy depends on.

    Inputs arrive at time zero with no transition time, the clock is ideal, and wires are the
    library's default wire load where it has one.

    Parameters
    ----------
    verilog : Path
        In the folder that ``libraries`` are in.
    activity : float
        Toggles of each net per cycle in ``uniform``; the clock toggles twice.

    Raises
    ------
    ToolError
        OpenSTA failed, or the netlist has no path.
    """
    script = _script(verilog, top, libraries, clock_mhz) + _PINS.format(activity=activity)
    log = _run(script, top, verilog.parent)
    slack_ns = _slack_ns(log, top)
    reports = re.findall(r"^Total\s+(\S+)\s+(\S+)\s+(\S+)\s+\S+", log, flags=re.M)
    if len(reports) != 2:
        raise ToolError("OpenSTA printed no power report; check its version (tried: 2.0.17)")
    idle, uniform = (
        PowerReport(internal_w=float(own), switching_w=float(net), leakage_w=float(leak))
        for own, net, leak in reports
    )
    pins = {}
    for line in re.findall(r"^pin (.+)$", log, flags=re.M):
        name, *values = line.split()
        rise, fall, *loads = (float(value) for value in values)
        instance, _, pin = name.rpartition("/")
        pins[instance, pin] = PinTiming(
            rise_ns=rise * 1e9, fall_ns=fall * 1e9, load_ff=max(loads) * 1e15
        )
    return Timing(slack_ns=slack_ns, pins=pins, idle=idle, uniform=uniform)


def worst_slack(verilog: Path, *, top: str, libraries: Sequence[str], clock_mhz: float) -> float:
    """Time left on the longest path in ns, as in :class:`Timing`."""
    return _slack_ns(_run(_script(verilog, top, libraries, clock_mhz), top, verilog.parent), top)


def opensta() -> str:
    """Path of the command.

    Raises
    ------
    ToolError
        It is not installed.
    """
    path = shutil.which("sta")
    if path is None:
        raise ToolError(
            "no command 'sta' on PATH; timing and power need OpenSTA: apt-get install opensta"
        )
    return path


def opensta_version() -> str:
    """Its version, such as ``2.0.17``."""
    return subprocess.run(
        [opensta(), "-version"], capture_output=True, text=True, check=True
    ).stdout.strip()


def _script(verilog: Path, top: str, libraries: Sequence[str], clock_mhz: float) -> str:
    clocked = re.search(r"^\s*input clk;", verilog.read_text(), flags=re.M)
    return _READ.format(
        libraries="\n".join(f"read_liberty {library}" for library in libraries),
        verilog=verilog.name,
        top=top,
        period_ns=1e3 / clock_mhz,
        # Without a port the clock is a virtual one, against which paths are still timed.
        clock_port="[get_ports clk]" if clocked else "",
    )


def _run(script: str, name: str, folder: Path) -> str:
    """Run a script; return what it printed."""
    try:
        run = subprocess.run(
            [opensta(), "-no_init", "-no_splash", "-exit", "/dev/stdin"],
            cwd=folder,
            input=script,
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
