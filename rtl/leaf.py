"""Leaf modules: a component that is converted once and placed many times by name.

Elaborating a thousand PEs one by one takes Amaranth 23 s; placing one converted PE a thousand
times takes 3 s.  A component that places leaves lists them in its ``leaves`` property, and
:func:`dovetail.rtl.verilog.verilog` converts each of them once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from amaranth import ClockSignal, Instance, Module, ResetSignal, Value
from amaranth.lib import wiring

__all__ = ["Leaf"]


@dataclass(frozen=True, slots=True)
class Leaf:
    """A component under the module name by which it is placed.

    Attributes
    ----------
    name : str
        Verilog module name, unique in a design.
    component : wiring.Component
        Its ports are plain signals or structs, none of them nested interfaces.
    clocked : bool
        False for a combinational component, whose module has no clock and no reset.
    """

    name: str
    component: Any
    clocked: bool = True

    def instance(self, **ports: Any) -> Instance:
        """Place the leaf in the ``sync`` domain; ``ports`` maps each port to a value."""
        members = self.component.signature.members
        wrong = set(members) ^ set(ports)
        assert not wrong, f"{self.name}: ports {sorted(wrong)} are missing or unknown"
        connections: dict[str, Any] = {}
        if self.clocked:
            connections = {"i_clk": ClockSignal(), "i_rst": ResetSignal()}
        for port, value in ports.items():
            prefix = "i" if members[port].flow is wiring.In else "o"
            connections[f"{prefix}_{port}"] = Value.cast(value)
        return Instance(self.name, **connections)

    def placed(self, m: Module, name: str) -> Any:
        """Place the leaf in ``m`` as submodule ``name``; return an interface with its ports."""
        signature = self.component.signature
        ports = signature.flip().create(path=(name,))
        m.submodules[name] = self.instance(
            **{port: getattr(ports, port) for port in signature.members}
        )
        return ports

    def tree(self) -> Iterator[Leaf]:
        """Yield this leaf and all that it places, each name once, leaves first."""
        seen: set[str] = set()

        def walk(leaf: Leaf) -> Iterator[Leaf]:
            if leaf.name not in seen:
                seen.add(leaf.name)
                for inner in getattr(leaf.component, "leaves", ()):
                    yield from walk(inner)
                yield leaf

        yield from walk(self)
