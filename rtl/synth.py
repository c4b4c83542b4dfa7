"""Synthesis of one component: area, speed, leakage and energy with a standard-cell library.

Amaranth to RTLIL, Yosys to a netlist of library cells, OpenSTA to timing, Verilator to toggles of
its nets; the energy is our own sum over them (:mod:`dovetail.rtl.asic.energy`).
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dovetail.errors import ToolError
from dovetail.rtl.asic.attribution import opensta_rule
from dovetail.rtl.asic.cell import Corner
from dovetail.rtl.asic.cell_class import CELL_CLASSES, cell_class
from dovetail.rtl.asic.cell_models import cell_models
from dovetail.rtl.asic.clock_search import highest_clock
from dovetail.rtl.asic.energy import Energy, leakage_nw, netlist_energy
from dovetail.rtl.asic.equivalence import prove_netlist
from dovetail.rtl.asic.liberty import Library
from dovetail.rtl.asic.liberty_text import read_liberty
from dovetail.rtl.asic.mapping import Mapped, Mapper
from dovetail.rtl.asic.opensta import Timing, opensta, opensta_version, timing, worst_slack
from dovetail.rtl.stimulus import Stimulus
from dovetail.rtl.vector_bench import check_outputs, run_vectors
from dovetail.rtl.verilog import rtlil_modules

__all__ = [
    "ACTIVITY",
    "EnergyCheck",
    "Provenance",
    "SynthesisReport",
    "synthesize",
    "synthesize_rtlil",
]

ACTIVITY = 0.2
"""Toggles of every net in one cycle where no stimulus is given; clocks toggle twice."""

_PROOF_S = 20.0
"""Multipliers take longer than anyone waits, what has none takes a few seconds."""

_UTMOST_MHZ = 1e6
"""A clock that no library meets: sized for it, a netlist is as fast as sizing makes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyCheck:
    """Our sums beside OpenSTA's power report, every data net toggling equally often; pJ per cycle.

    Both follow OpenSTA's rule for internal power, so they agree where loads, slews, tables and
    units do (:func:`dovetail.rtl.asic.attribution.opensta_rule`).  Nets that no cell drives are
    left out, as OpenSTA does.

    Attributes
    ----------
    switching_pj, internal_pj : float
        Ours: nets that cells drive, and inside cells with the clock's edges.
    opensta_switching_pj, opensta_internal_pj : float
        OpenSTA's.
    """

    switching_pj: float
    internal_pj: float
    opensta_switching_pj: float
    opensta_internal_pj: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What figures were made with.

    Attributes
    ----------
    tools : dict of str to str
        Version of each tool.
    liberty_sha256 : dict of str to str
        Of each Liberty file, by its name.
    rtl_sha256 : str
        Of the component's RTLIL.
    corner : Corner
        Operating conditions of the library.
    """

    tools: Mapping[str, str]
    liberty_sha256: Mapping[str, str]
    rtl_sha256: str
    corner: Corner


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
    area_by_class_um2 : dict of str to float
        Area of each class of :data:`dovetail.rtl.asic.cell_class.CELL_CLASSES`.
    cells : int
        Number of cells.
    clock_mhz : float
        The clock that cells were sized for.
    slack_ns : float
        Time left at ``clock_mhz`` on the longest path: register, input or output to register or
        output, inputs at time zero.  Negative where the netlist does not meet the clock.
    netlist_mhz : float
        Clock at which that path of this netlist just fits.
    fmax_mhz : float or None
        Highest clock that any netlist of the component reaches when sized for it, to 2 %; None
        where it was not searched.
    energy : Energy
        Of one cycle with the toggles of the stimulus, or with ``activity``.
    idle : Energy
        Of one cycle in which only the clock toggles.
    energy_pj_per_op : float
        All of the dynamic energy of one operation.
    data_pj_per_op : float
        The part of it above ``idle``.
    clock_pj_per_cycle : float
        ``idle`` in total: what each cycle takes even where no data net toggles.
    leakage_nw : float
        Leakage power, mean over the cells' states.
    activity : float
        Toggles per cycle, mean over nets without the clock.
    origin : str
        Where the operands come from; empty for equal toggles on all nets.
    equivalence : str
        What came of the proof that the netlist equals its RTL; empty where it was not tried.
    check : EnergyCheck
    provenance : Provenance
    """

    name: str
    area_um2: float
    register_um2: float
    area_by_class_um2: Mapping[str, float]
    cells: int
    clock_mhz: float
    slack_ns: float
    netlist_mhz: float
    fmax_mhz: float | None
    energy: Energy
    idle: Energy
    energy_pj_per_op: float
    data_pj_per_op: float
    clock_pj_per_cycle: float
    leakage_nw: float
    activity: float
    origin: str
    equivalence: str
    check: EnergyCheck
    provenance: Provenance

    @property
    def meets_clock(self) -> bool:
        return self.slack_ns >= 0

    @property
    def warning(self) -> str:
        """What a reader must know of the figures; empty where there is nothing."""
        if self.meets_clock:
            return ""
        return (
            f"{self.name} does not meet {self.clock_mhz:g} MHz: slack {self.slack_ns:.3f} ns, "
            f"this netlist reaches {self.netlist_mhz:.0f} MHz; ask for a lower clock"
        )


def synthesize(
    component: Any,
    *,
    name: str,
    liberty: Sequence[Path],
    clock_mhz: float,
    stimulus: Stimulus | None = None,
    activity: float = ACTIVITY,
    thorough: bool = True,
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
        Clock to size for.
    stimulus : Stimulus or None
        Operands that the netlist is simulated with, and what it must answer.  Without delays, so
        glitches are not in its toggles.
    activity : float
        Without a stimulus: toggles of each net per cycle, in which it does one operation.
    thorough : bool
        Also search for the highest clock and try to prove the netlist equal to its RTL.

    Raises
    ------
    ToolError
        OpenSTA is not installed, a library cannot be read, a tool failed, or the netlist answers
        other than the RTL does or the stimulus expects.
    """
    return synthesize_rtlil(
        # Before any check, because Amaranth warns of a component that is thrown away unused.
        rtlil_modules(component, name=name),
        name=name,
        liberty=liberty,
        clock_mhz=clock_mhz,
        stimulus=stimulus,
        activity=activity,
        thorough=thorough,
    )


def synthesize_rtlil(
    design: Sequence[str],
    *,
    name: str,
    liberty: Sequence[Path],
    clock_mhz: float,
    stimulus: Stimulus | None = None,
    activity: float = ACTIVITY,
    thorough: bool = True,
    wide: bool = False,
) -> SynthesisReport:
    """:func:`synthesize` for a component that is RTLIL already: its modules, leaves first.

    With ``wide``, registers and inputs get buffers: a component of many equal units has registers
    that are equal in all of them, of which Yosys keeps one, with the loads of all.
    """
    opensta()
    if not clock_mhz > 0:
        raise ToolError(f"clock_mhz={clock_mhz} must be above 0; give a clock")
    if not liberty:
        raise ToolError("no Liberty file given; synthesis needs one at least: name it")
    with tempfile.TemporaryDirectory(prefix="dovetail-synth-") as scratch:
        flow = _Flow(design, name, liberty, Path(scratch), wide=wide)
        mapped, netlist_mhz = flow.close(clock_mhz)
        timed = flow.time(mapped, clock_mhz, activity)
        toggles = dict.fromkeys(mapped.netlist.names.values(), activity)
        cycles = operations = 1
        if stimulus is not None:
            toggles = flow.simulate(mapped, stimulus)
            cycles, operations = stimulus.cycles, stimulus.operations
        energy = netlist_energy(mapped.netlist, flow.library, timed.pins, toggles)
        idle = netlist_energy(mapped.netlist, flow.library, timed.pins, dict.fromkeys(toggles, 0.0))
        return SynthesisReport(
            name=name,
            area_um2=mapped.area_um2,
            register_um2=mapped.register_um2,
            area_by_class_um2=flow.area_by_class(mapped),
            cells=len(mapped.netlist.instances),
            clock_mhz=clock_mhz,
            slack_ns=timed.slack_ns,
            netlist_mhz=netlist_mhz,
            fmax_mhz=highest_clock(flow.reach, max(netlist_mhz, flow.utmost[1]))
            if thorough
            else None,
            energy=energy,
            idle=idle,
            energy_pj_per_op=energy.total_pj * cycles / operations,
            data_pj_per_op=(energy.total_pj - idle.total_pj) * cycles / operations,
            clock_pj_per_cycle=idle.total_pj,
            leakage_nw=leakage_nw(mapped.netlist, flow.library),
            activity=_mean_activity(mapped, toggles),
            origin=stimulus.origin if stimulus else "",
            equivalence=flow.prove(mapped) if thorough else "",
            check=flow.check(mapped, timed, clock_mhz, activity),
            provenance=Provenance(
                tools={
                    "yosys": version("pyosys"),
                    "opensta": opensta_version(),
                    "verilator": version("verilator"),
                },
                liberty_sha256=flow.library.sha256,
                rtl_sha256=hashlib.sha256("".join(design).encode()).hexdigest(),
                corner=flow.library.corner,
            ),
        )


class _Flow:
    """The steps of one synthesis, in one folder."""

    def __init__(
        self,
        design: Sequence[str],
        name: str,
        liberty: Sequence[Path],
        folder: Path,
        *,
        wide: bool,
    ) -> None:
        self._name = name
        self._folder = folder
        whole = [f"library{index}.lib" for index in range(len(liberty))]
        for path, file in zip(liberty, whole, strict=True):
            (folder / file).write_bytes(read_liberty(path))
        self.mapper = Mapper(
            design,
            name=name,
            libraries=whole,
            sources=", ".join(str(path) for path in liberty),
            folder=folder,
        )
        self.library = Library(liberty)
        self._driver = self.library.smallest_buffer() if wide else ""

    def _used(self, mapped: Mapped) -> list[str]:
        """Names of Liberty files with just the cells of a netlist; OpenSTA reads all of a file."""
        texts = self.library.excerpts(mapped.netlist.cells)
        names = [f"{mapped.verilog.stem}.{index}.lib" for index in range(len(texts))]
        for file, text in zip(names, texts, strict=True):
            (self._folder / file).write_text(text, encoding="latin-1")
        return names

    def time(self, mapped: Mapped, clock_mhz: float, activity: float) -> Timing:
        return timing(
            mapped.verilog,
            top=self._name,
            libraries=self._used(mapped),
            clock_mhz=clock_mhz,
            activity=activity,
        )

    @cached_property
    def utmost(self) -> tuple[Mapped, float]:
        """The netlist sized for speed alone, and the clock in MHz that it reaches."""
        return self._sized(_UTMOST_MHZ)

    def close(self, clock_mhz: float) -> tuple[Mapped, float]:
        """The smallest netlist that meets a clock, or else the fastest; and the clock it reaches.

        Sizing sees the logic between registers only.  So where what the registers take is missing,
        it is asked for a clock that is higher by as much as it fell short, and then for all it can.
        """
        first = self._sized(clock_mhz)
        if first[1] >= clock_mhz:
            return first
        second = self._sized(clock_mhz * clock_mhz / first[1])
        if second[1] >= clock_mhz:
            return second
        return max(first, second, self.utmost, key=lambda result: result[1])

    def _sized(self, target_mhz: float) -> tuple[Mapped, float]:
        mapped = self.mapper.map(target_mhz, driver=self._driver)
        slack_ns = worst_slack(
            mapped.verilog, top=self._name, libraries=self._used(mapped), clock_mhz=100.0
        )
        return mapped, 1e3 / (10.0 - slack_ns)

    def reach(self, clock_mhz: float) -> float:
        """Clock in MHz that a netlist sized for ``clock_mhz`` reaches."""
        return self.close(clock_mhz)[1]

    def models(self, mapped: Mapped) -> str:
        return cell_models(self.library.cell(cell) for cell in mapped.netlist.cells)

    def simulate(self, mapped: Mapped, stimulus: Stimulus) -> dict[str, float]:
        """Check the netlist's answers; return toggles per cycle by net."""
        run = run_vectors(
            mapped.verilog.read_text(),
            top=self._name,
            inputs=stimulus.inputs,
            outputs={port: mapped.netlist.output_bits[port] for port in stimulus.expected},
            cells=self.models(mapped),
            count_toggles=True,
        )
        check_outputs(stimulus, run)
        return {net: count / (run.cycles - 1) for net, count in run.toggles.items()}

    def prove(self, mapped: Mapped) -> str:
        return prove_netlist(
            self._folder / "rtl.il",
            mapped.verilog,
            self.models(mapped),
            top=self._name,
            limit_s=_PROOF_S,
        )

    def area_by_class(self, mapped: Mapped) -> dict[str, float]:
        areas = dict.fromkeys(CELL_CLASSES, 0.0)
        for name, instances in mapped.netlist.cells.items():
            cell = self.library.cell(name)
            areas[cell_class(cell)] += cell.area_um2 * len(instances)
        return areas

    def check(
        self, mapped: Mapped, timed: Timing, clock_mhz: float, activity: float
    ) -> EnergyCheck:
        toggles = dict.fromkeys(mapped.netlist.names.values(), activity)
        ours = netlist_energy(mapped.netlist, self.library, timed.pins, toggles, rule=opensta_rule)
        # W x us = uJ = 1e6 pJ
        per_cycle = 1e6 / clock_mhz
        return EnergyCheck(
            switching_pj=ours.switching_pj,
            internal_pj=ours.internal_pj + ours.clock_internal_pj,
            opensta_switching_pj=timed.uniform.switching_w * per_cycle,
            opensta_internal_pj=timed.uniform.internal_w * per_cycle,
        )


def _mean_activity(mapped: Mapped, toggles: Mapping[str, float]) -> float:
    clock = set(mapped.netlist.inputs.get("clk", []))
    rates = [toggles[name] for net, name in mapped.netlist.names.items() if net not in clock]
    return sum(rates) / len(rates) if rates else 0.0
