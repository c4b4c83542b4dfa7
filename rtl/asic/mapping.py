"""From RTLIL to a netlist of library cells, with Yosys and its abc."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dovetail.errors import ToolError
from dovetail.rtl.asic.netlist import Netlist, read_netlist
from dovetail.rtl.asic.opensta_verilog import opensta_verilog
from dovetail.rtl.yosys import run_yosys

__all__ = ["Mapped", "Mapper"]

_OUTPUT_LOAD_FF = 1.0
"""Load that sizing assumes on each output; about one input pin at 45 nm."""

# abc's mapping for delay, then sizing toward the clock.  Its default, which maps for area, leaves
# the 48-bit adder at 45 nm short of 500 MHz, for 10 % of that adder's area and 1 % of a PE's.
_ABC = (
    "+strash;scorr;dc2;strash;dch,-f;map,-B,0.9,-D,{period};topo;"
    "buffer,-c;upsize,-D,{period};dnsize,-D,{period};stime,-p"
)

# abc's form of the library, made once; by default in a folder that is never emptied.
_CACHE = "libcache -scl -dir scl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """A netlist sized for one clock.

    Attributes
    ----------
    verilog : Path
        Its text; whoever reads it needs models of its cells.
    netlist : Netlist
    area_um2, register_um2 : float
        Sum of the cells' areas, and the part of it that registers take.
    """

    verilog: Path
    netlist: Netlist
    area_um2: float
    register_um2: float


class Mapper:
    """One component in one library; mapped for as many clocks as asked for.

    Parameters
    ----------
    design : sequence of str
        RTLIL modules, leaves first.
    name : str
        The top module.
    libraries : sequence of str
        Liberty files inside ``folder``, plain text.
    sources : str
        What to call them in messages.
    folder : Path
        Where Yosys works.  ``rtl.il`` is the flat component before synthesis.

    Raises
    ------
    ToolError
        Yosys cannot parse the library, the library has no flip-flop for the component, or Yosys
        cannot synthesise it.
    """

    def __init__(
        self,
        design: Sequence[str],
        *,
        name: str,
        libraries: Sequence[str],
        sources: str,
        folder: Path,
    ) -> None:
        self._name = name
        self._folder = folder
        self._liberty = " ".join(f"-liberty {library}" for library in libraries)
        (folder / "scl").mkdir()
        for index, text in enumerate(design):
            (folder / f"{index}.il").write_text(text)
        # First alone, so that a faulty library is not taken for a faulty design.
        try:
            run_yosys([f"dfflibmap -info {self._liberty}"], folder=folder)
        except ToolError as error:
            raise ToolError(
                f"{sources} is no usable Liberty library: {error}; give a whole one"
            ) from None
        try:
            run_yosys(
                [
                    *(f"read_rtlil {index}.il" for index in range(len(design))),
                    f"hierarchy -check -top {name}",
                    "proc",
                    "flatten",
                    "opt_clean",
                    "write_rtlil rtl.il",
                    f"synth -flatten -booth -top {name}",
                    f"dfflibmap {self._liberty}",
                    "write_rtlil front.il",
                ],
                folder=folder,
            )
        except ToolError as error:
            if "flip-flops are not supported" not in str(error):
                raise
            raise ToolError(
                f"the library has no flip-flop for {name}; give all files of the library"
            ) from None

    def map(self, clock_mhz: float, *, driver: str = "") -> Mapped:
        """Map to cells sized for a clock; equal clocks give equal netlists.

        Parameters
        ----------
        clock_mhz : float
        driver : str
            The cell that registers and inputs are taken to drive as well as, so that they get
            buffers where they have many loads.  Without one, they are taken to drive any load.

        Raises
        ------
        ToolError
            Nothing is left to map.
        """
        period_ps = f"{1e6 / clock_mhz:.3f}"
        stem = f"mapped_{period_ps}{driver}"
        drive = f"set_driving_cell {driver}\n" if driver else ""
        (self._folder / "abc.constr").write_text(f"{drive}set_load {_OUTPUT_LOAD_FF}\n")
        script = _ABC.format(period=period_ps)
        run_yosys(
            [
                _CACHE,
                "read_rtlil front.il",
                f"abc {self._liberty} -constr abc.constr -script {script}",
                "setundef -zero",
                "opt_clean -purge",
                # Short names that Liberty tools and Verilog need not escape.
                "rename -enumerate -pattern u% c:*",
                "rename -enumerate -pattern n% w:*",
                f"tee -q -o {stem}.stat stat -json {self._liberty}",
                f"write_verilog -noattr -noexpr -nohex {stem}.v",
                f"write_json {stem}.json",
            ],
            folder=self._folder,
        )
        verilog = self._folder / f"{stem}.v"
        verilog.write_text(opensta_verilog(verilog.read_text()))
        stat = json.loads((self._folder / f"{stem}.stat").read_text())
        figures = stat["modules"][f"\\{self._name}"]
        if not figures["num_cells"]:
            raise ToolError(
                f"{self._name} has no logic left after synthesis; check what it computes"
            )
        return Mapped(
            verilog=verilog,
            netlist=read_netlist((self._folder / f"{stem}.json").read_text(), top=self._name),
            area_um2=float(figures["area"]),
            register_um2=float(figures["sequential_area"]),
        )
