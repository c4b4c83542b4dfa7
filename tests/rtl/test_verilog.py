# amaranth: UnusedElaboratable=no
"""rtl/verilog.py: the same text every time, without what a scratchpad cannot have."""

import os
import re
import subprocess
import sys

import pytest
from amaranth import Instance, Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from dovetail.errors import ToolError
from dovetail.rtl.engines import engine_verilog
from dovetail.rtl.verilog import verilog
from dovetail.tests.rtl.simulation import small_engine

_PRINT = """
from dovetail.rtl.engines import engine_verilog
from dovetail.tests.rtl.simulation import small_engine
print(engine_verilog(small_engine(rows=2, cols=1)), end="")
"""


class Table(wiring.Component):
    """A memory that starts with ``init``."""

    def __init__(self, init: list[int]) -> None:
        self._init = init
        super().__init__({"address": In(3), "write": In(1), "i": In(5), "o": Out(5)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = table = memory.Memory(shape=5, depth=8, init=self._init)
        read, write = table.read_port(), table.write_port()
        m.d.comb += [
            read.addr.eq(self.address),
            write.addr.eq(self.address),
            write.data.eq(self.i),
            write.en.eq(self.write),
            self.o.eq(read.data),
        ]
        return m


class Lost(wiring.Component):
    """Places a module that nothing defines."""

    o: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.lost = Instance("nowhere", o_o=self.o)
        return m


def test_a_memory_that_starts_with_zeros_starts_with_anything() -> None:
    text = verilog(Table([]), name="table")
    assert re.search(r"reg \[4:0\] \S+ \[7:0\];", text)
    assert "initial" not in text


def test_a_memory_that_starts_with_other_values_keeps_them() -> None:
    text = verilog(Table([3, 0, 17]), name="table")
    assert "initial" in text
    assert "= 5'h03;" in text and "= 5'h11;" in text


@pytest.mark.parametrize("core", ["mixpe_w4a8", "int8"])
def test_no_memory_of_an_engine_is_initialised(core: str) -> None:
    text = engine_verilog(small_engine(core=core))
    memories = re.findall(r"  reg \[\d+:0\] (\S+) \[\d+:0\];", text)
    assert len(memories) >= 6  # three scratchpads, drain queue, two halves of accumulators
    assert not re.search(r"initial", text)
    assert text.count("\nmodule engine(") == 1


def test_the_text_does_not_depend_on_the_process() -> None:
    texts = []
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", _PRINT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        texts.append(done.stdout)
    assert texts[0] == texts[1] == engine_verilog(small_engine(rows=2, cols=1))


def test_the_dram_latency_and_the_clock_are_no_structure() -> None:
    one = small_engine(rows=1, cols=1)
    other = small_engine(rows=1, cols=1, dram_latency_cycles=7, clock_mhz=123.0)
    assert engine_verilog(one) == engine_verilog(other)


def test_refuses_a_module_that_nothing_defines() -> None:
    with pytest.raises(ToolError, match=r"^Yosys failed: Module `\\nowhere' .* is not part of"):
        verilog(Lost(), name="top")
