"""A flat netlist of library cells, as Yosys writes it to JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Instance", "Netlist", "read_netlist"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One placed cell.

    Attributes
    ----------
    name, cell : str
    nets : dict of str to int
        Net of each connected pin; constants have none.
    """

    name: str
    cell: str
    nets: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Netlist:
    """Cells and the single-bit nets between them.

    Attributes
    ----------
    instances : tuple of Instance
    names : dict of int to str
        One name of each net: ``net``, or ``bus[3]`` for a bit of a wider one.
    inputs, outputs : dict of str to list of int
        Nets of each port, low bit first; bits that are constant have none.
    output_bits : dict of str to int
        Width of each output port, with its constant bits.
    """

    instances: tuple[Instance, ...]
    names: Mapping[int, str]
    inputs: Mapping[str, list[int]]
    outputs: Mapping[str, list[int]]
    output_bits: Mapping[str, int]

    @property
    def cells(self) -> dict[str, list[Instance]]:
        """Instances by name of their cell."""
        grouped: dict[str, list[Instance]] = {}
        for instance in self.instances:
            grouped.setdefault(instance.cell, []).append(instance)
        return grouped


def read_netlist(text: str, *, top: str) -> Netlist:
    """Read what ``write_json`` of Yosys wrote of module ``top``."""
    module = json.loads(text)["modules"][top]
    names: dict[int, str] = {}
    for name, wire in module["netnames"].items():
        bits, offset = wire["bits"], wire.get("offset", 0)
        for index, bit in enumerate(bits):
            if isinstance(bit, int):
                names[bit] = name if len(bits) == 1 else f"{name}[{index + offset}]"
    return Netlist(
        instances=tuple(
            Instance(
                name=name,
                cell=cell["type"],
                nets={
                    pin: bits[0]
                    for pin, bits in cell["connections"].items()
                    if bits and isinstance(bits[0], int)
                },
            )
            for name, cell in module["cells"].items()
        ),
        names=names,
        inputs=_ports(module["ports"], "input"),
        outputs=_ports(module["ports"], "output"),
        output_bits={
            name: len(port["bits"])
            for name, port in module["ports"].items()
            if port["direction"] == "output"
        },
    )


def _ports(ports: Mapping[str, Any], direction: str) -> dict[str, list[int]]:
    return {
        name: [bit for bit in port["bits"] if isinstance(bit, int)]
        for name, port in ports.items()
        if port["direction"] == direction
    }
