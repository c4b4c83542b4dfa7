"""Read a Verilog text's ports, and a flat netlist's cells and nets; write nets of one bit each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dovetail.errors import ToolError
from dovetail.rtl.yosys import run_yosys

__all__ = ["FlatNetlist", "read_flat_netlist", "read_ports"]

Bit = int | str
"""A net's number, or the value of a constant; nets joined by ``assign`` have the same number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatNetlist:
    """A module of cells.

    Attributes
    ----------
    ports : dict of str to (str, list of Bit)
        Direction and bits, lowest first.
    cells : list of (str, dict of str to list of Bit)
        Type and connections.
    names : dict of str to Bit
        The net of every name, ``net`` or ``bus[3]``.
    """

    ports: Mapping[str, tuple[str, Sequence[Bit]]]
    cells: Sequence[tuple[str, Mapping[str, Sequence[Bit]]]]
    names: Mapping[str, Bit]

    def nets(self) -> Counter[int]:
        """Numbers of all nets that lead somewhere, each with the count of its connections."""
        ends: Counter[int] = Counter()
        for bits in self._connections():
            ends.update(bit for bit in bits if isinstance(bit, int))
        return ends

    def _connections(self) -> Iterator[Sequence[Bit]]:
        for _, bits in self.ports.values():
            yield bits
        for _, pins in self.cells:
            yield from pins.values()

    def verilog(self, *, top: str) -> str:
        """The same netlist with the nets ``n<number>``, one bit each.

        A simulator sees a false loop in a bus whose bits depend on each other.
        """
        # Nothing reads these; Verilator removes such nets unless they are public.
        dangling = {net for net, ends in self.nets().items() if ends == 1}
        lines = [f"module \\{top} ({', '.join(map(_escaped, self.ports))});"]
        for name, (direction, bits) in self.ports.items():
            lines.append(f"{direction} [{len(bits) - 1}:0] {_escaped(name)};")
        for net in self.nets():
            lines.append(f"wire n{net}{' /*verilator public_flat_rd*/' * (net in dangling)};")
        for name, (direction, bits) in self.ports.items():
            sides = [_bus(bits), _escaped(name)]
            target, source = sides if direction == "input" else reversed(sides)
            lines.append(f"assign {target} = {source};")
        for number, (kind, pins) in enumerate(self.cells):
            connections = ", ".join(f".{_escaped(pin)}({_bus(bits)})" for pin, bits in pins.items())
            lines.append(f"{_escaped(kind)} g{number} ({connections});")
        return "\n".join([*lines, "endmodule\n"])


def _escaped(name: str) -> str:
    return f"\\{name} "


def _bus(bits: Sequence[Bit]) -> str:
    if not bits:  # a pin that is left open
        return ""
    nets = (f"n{bit}" if isinstance(bit, int) else f"1'b{bit}" for bit in reversed(bits))
    return f"{{{', '.join(nets)}}}"


def read_flat_netlist(folder: Path, source: str, *, top: str) -> FlatNetlist:
    """Let Yosys read a flat netlist.

    Parameters
    ----------
    folder : Path
        Holds the file; used for what comes in between.
    source : str
        Name of the file.
    top : str
        Module name.

    Raises
    ------
    ToolError
        Yosys cannot read the file, it has no such module, that is more than cells and wires, or two
        nets have the same name.
    """
    module = _read(folder, [f"read_verilog {source}", "proc"], top)
    cells = []
    for cell in module["cells"].values():
        kind = cell["type"]
        if kind.startswith("$") or cell["parameters"]:
            raise ToolError(
                f"{top} is not a netlist of plain cells, it has a {kind}; "
                f"map it to cells before its toggles are counted"
            )
        cells.append((_name(kind), {_name(pin): bits for pin, bits in cell["connections"].items()}))
    names: dict[str, Bit] = {}
    for name, bit in _net_names(module["netnames"]):
        if names.setdefault(name, bit) != bit:
            raise ToolError(
                f"two different nets of {top} are called {name!r}, one of them with an escaped "
                f"name; rename one"
            )
    ports = {name: (port["direction"], port["bits"]) for name, port in _ports(module)}
    return FlatNetlist(ports=ports, cells=cells, names=names)


def read_ports(folder: Path, source: str, *, top: str) -> dict[str, tuple[str, int]]:
    """Direction and width of every port of module ``top`` in a Verilog file, as Yosys reads it.

    Parameters and errors are those of :func:`read_flat_netlist`, but any Verilog will do.
    """
    module = _read(folder, [f"read_verilog -lib {source}"], top)
    return {name: (port["direction"], len(port["bits"])) for name, port in _ports(module)}


def _read(folder: Path, commands: Sequence[str], top: str) -> dict[str, Any]:
    run_yosys([*commands, "write_json module.json"], folder=folder)
    modules = json.loads((folder / "module.json").read_text())["modules"]
    if top not in modules:
        raise ToolError(
            f"the Verilog text has no module {top!r}, only {', '.join(modules) or 'none'}; "
            f"give the name of a module in it"
        )
    module: dict[str, Any] = modules[top]
    return module


def _name(name: str) -> str:
    """Yosys' JSON keeps the backslash of a name that would else look like one of its own."""
    return name.removeprefix("\\")


def _ports(module: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((_name(name), port) for name, port in module["ports"].items())


def _net_names(netnames: Mapping[str, Any]) -> Iterator[tuple[str, Bit]]:
    for name, net in netnames.items():
        if net["hide_name"]:  # of Yosys' own making: not in the text
            continue
        bits, offset = net["bits"], net.get("offset", 0)
        for place, bit in enumerate(bits):
            at = offset + (len(bits) - 1 - place if net.get("upto") else place)
            yield _name(name) + (f"[{at}]" if len(bits) > 1 else ""), bit
