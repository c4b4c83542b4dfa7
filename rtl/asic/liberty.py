"""Liberty libraries, parsed on first use of each cell.

The files are tens of megabytes, most of it timing tables of cells that no netlist uses.  So a file
is cut into cells, and only those asked for are parsed, without their timing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence, Set
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dovetail.errors import ToolError
from dovetail.rtl.asic.cell import Cell, Corner, InternalPower, Pin, Register, Table
from dovetail.rtl.asic.function import parse_function
from dovetail.rtl.asic.liberty_text import (
    Group,
    group_end,
    parse_group,
    read_liberty,
    without_comments,
)

__all__ = ["Library"]

_CELL = re.compile(r'cell\s*\(\s*"?([^"(){}]+?)"?\s*\)\s*\{')
_PIN = re.compile(r"\bpin\s*\(")
_UNIT = re.compile(r"([\d.]+)([fpnum]?)(?:s|f|V|W)", re.IGNORECASE)
_PREFIX = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0}
# Power does not need them, and they are nine tenths of a file.
_SKIPPED = frozenset({"timing", "test_cell"})


class Library:
    """One library out of one or several files; units may differ between files.

    Parameters
    ----------
    paths : sequence of Path
        Plain or ``.gz``.

    Attributes
    ----------
    corner : Corner
    sha256 : dict of str to str
        Digest of each file as it is on disk, by file name.

    Raises
    ------
    ToolError
        A file cannot be read, or the files are of different voltages.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._files = [_File(path) for path in paths]
        self._cells: dict[str, Cell] = {}
        self.sha256 = {
            path.name: file.sha256 for path, file in zip(paths, self._files, strict=True)
        }
        self.corner = self._files[0].corner
        for path, file in zip(paths, self._files, strict=True):
            if file.corner.voltage != self.corner.voltage:
                raise ToolError(
                    f"{path.name} is for {file.corner.voltage:g} V, {paths[0].name} for "
                    f"{self.corner.voltage:g} V; give files of one library and corner"
                )

    def cell(self, name: str) -> Cell:
        """One cell of the library.

        Raises
        ------
        ToolError
            It has none of that name, or the cell's text is not usable.
        """
        if name not in self._cells:
            for file in self._files:
                if name in file.spans:
                    self._cells[name] = file.cell(name)
                    break
            else:
                raise ToolError(f"the library has no cell {name}; give all files of the library")
        return self._cells[name]

    def smallest_buffer(self) -> str:
        """Name of the smallest cell that passes its one input on; of equals the first by name.

        Raises
        ------
        ToolError
            It has none.
        """
        few_pins = (
            name
            for file in self._files
            for name, (start, end) in file.spans.items()
            if len(_PIN.findall(file.text[start:end])) == 2  # sparing the parser all others
        )
        buffers = [cell for cell in map(self.cell, few_pins) if _is_buffer(cell)]
        if not buffers:
            raise ToolError("the library has no buffer; give all files of the library")
        return min(buffers, key=lambda cell: (cell.area_um2, cell.name)).name

    def excerpts(self, names: Iterable[str]) -> list[str]:
        """Liberty texts, one for each file, with only the named cells: quick to read elsewhere."""
        wanted = set(names)
        return [file.excerpt(wanted) for file in self._files]


class _File:
    """One file: its head, and where each cell stands in its text."""

    def __init__(self, path: Path) -> None:
        self.text = without_comments(read_liberty(path).decode("latin-1"))
        self.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        starts = [
            (match.start(), match[1].strip())
            for match in _CELL.finditer(self.text)
            if not self.text[match.start() - 1].isidentifier()  # the end of "test_cell"
        ]
        ends = [start for start, _ in starts[1:]] + [len(self.text)]
        self.spans = {name: (start, end) for (start, name), end in zip(starts, ends, strict=True)}
        head = parse_group(self.text[: starts[0][0]] + "}" if starts else self.text)
        self._ns = _unit(head, "time_unit", "1ns") / 1e-9
        self._ff = _unit(head, "capacitive_load_unit", "1pf") / 1e-15
        volts = _unit(head, "voltage_unit", "1V")
        # Liberty gives energy no unit of its own: it follows from these two.
        self._fj = self._ff * volts**2
        self._nw = _unit(head, "leakage_power_unit", "1nW") / 1e-9
        self._templates = {g.arguments[0]: g for g in head.groups if g.kind.endswith("template")}
        maps = (entry.split(",") for entry in head.values.get("voltage_map", []))
        self._supplies = {name.strip(): float(value) * volts for name, value in maps}
        self.corner = _corner(head, volts)

    def excerpt(self, names: Set[str]) -> str:
        kept = [span for name, span in self.spans.items() if name in names]
        first = min((start for start, _ in self.spans.values()), default=0)
        cells = [self.text[start : self._end(start)] for start, _ in kept]
        return "\n".join([self.text[:first], *cells, "}"])

    def _end(self, start: int) -> int:
        return group_end(self.text, self.text.index("{", start) + 1)

    def cell(self, name: str) -> Cell:
        start, end = self.spans[name]
        group = parse_group(self.text[start:end], skip=_SKIPPED)
        supplies = {
            pin.arguments[0]: self._supplies[pin.get("voltage_name")]
            for pin in group.all("pg_pin")
            if pin.get("voltage_name") in self._supplies
        }
        pins = {pin.arguments[0]: self._pin(pin, supplies) for pin in group.all("pin")}
        outputs = [pin for pin in group.all("pin") if pin.get("direction") == "output"]
        supply = outputs[0].get("related_power_pin") if outputs else ""
        return Cell(
            name=name,
            area_um2=float(group.get("area", "0")),
            leakage_nw=_leakage(group) * self._nw,
            voltage=supplies.get(supply, self.corner.voltage),
            pins=pins,
            register=_register(group),
        )

    def _pin(self, pin: Group, supplies: dict[str, float]) -> Pin:
        capacitance = pin.get("capacitance", "0")
        function = pin.get("function")
        return Pin(
            name=pin.arguments[0],
            direction=pin.get("direction"),
            function=parse_function(function) if function else None,
            rise_ff=float(pin.get("rise_capacitance", capacitance)) * self._ff,
            fall_ff=float(pin.get("fall_capacitance", capacitance)) * self._ff,
            is_clock=pin.get("clock") == "true",
            powers=tuple(
                power
                for group in pin.all("internal_power")
                for power in self._powers(group, supplies)
            ),
        )

    def _powers(self, group: Group, supplies: dict[str, float]) -> list[InternalPower]:
        tables = {table.kind: self._table(table) for table in group.groups}
        when = group.get("when")
        related_pins: list[str | None] = [*group.get("related_pin").split()]
        return [
            InternalPower(
                related_pin=related,
                when=parse_function(when) if when else None,
                supply_voltage=supplies.get(group.get("related_pg_pin")),
                rise=tables.get("rise_power", tables.get("power")),
                fall=tables.get("fall_power", tables.get("power")),
            )
            for related in related_pins or [None]
        ]

    def _table(self, group: Group) -> Table:
        template = self._templates.get(group.arguments[0], group)
        slews, loads = (
            _numbers(group.get(f"index_{k}") or template.get(f"index_{k}", "0")) for k in (1, 2)
        )
        values = _numbers(group.get("values")).reshape(len(slews), len(loads)) * self._fj
        if template.get("variable_1") == "total_output_net_capacitance":
            slews, loads, values = loads, slews, values.T
        return Table(slews_ns=slews * self._ns, loads_ff=loads * self._ff, energies_fj=values)


def _is_buffer(cell: Cell) -> bool:
    functions = [pin.function for pin in cell.pins.values() if pin.function is not None]
    return (
        cell.register is None
        and len(functions) == 1
        and len(cell.pins) == 2
        and functions[0].operator == "port"
    )


def _unit(head: Group, name: str, default: str) -> float:
    """A unit of the library in SI; written as ``1ps`` or as ``(1, pf)``."""
    text = head.get(name, default).replace(",", "").replace(" ", "")
    match = _UNIT.fullmatch(text)
    if match is None:
        raise ToolError(f"{name} {text!r} is no unit that is known; write it like {default}")
    return float(match[1]) * _PREFIX[match[2].lower()]


def _corner(head: Group, volts: float) -> Corner:
    name = head.get("default_operating_conditions")
    given = [group for group in head.all("operating_conditions") if group.arguments[0] == name]
    values = {
        field: (given[0].get(field) if given else "") or head.get(f"nom_{field}", "0")
        for field in ("process", "voltage", "temperature")
    }
    return Corner(
        name=name,
        process=float(values["process"]),
        voltage=float(values["voltage"]) * volts,
        temperature=float(values["temperature"]),
    )


def _leakage(group: Group) -> float:
    """Mean over the states: as the library gives it, or of the states that it lists.

    A supply's leakages stand beside those of the others, so they are summed over supplies.
    """
    if group.get("cell_leakage_power"):
        return float(group.get("cell_leakage_power"))
    states = list(group.all("leakage_power"))
    means = [state for state in states if not state.get("when")]
    if means:
        return sum(float(state.get("value")) for state in means)
    total = 0.0
    for supply in {state.get("related_pg_pin") for state in states}:
        values = [float(s.get("value")) for s in states if s.get("related_pg_pin") == supply]
        total += sum(values) / len(values)
    return total


def _register(group: Group) -> Register | None:
    for found in group.all("ff", "latch"):
        clear, preset = found.get("clear"), found.get("preset")
        both = (found.get("clear_preset_var1"), found.get("clear_preset_var2"))
        return Register(
            kind=found.kind,
            state=found.arguments[0],
            inverse=found.arguments[1],
            clock=parse_function(found.get("clocked_on") or found.get("enable")),
            data=parse_function(found.get("next_state") or found.get("data_in")),
            clear=parse_function(clear) if clear else None,
            preset=parse_function(preset) if preset else None,
            both=both if all(both) else (),
        )
    return None


def _numbers(text: str) -> NDArray[np.float64]:
    return np.fromstring(text, sep=",")
