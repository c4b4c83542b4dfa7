"""Figures of ``dovetail synth`` as JSON and as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dovetail.arch.devices import Device
from dovetail.arch.memories import memories
from dovetail.commands.output import note, print_heading, print_table, shown

if TYPE_CHECKING:
    from dovetail.rtl.engine_synth import EngineSynthesis
    from dovetail.rtl.fpga import FpgaReport
    from dovetail.rtl.synth import SynthesisReport

_COUNTS = {
    "lut": "LUT",
    "ff": "flip-flops",
    "carry": "CARRY",
    "dsp": "DSP",
    "bram36": "BRAM36",
    "uram": "URAM",
}
_NOT_COUNTED = (
    "not counted: memories, DRAM port, loader, sequencer, writer, drain control, counters, "
    "clock tree, wires"
)
_ALL_BUSY = "energy per MAC is an upper bound: every unit works in every cycle"
_PAIRS = (
    "pairs of PEs are synthesised alone and put in the place of two PEs each; "
    "no engine with pairs is built"
)


def unit_data(report: SynthesisReport) -> dict[str, Any]:
    """Every field of a report, and what follows from them."""
    return {**asdict(report), "meets_clock": report.meets_clock, "warning": report.warning}


def print_unit(title: str, report: SynthesisReport) -> None:
    rows = [
        ("area", shown(report.area_um2, "um2")),
        *(
            (f"  {kind}", shown(area, "um2"))
            for kind, area in report.area_by_class_um2.items()
            if area
        ),
        ("cells", shown(report.cells)),
        ("highest clock", shown(report.fmax_mhz or report.netlist_mhz, "MHz")),
        (f"slack at {report.clock_mhz:g} MHz", shown(report.slack_ns, "ns")),
        ("energy per operation", shown(report.energy_pj_per_op, "pJ")),
        ("  of it above an idle cycle", shown(report.data_pj_per_op, "pJ")),
        ("energy of an idle cycle", shown(report.clock_pj_per_cycle, "pJ")),
        ("leakage", shown(report.leakage_nw, "nW")),
        ("toggles of a net per cycle", shown(report.activity)),
        ("operands", report.origin or "none: every net toggles equally often"),
        ("netlist equals RTL", report.equivalence or "not tried"),
        *_provenance(report),
    ]
    print_heading(title)
    print_table("", ("", "value"), rows)
    if report.warning:
        note(report.warning)


def _provenance(report: SynthesisReport) -> Iterator[tuple[str, str]]:
    yield "RTL", f"SHA-256 {report.provenance.rtl_sha256[:16]}"
    yield from _library(report)


def _library(report: SynthesisReport) -> Iterator[tuple[str, str]]:
    """What all units of an engine share."""
    made = report.provenance
    corner = made.corner
    yield "corner", f"{corner.name} {corner.voltage:g} V {corner.temperature:g} C".strip()
    for number, (name, digest) in enumerate(made.liberty_sha256.items()):
        yield "" if number else "library", f"{name} SHA-256 {digest[:16]}"
    yield "tools", ", ".join(f"{tool} {number}" for tool, number in made.tools.items())


def engine_data(synthesis: EngineSynthesis) -> dict[str, Any]:
    """Sums over an engine's units, each unit, and the memories that are not in them."""
    return {
        "area_um2": synthesis.area_um2,
        "fmax_mhz": synthesis.fmax_mhz,
        "energy_pj_per_op": synthesis.energy_pj_per_op,
        "leakage_nw": synthesis.leakage_nw,
        "cells": synthesis.cells,
        "meets_clock": not synthesis.too_slow,
        "units": [
            {"unit": unit.name, "size": unit.size, "count": unit.count, **unit_data(unit.report)}
            for unit in synthesis.units
        ],
        "memories": [
            {
                "component": memory.component,
                "count": memory.count,
                "words": memory.words,
                "word_bits": memory.word_bits,
                "bits": memory.count * memory.words * memory.word_bits,
            }
            for memory in memories(synthesis.engine)
        ],
        "notes": [_NOT_COUNTED, _ALL_BUSY],
        "provenance": _shared(synthesis.units[0].report),
    }


def _shared(report: SynthesisReport) -> dict[str, Any]:
    """Provenance without the digest of the RTL, which each unit has of its own."""
    made = asdict(report.provenance)
    return {key: value for key, value in made.items() if key != "rtl_sha256"}


def print_engine(title: str, synthesis: EngineSynthesis) -> None:
    rows = [
        (
            unit.name,
            shown(unit.count),
            f"{unit.count * unit.report.area_um2:,.0f}",
            f"{unit.count * unit.report.area_um2 / synthesis.area_um2:.1%}",
            f"{unit.report.netlist_mhz:,.0f}",
            shown(unit.report.energy_pj_per_op),
            f"{unit.count * unit.report.leakage_nw:,.0f}",
        )
        for unit in synthesis.units
    ]
    rows.append(
        (
            "all",
            "",
            f"{synthesis.area_um2:,.0f}",
            "",
            f"{synthesis.fmax_mhz:,.0f}",
            shown(synthesis.energy_pj_per_op),
            f"{synthesis.leakage_nw:,.0f}",
        )
    )
    columns = ("unit", "count", "um2", "share", "MHz", "pJ/op", "leakage nW")
    print_heading(title)
    print_table("", columns, rows, right=" rrrrrr")
    sram = [
        (memory.component, memory.count, memory.words, memory.word_bits)
        for memory in memories(synthesis.engine)
    ]
    print_table("memories, as SRAM", ("memory", "count", "words", "bits"), sram, right=" rrr")
    print_table("", ("", "value"), list(_library(synthesis.units[0].report)))
    print(f"{_NOT_COUNTED}\n{_ALL_BUSY}")
    for unit in synthesis.too_slow:
        note(f"{unit.name}: {unit.report.warning}")


def fpga_data(report: FpgaReport, boards: Sequence[Device]) -> dict[str, Any]:
    """Counts, their shares of each board, modules."""
    return {
        **report.resources,
        "lut_memory": report.lut_memory,
        "family": report.family,
        "packed_pairs": report.packed_pairs,
        "modules": [asdict(module) for module in report.modules],
        "devices": {
            board.name: {
                "title": board.title,
                "share": board.share(report.resources),
                "overflow": board.overflow(report.resources),
                "source": board.source,
            }
            for board in boards
        },
        "provenance": {"tools": {"yosys": report.yosys}, "rtl_sha256": report.rtl_sha256},
    }


def print_fpga(title: str, report: FpgaReport, boards: Sequence[Device]) -> None:
    used = report.resources
    shares = [board.share(used) for board in boards]
    rows = [
        (label, shown(used[kind]), *(_percent(share[kind]) for share in shares))
        for kind, label in _COUNTS.items()
    ]
    columns = ("", "used", *(board.name for board in boards))
    print_heading(title)
    print_table("", columns, rows, right=" r" + "r" * len(boards))
    modules = [
        (module.name, shown(module.instances), *(shown(module.resources[kind]) for kind in _COUNTS))
        for module in report.modules
    ]
    columns = ("each module alone", "number", *_COUNTS.values())
    print_table("", columns, modules, right=" r" + "r" * len(_COUNTS))
    for board in boards:
        missing = board.overflow(used)
        what = ", ".join(f"{shown(more)} {_COUNTS[kind]}" for kind, more in missing.items())
        print(f"{board.title}: {f'lacks {what}' if missing else 'large enough by count'}")
    if report.packed_pairs:
        print(f"{report.packed_pairs:,} {_PAIRS}")


def _percent(share: float | None) -> str:
    return "none there" if share is None else f"{share:.1%}"
