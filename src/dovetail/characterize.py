"""Make a technology table: every unit synthesised alone and run on operands of a real network.

The result is the TOML that :mod:`dovetail.arch.technology` reads.  Every figure names the run that
made it: what was built, its RTL, the library's files, the tools, the clock and the operands.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dovetail.rtl.synth import Provenance, synthesize
from dovetail.rtl.units import Size, axis, expression, unit
from dovetail.stimuli import stimulus
from dovetail.stimuli.tiles import Kind

SIZES: Mapping[str | None, tuple[Size | None, ...]] = {
    "max_group": (1, 32, 64, 128, 1024),
    # From the least to the most segments that an engine can have in flight.
    "depth": (3, 4, 8, 16, 133),
    "sum_format": ("fp16", "fp32"),
    None: (None,),
}
"""Where a unit that depends on a size is synthesised; tables interpolate between numbers."""

UNCERTAINTY = {
    # No placement: white space, clock tree and hold buffers are missing.
    "area_um2": 0.2,
    # Toggles are counted without glitches, wires are statistical loads.
    "data_pj_per_op": 0.3,
    "random_pj_per_op": 0.3,
    "zero_pj_per_op": 0.3,
    # Flip-flop pins only, without the clock tree.
    "clock_pj_per_cycle": 0.3,
    # Mean over the states of a cell, at one temperature.
    "leakage_nw": 0.3,
    # Wires are statistical loads.
    "delay_ns": 0.2,
}
"""Relative, by judgement: what the flow leaves out of each figure."""

_KINDS: Mapping[str, Kind] = {
    "data_pj_per_op": "real",
    "random_pj_per_op": "random",
    "zero_pj_per_op": "zero",
}


def _kinds(name: str) -> Mapping[str, Kind]:
    """Operands that a unit is run on; how much activity matters is asked of PEs."""
    _, part = name.split(".")
    return _KINDS if part.startswith("pe") else {"data_pj_per_op": "real"}


NOTES = (
    "Each unit was synthesised alone, flat, with one script and one effort, sized for the table's "
    "clock; there is no placement, no clock tree, and wires are the library's default wire load "
    "where it has one.",
    "Energy of logic is that of operands of the network with real weights, from toggles of the "
    "synthesised netlist counted without delays, so without glitches (docs/energy.md).",
    "Registers between units (operand skew, column pipes, what leads a row to its accumulators) "
    "are priced as so many single flip-flops without the gate of a reset. PEs outside the GEMM's "
    "rows and columns are charged the data energy of their operand registers in every streaming "
    "cycle, though the padding's zeros move less.",
    "A scale queue is charged once for each drained row, though its slot changes once a segment: "
    "an upper bound, against MixPE.",
    "The array is all of a core from its operand ports to its accumulators: not the adders of the "
    "accumulators, what addresses them, and the rounding, which every core has for each column, "
    "nor the drain control, one for an engine.",
    "Not priced: DRAM port, loader, writer, sequencer and tile loop, drain control, buffers of "
    "wide words and port registers, clock tree, wires between units.",
)
"""What a reader of any figure made from such a table must know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitRun:
    """One unit at one size in one library.

    Attributes
    ----------
    name : str
    size : int, str or None
        Of the unit's axis.
    figures : dict of str to float
        By field of :class:`dovetail.arch.costs.UnitCost`; a unit without a register has no
        ``clock_pj_per_cycle``.
    meets_clock : bool
    origin : str
        Of the real operands.
    provenance : Provenance
    """

    name: str
    size: Size | None
    figures: Mapping[str, float]
    meets_clock: bool
    origin: str
    provenance: Provenance

    @property
    def key(self) -> str:
        """Its name in ``[sources]``."""
        return self.name if self.size is None else f"{self.name}-{self.size}"


def characterize(
    name: str, *, size: Size | None, liberty: Sequence[Path], clock_mhz: float
) -> UnitRun:
    """Synthesise one unit and measure it on real operands; a PE on random ones and zeros too.

    Raises
    ------
    ToolError
        As :func:`dovetail.rtl.synth.synthesize`.
    """
    reports = {
        field: synthesize(
            unit(name, size=size),
            name="unit",
            liberty=liberty,
            clock_mhz=clock_mhz,
            stimulus=stimulus(name, kind=kind, size=size),
            thorough=False,
        )
        for field, kind in _kinds(name).items()
    }
    real = reports["data_pj_per_op"]
    figures = {
        "area_um2": real.area_um2,
        **{field: report.data_pj_per_op for field, report in reports.items()},
        "clock_pj_per_cycle": real.clock_pj_per_cycle,
        "leakage_nw": real.leakage_nw,
        "delay_ns": 1e3 / real.netlist_mhz,
    }
    if not real.register_um2:
        del figures["clock_pj_per_cycle"]
    return UnitRun(
        name=name,
        size=size,
        figures=figures,
        meets_clock=real.meets_clock,
        origin=real.origin,
        provenance=real.provenance,
    )


def _run(task: tuple[str, Size | None, tuple[Path, ...], float]) -> UnitRun:
    name, size, liberty, clock_mhz = task
    return characterize(name, size=size, liberty=liberty, clock_mhz=clock_mhz)


def characterize_all(
    names: Sequence[str],
    *,
    liberty: Sequence[Path],
    clock_mhz: float,
    jobs: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[UnitRun]:
    """Characterise units at all of their :data:`SIZES`, ``jobs`` at a time, in their order."""
    tasks = [
        (name, size, tuple(liberty), clock_mhz) for name in names for size in SIZES[axis(name)]
    ]
    runs = []
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        for run in pool.map(_run, tasks):
            runs.append(run)
            progress(len(runs), len(tasks))
    return runs


def table(
    runs: Sequence[UnitRun],
    *,
    name: str,
    title: str,
    node_nm: int,
    sram_node_nm: int,
    dram: str,
    clock_mhz: float,
) -> str:
    """Text of the technology table that holds ``runs``."""
    return "\n".join(
        _lines(
            runs,
            {
                "name": name,
                "title": title,
                "clock_mhz": clock_mhz,
                "sram_node_nm": sram_node_nm,
                "dram": dram,
                "notes": [*NOTES, *_late(runs, clock_mhz)],
            },
            node_nm,
        )
    )


def _late(runs: Sequence[UnitRun], clock_mhz: float) -> Iterator[str]:
    late = [run.key for run in runs if not run.meets_clock]
    if late:
        yield (
            f"Not as fast as {clock_mhz:g} MHz: {', '.join(late)}. Their figures are those of the "
            f"fastest netlist that sizing for that clock gave; engines with them are priced below "
            f"their highest clock only."
        )


def _lines(runs: Sequence[UnitRun], head: Mapping[str, object], node_nm: int) -> Iterator[str]:
    provenance = runs[0].provenance
    corner = provenance.corner
    yield "# A technology table made by `dovetail characterize`; docs/technology.md explains it."
    yield ""
    for key, value in head.items():
        yield f"{key} = {json.dumps(value)}"
    yield ""
    yield "[sources]"
    files = "; ".join(f"{file} (SHA-256 {sha})" for file, sha in provenance.liberty_sha256.items())
    tools = ", ".join(f"{tool} {version}" for tool, version in provenance.tools.items())
    conditions = (
        f"{corner.name or 'nominal corner'}, {corner.voltage:g} V, {corner.temperature:g} C; "
        f"sized for {head['clock_mhz']:g} MHz; {tools}; {files}"
    )
    for run in runs:
        size = "" if run.size is None else f" --size {run.size}"
        text = (
            f"dovetail synth {run.name}{size}: {expression(run.name, size=run.size)}, "
            f"RTLIL SHA-256 {run.provenance.rtl_sha256[:16]}; operands: {run.origin}; {conditions}"
        )
        yield f"{json.dumps(run.key)} = {json.dumps(text)}"
    for run in runs:
        yield ""
        yield f'[[units."{run.name}"]]'
        yield f"component = {json.dumps(expression(run.name, size=run.size))}"
        if run.size is not None:
            yield f"{axis(run.name)} = {json.dumps(run.size)}"
        if "clock_pj_per_cycle" not in run.figures:
            yield "combinational = true"
        for field, value in run.figures.items():
            if not value:  # on zeros, where nothing moves: a figure is above 0
                continue
            yield (
                f"{field} = {{ value = {value:.4g}, uncertainty = {UNCERTAINTY[field]}, "
                f"node_nm = {node_nm}, source = {json.dumps(run.key)} }}"
            )
    yield ""
