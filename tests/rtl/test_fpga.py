# amaranth: UnusedElaboratable=no
"""rtl/fpga.py against counts by hand, and the hierarchical count against the flat one."""

from collections.abc import Mapping
from typing import Any

import pytest
from amaranth import Cat, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.spad import SpadShape
from dovetail.errors import ToolError
from dovetail.rtl.fpga import FAMILIES, FpgaReport, synthesize_fpga
from dovetail.rtl.gemm.accumulate import Accumulate
from dovetail.rtl.gemm.accumulators import AccumulatorBank
from dovetail.rtl.gemm.pe_column import PeColumn
from dovetail.rtl.gemm.spad import Spad
from dovetail.rtl.leaf import Leaf
from dovetail.rtl.mixpe.multiplier_pe import MultiplierPe
from dovetail.rtl.mixpe.pe import MixpePe


def run(component: Any, family: Any = "xcup", **options: Any) -> FpgaReport:
    return synthesize_fpga(component, name="dut", family=family, **options)


class Several(wiring.Component):
    """Components side by side, each a module that is counted alone."""

    def __init__(self, parts: Mapping[str, Any], *, times: int = 1) -> None:
        self._parts = [
            Leaf(name, part, clocked=getattr(part, "clocked", True)) for name, part in parts.items()
        ]
        self._times = times
        super().__init__(
            {
                f"{leaf.name}__{port}_{copy}": member
                for leaf in self._parts
                for copy in range(times)
                for port, member in leaf.component.signature.members.items()
            }
        )

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return tuple(self._parts)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for leaf in self._parts:
            ports = leaf.component.signature.members
            for copy in range(self._times):
                m.submodules += leaf.instance(
                    **{port: getattr(self, f"{leaf.name}__{port}_{copy}") for port in ports}
                )
        return m


def each(parts: Mapping[str, Any], family: Any, **options: Any) -> dict[str, Mapping[str, float]]:
    """Resources of each of ``parts``, from one run."""
    report = run(Several(parts), family, **options)
    return {module.name: module.resources for module in report.modules}


class Sum(wiring.Component):
    """An adder with a register behind it, or with none."""

    def __init__(self, bits: int, *, registered: bool) -> None:
        self._registered = registered
        super().__init__({"a": In(bits), "b": In(bits), "o": Out(bits)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d["sync" if self._registered else "comb"] += self.o.eq(self.a + self.b)
        return m


class Delay(wiring.Component):
    """One bit, ``cycles`` later."""

    def __init__(self, cycles: int) -> None:
        self._cycles = cycles
        super().__init__({"i": In(1), "o": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        chain = Signal(self._cycles, reset_less=True)
        m.d.sync += chain.eq(Cat(self.i, chain))
        m.d.comb += self.o.eq(chain[-1])
        return m


@pytest.mark.parametrize("family", FAMILIES)
def test_logic_by_hand(family: Any) -> None:
    found = each(
        {
            "sum_8": Sum(8, registered=True),
            "sum_20": Sum(20, registered=True),
            "delay_2": Delay(2),
            "delay_16": Delay(16),
        },
        family,
    )
    # A LUT and a flip-flop a bit; four bits a CARRY4, eight a CARRY8.
    assert (found["sum_8"]["lut"], found["sum_8"]["ff"]) == (8, 8)
    assert (found["sum_20"]["lut"], found["sum_20"]["ff"]) == (20, 20)
    carries = (found["sum_8"]["carry"], found["sum_20"]["carry"])
    assert carries == ((1, 3) if family == "xcup" else (2, 5))
    # Two flip-flops, but a shift register from three bits on, in one LUT.
    assert (found["delay_2"]["lut"], found["delay_2"]["ff"]) == (0, 2)
    assert (found["delay_16"]["lut"], found["delay_16"]["ff"]) == (1, 0)
    assert all(not part[kind] for part in found.values() for kind in ("dsp", "bram36", "uram"))


class Ram(wiring.Component):
    """A memory with one write and one read port."""

    def __init__(self, bits: int, depth: int, *, clocked: bool = True) -> None:
        self._bits, self._depth, self._clocked = bits, depth, clocked
        address = range(depth)
        super().__init__(
            {
                "write": In(1),
                "to": In(address),
                "data": In(bits),
                "read": In(address),
                "o": Out(bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.ram = ram = memory.Memory(shape=self._bits, depth=self._depth, init=[])
        write = ram.write_port()
        read = ram.read_port(domain="sync" if self._clocked else "comb")
        m.d.comb += [
            write.en.eq(self.write),
            write.addr.eq(self.to),
            write.data.eq(self.data),
            read.addr.eq(self.read),
            self.o.eq(read.data),
        ]
        return m


def spad(word: int, row: int, beat: int, half_rows: int) -> Spad:
    return Spad(
        SpadShape(
            slice_bits=word, word_bits=word, row_bits=row, half_rows=half_rows, beat_bits=beat
        )
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_memories_are_block_rams(family: Any) -> None:
    """A block holds 512 words of 72 bits, 1,024 of 36, 2,048 of 18; half a block half of them."""
    blocks = {
        "all_of_one": (Ram(72, 512), 1),
        "half_of_one": (Ram(36, 512), 0.5),
        "two_wide": (Ram(144, 512), 2),
        "deep": (Ram(18, 2048), 1),
        # Scratchpads as engines have them.  One word, one beat a row:
        "spad_plain": (spad(256, 256, 256, 256), 4),
        # a word of several beats, which are written one by one, down to a byte;
        "spad_beats": (spad(256, 256, 64, 256), 4),
        "spad_bytes": (spad(256, 256, 8, 256), 4),
        # a beat of several words.
        "spad_words": (spad(128, 1024, 1024, 256), 14.5),
        # Each half 48 bits wide.
        "accumulators": (
            AccumulatorBank(depth=320, accumulate=Accumulate(increment_bits=36)),
            2,
        ),
    }
    found = each({name: part for name, (part, _) in blocks.items()}, family)
    for name, (_, want) in blocks.items():
        assert found[name]["bram36"] == want, name
        assert found[name]["lut_memory"] == 0, name
    # Which word of the row was fetched; accumulators pass through a pipe of registers.
    assert all(found[name]["ff"] <= 3 for name in blocks if name != "accumulators")
    assert found["accumulators"]["ff"] <= 64


def test_a_memory_read_at_once_is_made_of_luts() -> None:
    report = run(Ram(14, 32, clocked=False))
    # RAM32M16: 14 bits of one read port in the eight LUTs of a slice.
    assert (report.lut, report.lut_memory, report.bram36) == (8, 8, 0)


def test_ultra_ram_where_asked() -> None:
    report = run(Ram(72, 4096), uram=True)
    assert (report.uram, report.bram36) == (1, 0)  # 288 kbit


def column() -> PeColumn:
    return PeColumn(pe=Leaf("pe", MixpePe(sum_bits=19)), rows=2)


def test_modules_are_counted_once_and_times_their_instances() -> None:
    parts = {"adder": Sum(12, registered=True), "pes": column()}
    report = run(Several(parts, times=3))
    modules = {module.name: module for module in report.modules}
    assert {name: module.instances for name, module in modules.items()} == {
        "dut": 1,
        "adder": 3,
        "pes": 3,
    }
    for name, value in report.resources.items():
        assert value == sum(m.instances * m.resources[name] for m in modules.values())
    flat = run(Several(parts, times=3), flat=True)
    assert [(whole.name, whole.instances) for whole in flat.modules] == [("dut", 1)]
    gap = report.lut / flat.lut - 1
    print(f"LUTs by modules {report.lut}, flat {flat.lut}: {gap:+.1%}")
    # No boundary hides anything from another; what differs is how the mapper covers the PEs.
    assert abs(gap) < 0.15
    assert (report.ff, report.carry) == (flat.ff, flat.carry)


class Twice(wiring.Component):
    """Wires alone."""

    clocked = False

    def __init__(self) -> None:
        super().__init__({"i": In(8), "o": Out(16)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.o.eq(self.i.replicate(2))
        return m


def test_a_module_of_wires_counts_nothing() -> None:
    report = run(Several({"twice": Twice(), "adder": Sum(12, registered=True)}, times=2))
    assert {module.name for module in report.modules} == {"dut", "adder"}
    alone = run(Several({"adder": Sum(12, registered=True)}, times=2))
    assert report.resources == alone.resources


def test_a_multiplier_is_a_dsp_unless_told_otherwise() -> None:
    with_dsp = run(MultiplierPe(activation_bits=8, sum_bits=19))
    without = run(MultiplierPe(activation_bits=8, sum_bits=19), dsp=False)
    assert (with_dsp.dsp, without.dsp) == (1, 0)
    assert with_dsp.lut < without.lut


def test_packing_counts_a_pair_for_each_two_pes() -> None:
    single = run(MixpePe(sum_bits=19))
    pair = run(MixpePe(sum_bits=19), pack_dsp=True)
    assert (pair.packed_pairs, pair.dsp, single.dsp) == (1, 1, 0)
    assert pair.lut < 2 * single.lut
    # Two PEs have 2 x (8 + 4 + 4 + 1 + 2 x 19) flip-flops; in a pair weights, accumulators and
    # drained sums are two, the activation passes twice, and the control is shared.
    assert single.ff == 8 + 4 + 4 + 1 + 2 * 19
    assert pair.ff == 2 * (8 + 4 + 2 * 19) + 4 + 1


def test_a_column_without_a_partner_keeps_its_pes() -> None:
    report = run(Several({"column": column()}, times=3), pack_dsp=True)
    instances = {module.name: module.instances for module in report.modules}
    assert instances == {"dut": 1, "column": 3, "pe": 2, "pe_pair": 2}
    assert (report.packed_pairs, report.dsp) == (2, 2)


def test_what_has_no_pes_cannot_be_packed() -> None:
    with pytest.raises(ToolError, match=r"^dut has no PEs that a DSP can serve in pairs; o"):
        run(Ram(8, 16), pack_dsp=True)


def test_uram_needs_ultrascale() -> None:
    with pytest.raises(ToolError, match=r"^xc7 has no UltraRAM; leave it out$"):
        run(Ram(8, 16), "xc7", uram=True)
