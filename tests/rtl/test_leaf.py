# amaranth: UnusedElaboratable=no
"""rtl/leaf.py: the order of leaves, and connections that are checked."""

from typing import Any

import pytest
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.rtl.leaf import Leaf
from dovetail.rtl.verilog import verilog


class Stage(wiring.Component):
    """One register in front of what ``leaves`` do, one after the other."""

    i: In(4)
    o: Out(4)

    def __init__(self, *leaves: Leaf) -> None:
        self.leaves = leaves
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        value = Signal(4)
        m.d.sync += value.eq(self.i)
        for index, leaf in enumerate(self.leaves):
            out = Signal(4, name=f"out_{index}")
            m.submodules += leaf.instance(i=value, o=out)
            value = out
        m.d.comb += self.o.eq(value)
        return m


class Inverter(wiring.Component):
    """No clock."""

    i: In(4)
    o: Out(4)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.o.eq(~self.i)
        return m


def test_leaves_come_before_what_places_them_and_each_name_once() -> None:
    inner = Leaf("inner", Stage())
    left, right = Leaf("left", Stage(inner)), Leaf("right", Stage(inner, inner))
    top = Leaf("top", Stage(left, right, left))
    assert [leaf.name for leaf in top.tree()] == ["inner", "left", "right", "top"]


def test_the_verilog_holds_each_leaf_once_however_often_it_is_placed() -> None:
    inner = Leaf("inner", Stage())
    text = verilog(Stage(inner, inner, inner), name="top")
    assert text.count("module inner(") == 1
    assert text.count("inner \\") == 3


def test_a_combinational_leaf_has_no_clock() -> None:
    text = verilog(Stage(Leaf("inverter", Inverter(), clocked=False)), name="top")
    (module,) = [part for part in text.split("endmodule") if "module inverter(" in part]
    assert "clk" not in module and "rst" not in module


@pytest.mark.parametrize(
    ("ports", "wrong"), [({"i": 0}, r"\['o'\]"), ({"i": 0, "o": Signal(4), "x": 0}, r"\['x'\]")]
)
def test_every_port_must_be_connected(ports: dict[str, Any], wrong: str) -> None:
    with pytest.raises(AssertionError, match=rf"^inner: ports {wrong} are missing or unknown"):
        Leaf("inner", Stage()).instance(**ports)
