"""rtl/vector_bench.py against NumPy: outputs of RTL and netlists, and toggles of every net."""

import gzip
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth import Module, Mux, ResetSignal, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from dovetail.errors import ConfigError, ShapeError, ToolError
from dovetail.rtl import verilate
from dovetail.rtl.stimulus import Stimulus
from dovetail.rtl.vector_bench import VectorRun, check_outputs, run_vectors
from dovetail.rtl.verilog import rtlil_modules, verilog
from dovetail.rtl.yosys import run_yosys
from dovetail.tests.rtl.liberty import liberty

pytestmark = pytest.mark.cosim

Words = NDArray[np.uint64]
CYCLES = 1000


def gate(name: str, output: str, function: str) -> str:
    """Verilog of a cell without state; its inputs are those in the function."""
    inputs = ", ".join(f"input {pin}" for pin in sorted(set(re.findall(r"\w+", function))))
    return f"module {name} ({inputs}, output {output}); assign {output} = {function}; endmodule\n"


# Models of the cells that Yosys maps to by itself; names and functions as its manual has them.
GATES = (
    gate("\\$_NOT_", "Y", "~A")
    + gate("\\$_AND_", "Y", "A & B")
    + gate("\\$_NAND_", "Y", "~(A & B)")
    + gate("\\$_OR_", "Y", "A | B")
    + gate("\\$_NOR_", "Y", "~(A | B)")
    + gate("\\$_XOR_", "Y", "A ^ B")
    + gate("\\$_XNOR_", "Y", "~(A ^ B)")
    + gate("\\$_ANDNOT_", "Y", "A & ~B")
    + gate("\\$_ORNOT_", "Y", "A | ~B")
    + """
module \\$_DFF_P_ (input C, input D, output reg Q);
  always @(posedge C) Q <= D;
endmodule
"""
)

# Nangate's; the flip-flop has an output that nothing needs.
NANGATE = (
    gate("INV_X1", "ZN", "~A")
    + gate("AND2_X1", "ZN", "A1 & A2")
    + gate("AND3_X1", "ZN", "A1 & A2 & A3")
    + gate("NAND2_X1", "ZN", "~(A1 & A2)")
    + gate("NAND3_X1", "ZN", "~(A1 & A2 & A3)")
    + gate("NAND4_X1", "ZN", "~(A1 & A2 & A3 & A4)")
    + gate("OR2_X1", "ZN", "A1 | A2")
    + gate("OR3_X1", "ZN", "A1 | A2 | A3")
    + gate("OR4_X1", "ZN", "A1 | A2 | A3 | A4")
    + gate("NOR2_X1", "ZN", "~(A1 | A2)")
    + gate("NOR3_X1", "ZN", "~(A1 | A2 | A3)")
    + gate("NOR4_X1", "ZN", "~(A1 | A2 | A3 | A4)")
    + gate("XOR2_X1", "Z", "A ^ B")
    + gate("XNOR2_X1", "ZN", "~(A ^ B)")
    + gate("AOI21_X1", "ZN", "~(A | B1 & B2)")
    + gate("AOI22_X1", "ZN", "~(A1 & A2 | B1 & B2)")
    + gate("AOI211_X1", "ZN", "~(A | B | C1 & C2)")
    + gate("OAI21_X1", "ZN", "~(A & (B1 | B2))")
    + gate("OAI22_X1", "ZN", "~((A1 | A2) & (B1 | B2))")
    + gate("OAI33_X1", "ZN", "~((A1 | A2 | A3) & (B1 | B2 | B3))")
    + gate("OAI211_X1", "ZN", "~(A & B & (C1 | C2))")
    + """
module DFF_X1 (input D, input CK, output Q, output QN);
  reg state;
  always @(posedge CK) state <= D;
  assign Q = state;
  assign QN = ~state;
endmodule
"""
)

# A counter of three bits: no reset, an enable, and all that a netlist's names can be like.
COUNTER = """
module counter(clk, rst, \\en[0] , q, same, tied);
  input clk, rst, \\en[0] ;
  wire \\en[0] ;
  output [6:4] q;
  output same, tied;
  wire _nrst_, _c2_, \\u.carry[1] , _n0_, _n1_, _n2_, _d0_, _d1_, _d2_, _open_, _nowhere_;
  assign same = q[5];
  assign tied = 1'h0;
  \\$_NOT_ not_rst (.A(rst), .Y(_nrst_));
  \\$_XOR_ \\add[0] (.A(q[4]), .B(\\en[0] ), .Y(_n0_));
  \\$_XOR_ \\add[1] (.A(q[5]), .B(\\u.carry[1] ), .Y(_n1_));
  \\$_XOR_ \\add[2] (.A(q[6]), .B(_c2_), .Y(_n2_));
  \\$_AND_ carry1 (.A(q[4]), .B(\\en[0] ), .Y(\\u.carry[1] ));
  \\$_AND_ carry2 (.A(\\u.carry[1] ), .B(q[5]), .Y(_c2_));
  \\$_AND_ clear0 (.A(_n0_), .B(_nrst_), .Y(_d0_));
  \\$_AND_ clear1 (.A(_n1_), .B(_nrst_), .Y(_d1_));
  \\$_AND_ clear2 (.A(_n2_), .B(_nrst_), .Y(_d2_));
  \\$_NOT_ nobody (.A(q[6]), .Y(_open_));
  \\$_DFF_P_ ff0 (.C(clk), .D(_d0_), .Q(q[4]));
  \\$_DFF_P_ ff1 (.C(clk), .D(_d1_), .Q(q[5]));
  \\$_DFF_P_ ff2 (.C(clk), .D(_d2_), .Q(q[6]));
endmodule
"""


class Mac(wiring.Component):
    """4 x 4 multiplier and 12-bit accumulator."""

    def __init__(self) -> None:
        super().__init__(
            {"a": In(signed(4)), "b": In(signed(4)), "clear": In(1), "total": Out(signed(12))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.total.eq(Mux(self.clear, 0, self.total) + self.a * self.b)
        return m


class Invert(wiring.Component):
    """``o`` is ``i`` inverted, and the bit of ``i`` at its upper end; no clock."""

    def __init__(self, bits: int) -> None:
        super().__init__({"i": In(bits), "flip": In(1), "o": Out(bits), "top": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [self.o.eq(Mux(self.flip, ~self.i, self.i)), self.top.eq(self.i[-1])]
        return m


class Starting(wiring.Component):
    """A counter that starts at 5 and has no reset; and one of cycles in reset."""

    def __init__(self) -> None:
        super().__init__({"step": In(8), "count": Out(8, init=5), "resets": Out(8)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = Signal(8, init=5, reset_less=True)
        resets = Signal(8, init=0, reset_less=True)
        m.d.comb += [self.count.eq(count), self.resets.eq(resets)]
        m.d.sync += [count.eq(count + self.step), resets.eq(resets + ResetSignal("sync"))]
        return m


def random_bits(bits: int, seed: int) -> Words:
    """Random raw bits of a port, all-ones and zero among them."""
    rng = np.random.default_rng(seed)
    count = -(-bits // 64)
    words = rng.integers(0, 2**64, (CYCLES, count), dtype=np.uint64)
    words[0], words[1] = 2**64 - 1, 0
    if bits % 64:
        words[:, -1] &= np.uint64(2 ** (bits % 64) - 1)
    return words[:, 0] if bits <= 64 else words


def mac_inputs(seed: int = 0) -> dict[str, Words]:
    return {name: random_bits(bits, seed + bits) for name, bits in (("a", 4), ("clear", 1))} | {
        "b": random_bits(4, seed + 100)
    }


def mac_totals(inputs: dict[str, Words]) -> Words:
    """The accumulator in each cycle, before its clock edge."""
    a, b = (np.where(inputs[k] >= 8, inputs[k].astype(int) - 16, inputs[k]) for k in "ab")
    totals = [0]
    for product, clear in zip((a * b).astype(int), inputs["clear"], strict=True):
        totals.append(product if clear else totals[-1] + product)
    return np.array(totals[:-1]).astype(np.int64).astype(np.uint64) & np.uint64(0xFFF)


def netlist(component: Any, *, library: Path | None = None) -> str:
    """A netlist as synthesis leaves it, in Yosys' own gates or in those of ``library``."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        texts = rtlil_modules(component, name="dut")
        for index, text in enumerate(texts):
            (folder / f"{index}.il").write_text(text)
        mapping = ["abc -g gates"]
        if library is not None:
            (folder / "cells.lib").write_bytes(gzip.decompress(library.read_bytes()))
            mapping = ["dfflibmap -liberty cells.lib", "abc -liberty cells.lib"]
        run_yosys(
            [
                *(f"read_rtlil {index}.il" for index in range(len(texts))),
                "synth -flatten -top dut",
                "dfflegalize -cell $_DFF_P_ 01",
                *mapping,
                "opt_clean -purge",
                "write_verilog -noattr -noexpr -nohex netlist.v",
            ],
            folder=folder,
        )
        return (folder / "netlist.v").read_text()


def changes(values: Words) -> int:
    return int(np.count_nonzero(values[1:] != values[:-1]))


def bit(values: Words, place: int) -> Words:
    return values >> np.uint64(place) & np.uint64(1)


@pytest.mark.parametrize("bits", [1, 63, 64, 65, 200])
def test_ports_of_any_width_without_a_clock(bits: int) -> None:
    inputs = {"i": random_bits(bits, bits), "flip": random_bits(1, 1)}
    run = run_vectors(
        verilog(Invert(bits), name="dut"), top="dut", inputs=inputs, outputs={"o": bits, "top": 1}
    )
    every = random_bits(bits, 0)[0]  # all ones
    flip = (inputs["flip"] == 1).reshape(-1, *(1,) * (inputs["i"].ndim - 1))
    assert np.array_equal(run.outputs["o"], np.where(flip, inputs["i"] ^ every, inputs["i"]))
    upper = inputs["i"] if bits <= 64 else inputs["i"][:, -1]
    assert np.array_equal(run.outputs["top"], bit(upper, (bits - 1) % 64))
    assert run.cycles == CYCLES
    assert run.toggles == {}


@pytest.mark.parametrize("kind", ["rtl", "gates", "nangate45"])
def test_clocked_component_computes_and_its_netlist_does_the_same(kind: str) -> None:
    inputs = mac_inputs()
    if kind == "rtl":
        text, cells = verilog(Mac(), name="dut"), ""
    elif kind == "gates":
        text, cells = netlist(Mac()), GATES
    else:
        text, cells = netlist(Mac(), library=liberty("nangate45_typ.lib.gz")), NANGATE
        assert "DFF_X1" in text
    run = run_vectors(text, top="dut", inputs=inputs, outputs={"total": 12}, cells=cells)
    assert np.array_equal(run.outputs["total"], mac_totals(inputs))
    if kind == "rtl":
        return
    counted = run_vectors(
        text, top="dut", inputs=inputs, outputs={"total": 12}, cells=cells, count_toggles=True
    )
    assert np.array_equal(counted.outputs["total"], mac_totals(inputs))
    ports = {**inputs, "total": mac_totals(inputs)}
    for port, width in (("a", 4), ("b", 4), ("total", 12)):
        for place in range(width):
            assert counted.toggles[f"{port}[{place}]"] == changes(bit(ports[port], place))
    assert counted.toggles["clear"] == changes(inputs["clear"])
    assert counted.toggles["clk"] == 2 * CYCLES
    # Whatever a cell is connected to has a count.
    pins = re.findall(r"^    \.\w+\((.+?)\s*\),?$", text, re.M)
    names = {pin.replace("\\", "").replace(" ", "") for pin in pins}
    assert len(names) > 100
    assert names <= counted.toggles.keys()


def test_every_net_of_a_small_netlist_toggles_as_often_as_numpy_says() -> None:
    enable = random_bits(1, 3)
    run = run_vectors(
        COUNTER,
        top="counter",
        inputs={"en[0]": enable},
        outputs={"q": 3},
        cells=GATES,
        count_toggles=True,
    )
    count = np.concatenate([[0], np.cumsum(enable)[:-1]]).astype(np.uint64) % np.uint64(8)
    assert np.array_equal(run.outputs["q"], count)
    q0, q1, q2 = (bit(count, place) for place in range(3))
    carry1, carry2 = q0 & enable, q0 & q1 & enable
    nets = {
        "en[0]": enable,
        "q[4]": q0,
        "q[5]": q1,
        "same": q1,
        "q[6]": q2,
        "u.carry[1]": carry1,
        "_c2_": carry2,
        "_open_": q2,
        **{f"_{kind}0_": q0 ^ enable for kind in "nd"},
        **{f"_{kind}1_": q1 ^ carry1 for kind in "nd"},
        **{f"_{kind}2_": q2 ^ carry2 for kind in "nd"},
    }
    still = dict.fromkeys(("rst", "_nrst_", "tied", "_nowhere_"), 0)
    expected = {name: changes(values) for name, values in nets.items()}
    assert run.toggles == {**expected, **still, "clk": 2 * CYCLES}


def test_a_free_counter_halves_its_toggles_from_bit_to_bit() -> None:
    cycles = 70_001  # more than any counter of bytes or 16-bit words holds
    run = run_vectors(
        COUNTER,
        top="counter",
        inputs={"en[0]": np.ones(cycles, np.uint64)},
        outputs={},
        cells=GATES,
        count_toggles=True,
    )
    steps = cycles - 1
    assert [run.toggles[f"q[{4 + place}]"] for place in range(3)] == [
        steps // 2**place for place in range(3)
    ]


def test_nets_that_follow_the_clock_count_both_of_its_edges() -> None:
    text = """
    module gated(input clk, input en, input d, output held, output q);
      wire still, gclk;
      LATCH latch (.E(clk), .D(en), .Q(still));
      \\$_AND_ gate (.A(clk), .B(still), .Y(gclk));
      \\$_DFF_P_ ff (.C(gclk), .D(d), .Q(q));
      assign held = still;
    endmodule
    """
    latch = "module LATCH(input E, input D, output reg Q); always @* if (!E) Q = D; endmodule\n"
    enable, data = random_bits(1, 8), random_bits(1, 9)
    run = run_vectors(
        text,
        top="gated",
        inputs={"en": enable, "d": data},
        outputs={"held": 1, "q": 1},
        cells=GATES + latch,
        count_toggles=True,
    )
    assert np.array_equal(run.outputs["held"], enable)
    # A pulse at the end of each cycle with the enable; what follows the last vector is not run.
    assert run.toggles["gclk"] == 2 * int(enable[:-1].sum())
    state = [None]
    for use, value in zip(enable, data, strict=True):
        state.append(value if use else state[-1])
    known = state.index(next(value for value in state if value is not None))
    assert run.outputs["q"][known:].tolist() == state[known:-1]


@pytest.mark.parametrize("reset_cycles", [0, 1, 7])
def test_clock_does_not_tick_before_the_first_cycle(reset_cycles: int) -> None:
    steps = random_bits(8, 5)
    run = run_vectors(
        verilog(Starting(), name="dut"),
        top="dut",
        inputs={"step": steps},
        outputs={"count": 8, "resets": 8},
        reset_cycles=reset_cycles,
    )
    # Inputs are 0 in reset.
    before = np.concatenate([[np.uint64(0)], np.cumsum(steps)[:-1]])
    assert np.array_equal(run.outputs["count"], (before + np.uint64(5)) % np.uint64(256))
    assert set(run.outputs["resets"].tolist()) == {reset_cycles}


def test_no_vectors_give_no_outputs() -> None:
    empty = {name: values[:0] for name, values in mac_inputs().items()}
    run = run_vectors(verilog(Mac(), name="dut"), top="dut", inputs=empty, outputs={"total": 12})
    assert run.cycles == 0
    assert run.outputs["total"].shape == (0,)


def run_mac(**changed: Any) -> VectorRun:
    arguments = {
        "verilog": verilog(Mac(), name="dut"),
        "top": "dut",
        "inputs": mac_inputs(),
        "outputs": {"total": 12},
    }
    arguments |= changed
    return run_vectors(arguments.pop("verilog"), **arguments)


def test_a_second_run_finds_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    first = run_mac()

    def stop(*_: Any) -> None:
        raise ToolError("builds anew")

    verilate._compiler_version()  # asks g++ once per process
    monkeypatch.setattr(verilate, "_run", stop)
    assert np.array_equal(run_mac().outputs["total"], first.outputs["total"])
    for change in ({"verilog": "// another"}, {"cells": "// another"}, {"count_toggles": True}):
        with pytest.raises(ToolError):
            run_mac(**change)


def test_two_runs_at_once_do_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOVETAIL_CACHE", str(tmp_path))
    inputs = [mac_inputs(seed) for seed in range(2)]
    with ThreadPoolExecutor(max_workers=2) as pool:
        runs = list(pool.map(lambda some: run_mac(inputs=some), inputs))
    for some, run in zip(inputs, runs, strict=True):
        assert np.array_equal(run.outputs["total"], mac_totals(some))
    assert len(list((tmp_path / "vectors").iterdir())) == 1


def test_check_names_the_first_difference_that_counts() -> None:
    inputs = mac_inputs()
    run = run_mac(inputs=inputs)
    expected = mac_totals(inputs)
    check = np.ones(CYCLES, np.bool_)

    def stimulus(values: Words) -> Stimulus:
        return Stimulus(
            inputs=inputs,
            expected={"total": values},
            check={"total": check},
            operations=CYCLES,
            origin="random",
        )

    check_outputs(stimulus(expected), run)
    wrong = expected.copy()
    wrong[[7, 40, 41]] ^= np.uint64(0x10)
    check[7] = False
    with pytest.raises(
        ToolError,
        match=rf"^output total is {int(expected[40]):#x} in cycle 40 and must be "
        rf"{int(wrong[40]):#x}; 2 of {CYCLES - 1} checked values of it differ$",
    ):
        check_outputs(stimulus(wrong), run)
    check[[40, 41]] = False
    check_outputs(stimulus(wrong), run)


def test_check_compares_all_words_of_a_wide_port() -> None:
    values = random_bits(65, 1)
    run = VectorRun(outputs={"o": values}, toggles={}, cycles=CYCLES)
    wrong = values.copy()
    wrong[3, 1] ^= np.uint64(1)
    with pytest.raises(ToolError, match=r"^output o is 0x\w+ in cycle 3 and must be 0x\w+; 1 of "):
        check_outputs(
            Stimulus(
                inputs={},
                expected={"o": wrong},
                check={"o": np.ones(CYCLES, np.bool_)},
                operations=0,
                origin="random",
            ),
            run,
        )


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"verilog": "module dut(; endmodule"}, ToolError, r"Yosys failed: dut\.v:1: .*"),
        (
            {"top": "other"},
            ToolError,
            r"the Verilog text has no module 'other', only dut; give the name of a module in it",
        ),
        (
            {"verilog": "module dut(input a, output y); INV i (.A(a), .Y(y)); endmodule"},
            ToolError,
            r"verilator_bin failed: %Error-MODMISSING: dut\.v:1:\d+: Cannot find .*'INV'",
        ),
        (
            {"verilog": "module dut(input a, inout y); endmodule"},
            ToolError,
            r"port 'y' of dut is an inout; the vector bench drives inputs and reads outputs only: "
            r"split it into the two",
        ),
        (
            {
                "verilog": "module dut(input clk, output reg y); always @(posedge clk) y <= ~y; "
                "endmodule"
            },
            ToolError,
            r"dut has no input but clk and rst; give it one",
        ),
        (
            {"count_toggles": True},
            ToolError,
            r"dut is not a netlist of plain cells, it has a \$\w+; map it to cells before its "
            r"toggles are counted",
        ),
        (
            {
                "verilog": "module dut(input [1:0] a, output y); wire \\a[1] ; "
                "INV i (.A(\\a[1] ), .Y(y)); endmodule",
                "count_toggles": True,
            },
            ToolError,
            r"two different nets of dut are called 'a\[1\]', one of them with an escaped name; "
            r"rename one",
        ),
        (
            {"inputs": {"a": random_bits(4, 0), "b": random_bits(4, 0)}},
            ConfigError,
            r"no vectors for input 'clear' of dut; give some for every input",
        ),
        (
            {"inputs": {**mac_inputs(), "c": random_bits(1, 0)}},
            ConfigError,
            r"dut has no input 'c', only a, b, clear; give vectors for these",
        ),
        (
            {"outputs": {"sum": 12}},
            ConfigError,
            r"dut has no output 'sum', only total; ask for these",
        ),
        (
            {"outputs": {"total": 13}},
            ConfigError,
            r"output 'total' of dut has 12 bits, not 13; give its width",
        ),
        (
            {"inputs": {**mac_inputs(), "b": random_bits(4, 0)[:-1]}},
            ShapeError,
            rf"{CYCLES - 1} vectors for input 'b' but {CYCLES} for 'a'; give one per cycle for "
            r"each",
        ),
        (
            {"inputs": {**mac_inputs(), "b": random_bits(65, 0)}},
            ShapeError,
            rf"vectors of input 'b' are uint64 of shape \({CYCLES}, 2\); 4 bits take uint64 of "
            rf"shape \(cycles,\)",
        ),
        (
            {"inputs": {**mac_inputs(), "b": np.arange(CYCLES)}},
            ShapeError,
            rf"vectors of input 'b' are int64 of shape \({CYCLES},\); 4 bits take uint64 of "
            rf"shape \(cycles,\)",
        ),
        (
            {"inputs": {**mac_inputs(), "b": np.eye(1, CYCLES, 9, np.uint64)[0] * np.uint64(21)}},
            ShapeError,
            r"vector 0x15 of input 'b' in cycle 9 has more than its 4 bits; give raw bits of that "
            r"width",
        ),
        ({"reset_cycles": -1}, ConfigError, r"reset_cycles=-1 must be 0 or more; give a count"),
    ],
)
def test_refuses(change: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{message}$"):
        run_mac(**change)
