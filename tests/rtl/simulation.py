"""Amaranth's own simulator with one testbench, and small engines for it."""

from collections.abc import Awaitable, Callable
from typing import Any

from amaranth import ClockDomain, Module, Value
from amaranth.lib import wiring
from amaranth.sim import Simulator

from dovetail.arch.engine import GemmEngineConfig
from dovetail.rtl.leaf import Leaf


def simulate(dut: Any, testbench: Callable[[Any], Awaitable[None]]) -> None:
    """Run ``testbench`` on ``dut`` to its end; there is a clock even where ``dut`` needs none."""
    top = Module()
    top.domains.sync = ClockDomain()
    top.submodules.dut = dut
    simulator = Simulator(top)
    simulator.add_clock(1e-8)
    simulator.add_testbench(testbench)
    simulator.run()


def inlined(leaf: Leaf, **ports: Any) -> Module:
    """Place a leaf's component itself where :meth:`Leaf.instance` names it.

    So Amaranth's simulator can run what places each of its leaves once.
    """
    m = Module()
    m.submodules.leaf = component = leaf.component
    for name, value in ports.items():
        port = Value.cast(getattr(component, name))
        if component.signature.members[name].flow is wiring.In:
            m.d.comb += port.eq(Value.cast(value))
        else:
            m.d.comb += Value.cast(value).eq(port)
    return m


def small_engine(**values: Any) -> GemmEngineConfig:
    """An engine of 4 x 4 PEs whose scratchpads hold little, changed by ``values``."""
    defaults: dict[str, Any] = {
        "rows": 4,
        "cols": 4,
        "max_group": 16,
        "activation_buffer_bytes": 256,
        "weight_buffer_bytes": 256,
        "scale_buffer_bytes": 128,
        "accumulator_buffer_bytes": 768,
        "port_bits": 64,
    }
    return GemmEngineConfig(**{**defaults, **values})


def edges(bits: int) -> list[int]:
    """The extremes of a signed number of ``bits`` bits, and what lies around zero."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return sorted({low, max(low, -1), 0, min(high, 1), high})
