"""rtl/synth.py against figures read from the Liberty file itself, and what it refuses."""

import gzip
import re
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.errors import ToolError
from dovetail.rtl.stimulus import Stimulus
from dovetail.rtl.synth import synthesize, synthesize_rtlil
from dovetail.rtl.verilog import rtlil_modules
from dovetail.tests.rtl.liberty import liberty


class Mac(wiring.Component):
    """8 x 8 multiplier and 20-bit accumulator."""

    def __init__(self) -> None:
        super().__init__(
            {"a": In(signed(8)), "b": In(signed(8)), "clear": In(1), "total": Out(signed(20))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.total.eq(Mux(self.clear, 0, self.total) + self.a * self.b)
        return m


class Delay(wiring.Component):
    """``bits`` flip-flops in a row, reset by nothing."""

    def __init__(self, bits: int) -> None:
        self._bits = bits
        super().__init__({"i": In(1), "o": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        chain = [Signal(name=f"bit_{k}", reset_less=True) for k in range(self._bits)]
        m.d.sync += [later.eq(bit) for bit, later in zip([self.i, *chain], chain, strict=False)]
        m.d.comb += self.o.eq(chain[-1])
        return m


class Choice(wiring.Component):
    """One register that chooses between two words of ``bits``."""

    def __init__(self, bits: int) -> None:
        super().__init__({"a": In(bits), "b": In(bits), "second": In(1), "o": Out(bits)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        second = Signal()
        m.d.sync += second.eq(self.second)
        m.d.comb += self.o.eq(Mux(second, self.b, self.a))
        return m


class Gate(wiring.Component):
    """One exclusive or; with ``constant``, nothing at all."""

    def __init__(self, *, constant: bool = False) -> None:
        self._constant = constant
        super().__init__({"a": In(1), "b": In(1), "o": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.o.eq(0 if self._constant else self.a ^ self.b)
        return m


@pytest.fixture
def nangate() -> Path:
    return liberty("nangate45_typ.lib.gz")


def cell(path: Path, name: str) -> dict[str, float]:
    """Area and leakage of a cell, straight from the Liberty text."""
    text = gzip.open(path, "rt").read()
    body = text[text.index(f"cell ({name})") :]
    return {
        key: float(re.search(rf"{key}\s*:\s*([\d.]+)", body).group(1))  # type: ignore[union-attr]
        for key in ("area", "cell_leakage_power")
    }


def run(component: Any, path: Path, clock_mhz: float = 500.0, **options: Any) -> Any:
    options.setdefault("thorough", False)
    return synthesize(component, name="dut", liberty=[path], clock_mhz=clock_mhz, **options)


def test_registers_take_the_library_s_area_and_leakage(nangate: Path) -> None:
    report = run(Delay(4), nangate)
    flop = cell(nangate, "DFF_X1")
    assert report.cells == 4
    assert report.area_um2 == report.register_um2 == pytest.approx(4 * flop["area"])
    assert report.leakage_nw == pytest.approx(4 * flop["cell_leakage_power"], rel=0.02)


def test_a_register_with_many_loads_gets_buffers_where_asked(nangate: Path) -> None:
    modules = rtlil_modules(Choice(600), name="dut")
    plain, wide = (
        synthesize_rtlil(
            modules, name="dut", liberty=[nangate], clock_mhz=500.0, thorough=False, wide=wide
        )
        for wide in (False, True)
    )
    # One flip-flop with hundreds of loads takes longer than two nanoseconds to move them.
    assert wide.meets_clock and not plain.meets_clock
    buffers = "inverters and buffers"
    assert wide.area_by_class_um2[buffers] > 8 * cell(nangate, "BUF_X1")["area"]


def test_clock_energy_does_not_depend_on_activity(nangate: Path) -> None:
    calm, busy = run(Delay(4), nangate, activity=0.1), run(Delay(4), nangate, activity=0.3)
    assert calm.clock_pj_per_cycle == busy.clock_pj_per_cycle > 0
    assert busy.energy_pj_per_op - busy.clock_pj_per_cycle == pytest.approx(
        3 * (calm.energy_pj_per_op - calm.clock_pj_per_cycle), rel=1e-3
    )


def test_energy_per_operation_does_not_depend_on_the_clock(nangate: Path) -> None:
    slow, fast = run(Delay(4), nangate, 100.0), run(Delay(4), nangate, 1000.0)
    assert slow.energy_pj_per_op == pytest.approx(fast.energy_pj_per_op, rel=1e-3)


def test_combinational_logic_is_timed_and_has_no_clock(nangate: Path) -> None:
    report = run(Gate(), nangate)
    assert report.area_um2 == pytest.approx(cell(nangate, "XOR2_X1")["area"])
    assert (report.cells, report.register_um2, report.clock_pj_per_cycle) == (1, 0, 0)
    assert 0 < report.energy_pj_per_op
    assert 1000 < report.netlist_mhz


def test_slack_and_fmax_say_the_same(nangate: Path) -> None:
    report = run(Mac(), nangate)
    assert report.slack_ns > 0
    assert 1e3 / report.netlist_mhz == pytest.approx(2.0 - report.slack_ns)


def test_a_clock_out_of_reach_is_reported_not_refused(nangate: Path) -> None:
    report = run(Mac(), nangate, 5000.0)
    assert report.slack_ns < 0
    assert report.netlist_mhz < 5000
    assert run(Mac(), nangate, 200.0).area_um2 < report.area_um2  # sized up in vain


def products(cycles: int, *, wrong: bool = False) -> Stimulus:
    """Random operands for :class:`Mac`, and its sums, by Python's integers."""
    rng = np.random.default_rng(1)
    a, b = rng.integers(-128, 128, (2, cycles))
    clear = np.arange(cycles) % 16 == 0
    totals, total = [], 0
    for k in range(cycles):
        totals.append((total + (wrong and k == 20)) % 2**20)
        total = (0 if clear[k] else total) + int(a[k]) * int(b[k])
    return Stimulus(
        inputs={
            "a": (a % 256).astype(np.uint64),
            "b": (b % 256).astype(np.uint64),
            "clear": clear.astype(np.uint64),
        },
        expected={"total": np.array(totals, dtype=np.uint64)},
        check={"total": np.arange(cycles) > 0},
        operations=cycles,
        origin="random operands",
    )


@pytest.mark.cosim
def test_a_stimulus_gives_the_netlist_s_own_toggles(nangate: Path) -> None:
    stimulus = products(500)
    report = run(Mac(), nangate, stimulus=stimulus)
    assert report.origin == "random operands"
    assert 0.2 < report.activity < 0.6
    assert report.energy_pj_per_op == pytest.approx(report.energy.total_pj)  # one in each cycle
    assert report.data_pj_per_op == pytest.approx(report.energy.total_pj - report.idle.total_pj)
    assert report.idle.switching_pj == report.idle.internal_pj == report.idle.inputs_pj == 0
    # With nothing but zeros only the clock is left; half the operations take twice the energy each.
    zeros = {port: np.zeros(500, dtype=np.uint64) for port in stimulus.inputs}
    still = replace(stimulus, inputs=zeros, check={}, expected={}, operations=250)
    calm = run(Mac(), nangate, stimulus=still)
    assert calm.activity < 0.01 < report.activity
    assert calm.energy_pj_per_op == pytest.approx(2 * calm.energy.total_pj)
    assert calm.energy.total_pj == pytest.approx(report.idle.total_pj, rel=0.05)


@pytest.mark.cosim
def test_a_netlist_that_answers_other_than_expected_is_refused(nangate: Path) -> None:
    with pytest.raises(
        ToolError, match=r"^output total is 0x\w+ in cycle 20 and must be 0x\w+; 1 of 39 checked"
    ):
        run(Mac(), nangate, stimulus=products(40, wrong=True))


def test_the_highest_clock_is_at_least_what_one_netlist_reaches(nangate: Path) -> None:
    report = run(Mac(), nangate, 300.0, thorough=True)
    assert report.fmax_mhz is not None
    assert report.netlist_mhz < report.fmax_mhz
    assert run(Mac(), nangate, 0.95 * report.fmax_mhz).meets_clock
    assert not run(Mac(), nangate, 1.05 * report.fmax_mhz).meets_clock
    assert run(Mac(), nangate, 300.0, thorough=True) == report


def test_says_what_it_was_made_with(nangate: Path) -> None:
    report = run(Gate(), nangate, thorough=True)
    made = report.provenance
    assert made.liberty_sha256 == {nangate.name: sha256(nangate.read_bytes()).hexdigest()}
    assert (made.corner.name, made.corner.voltage, made.corner.temperature) == ("typical", 1.1, 25)
    assert set(made.tools) == {"yosys", "opensta", "verilator"}
    assert re.fullmatch(r"[0-9a-f]{64}", made.rtl_sha256)
    assert report.equivalence == "proved"


def test_area_is_the_sum_of_its_classes(nangate: Path) -> None:
    report = run(Mac(), nangate)
    assert sum(report.area_by_class_um2.values()) == pytest.approx(report.area_um2)
    assert report.area_by_class_um2["registers"] == pytest.approx(report.register_um2)
    assert report.area_by_class_um2["xor"] > 0


def test_a_missed_clock_is_said_in_words(nangate: Path) -> None:
    assert run(Mac(), nangate).warning == ""
    report = run(Mac(), nangate, 5000.0)
    assert not report.meets_clock
    assert re.fullmatch(
        r"dut does not meet 5000 MHz: slack -\d\.\d{3} ns, this netlist reaches \d+ MHz; "
        r"ask for a lower clock",
        report.warning,
    )


def test_equal_inputs_give_equal_figures(nangate: Path) -> None:
    assert run(Mac(), nangate) == run(Mac(), nangate)


def test_several_files_make_one_library() -> None:
    names = ("AO_RVT_TT_nldm_211120", "INVBUF_RVT_TT_nldm_220122", "OA_RVT_TT_nldm_211120")
    names += ("SEQ_RVT_TT_nldm_220123", "SIMPLE_RVT_TT_nldm_211120")
    files = [liberty(f"asap7sc7p5t_{name}.lib.gz") for name in names]
    report = synthesize(Mac(), name="dut", liberty=files, clock_mhz=500.0, thorough=False)
    # A tenth of the area at 45 nm, or less; picoseconds taken for nanoseconds would show here.
    assert report.area_um2 < 0.1 * run(Mac(), liberty("nangate45_typ.lib.gz")).area_um2
    assert 500 < report.netlist_mhz < 10000


def test_names_the_package_where_opensta_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        ToolError,
        match=r"^no command 'sta' on PATH; timing and power need OpenSTA: apt-get install opensta$",
    ):
        run(Gate(), tmp_path / "any.lib")


def test_refuses_a_library_that_is_not_there(nangate: Path, tmp_path: Path) -> None:
    path = tmp_path / "none.lib"
    with pytest.raises(
        ToolError,
        match=rf"^cannot read Liberty file {re.escape(str(path))}: No such file or directory; "
        r"give a readable \.lib or \.lib\.gz file$",
    ):
        run(Gate(), path)


def test_refuses_a_broken_archive(nangate: Path, tmp_path: Path) -> None:
    path = tmp_path / "half.lib.gz"
    path.write_bytes(nangate.read_bytes()[:50000])
    with pytest.raises(
        ToolError,
        match=rf"^cannot read Liberty file {re.escape(str(path))}: Compressed file ended before "
        r"the end-of-stream marker was reached; give a readable \.lib or \.lib\.gz file$",
    ):
        run(Gate(), path)


def test_refuses_a_file_of_another_kind(nangate: Path, tmp_path: Path) -> None:
    path = tmp_path / "notes.lib"
    path.write_text("a list of libraries")
    with pytest.raises(
        ToolError,
        match=rf"^{re.escape(str(path))} holds no library\(\.\.\.\) group; give a Liberty file$",
    ):
        run(Gate(), path)


def test_refuses_half_a_library(nangate: Path, tmp_path: Path) -> None:
    path = tmp_path / "half.lib"
    path.write_text(gzip.open(nangate, "rt").read()[:200_000])
    with pytest.raises(
        ToolError,
        match=rf"^{re.escape(str(path))} is no usable Liberty library: Yosys failed: .+; "
        r"give a whole one$",
    ):
        run(Gate(), path)


def test_refuses_a_library_without_flip_flops() -> None:
    path = liberty("asap7sc7p5t_SIMPLE_RVT_TT_nldm_211120.lib.gz")
    with pytest.raises(
        ToolError,
        match=r"^the library has no flip-flop for dut; give all files of the library$",
    ):
        run(Delay(2), path)


def test_refuses_what_has_no_logic(nangate: Path) -> None:
    with pytest.raises(
        ToolError, match=r"^dut has no logic left after synthesis; check what it computes$"
    ):
        run(Gate(constant=True), nangate)


def test_refuses_an_impossible_clock(nangate: Path) -> None:
    with pytest.raises(ToolError, match=r"^clock_mhz=0\.0 must be above 0; give a clock$"):
        run(Gate(), nangate, 0.0)


def test_refuses_no_library() -> None:
    liberty("nangate45_typ.lib.gz")
    with pytest.raises(
        ToolError, match=r"^no Liberty file given; synthesis needs one at least: name it$"
    ):
        synthesize(Gate(), name="dut", liberty=[], clock_mhz=500.0)


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        (
            "Error: sta.tcl, 2 cannot do that.",
            r"^OpenSTA failed on dut: Error: sta\.tcl, 2 cannot do that\.$",
        ),
        (
            "slack_ns 1e30",
            r"^dut has no path to time; synthesise a component with inputs or state$",
        ),
        (
            "slack_ns 0.5",
            r"^OpenSTA printed no power report; check its version \(tried: 2\.0\.17\)$",
        ),
    ],
)
def test_reports_what_opensta_did_not_do(
    nangate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: str, message: str
) -> None:
    """OpenSTA ends with 0 whatever went wrong, as this stand-in does."""
    stand_in = tmp_path / "sta"
    stand_in.write_text(f"#!/bin/sh\necho '{printed}'\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(ToolError, match=message):
        run(Gate(), nangate)
