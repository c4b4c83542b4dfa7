"""rtl/asic/energy.py: by hand in a library of round numbers, and against OpenSTA's power report."""

from functools import cache
from pathlib import Path

import pytest

from dovetail.rtl.asic.energy import Energy, leakage_nw, netlist_energy
from dovetail.rtl.asic.liberty import Library
from dovetail.rtl.asic.netlist import Instance, Netlist
from dovetail.rtl.asic.opensta import PinTiming
from dovetail.rtl.synth import SynthesisReport, synthesize
from dovetail.rtl.units import unit
from dovetail.tests.rtl.asic.tiny import TINY
from dovetail.tests.rtl.liberty import library_files


@pytest.fixture
def tiny(tmp_path: Path) -> Library:
    (tmp_path / "tiny.lib").write_text(TINY)
    return Library([tmp_path / "tiny.lib"])


def energy(
    tiny: Library, cell: str, nets: dict[str, str], toggles: dict[str, float], **timing: PinTiming
) -> Energy:
    """Energy of one cell whose pins are on the named nets; those in capitals are outputs."""
    numbers = {name: index for index, name in enumerate(nets.values())}
    netlist = Netlist(
        instances=(
            Instance(name="u", cell=cell, nets={pin: numbers[net] for pin, net in nets.items()}),
        ),
        names={index: name for name, index in numbers.items()},
        inputs={name: [index] for name, index in numbers.items() if name.islower()},
        outputs={name: [index] for name, index in numbers.items() if name.isupper()},
        output_bits={name: 1 for name in numbers if name.isupper()},
    )
    pins = {("u", pin): value for pin, value in timing.items()}
    return netlist_energy(netlist, tiny, pins, toggles)


def test_an_inverter_by_hand(tiny: Library) -> None:
    result = energy(
        tiny,
        "INV",
        {"A": "a", "Y": "Y"},
        {"a": 0.5, "Y": 0.5},
        A=PinTiming(rise_ns=0.05, fall_ns=0.1, load_ff=5.0),
        Y=PinTiming(rise_ns=0.0, fall_ns=0.0, load_ff=20.0),
    )
    # 0.5 toggles x C V^2 / 2, C in fF, V = 2 V
    assert result.switching_pj == pytest.approx(0.5 * 20 * 4 / 2 / 1e3)
    assert result.inputs_pj == pytest.approx(0.5 * 5 * 4 / 2 / 1e3)
    # The output rises when the input falls, in 100 ps: 2 + (load 20 fF: halfway from 2 to 4 above
    # 0 fF, 3) = 5; it falls for 10.  The table of the ground is left out.
    assert result.internal_pj == pytest.approx(0.5 * (5 + 10) / 2 / 1e3)
    assert result.clock_pj == 0
    assert result.total_pj == pytest.approx((20 + 5 + 3.75) / 1e3)


def test_a_toggle_is_charged_once_to_the_pins_that_may_have_caused_it(tiny: Library) -> None:
    flat = PinTiming(rise_ns=0.0, fall_ns=0.0, load_ff=0.0)
    nets = {"A": "a", "B": "b", "Y": "Y"}
    timing = {"A": flat, "B": flat, "Y": flat}
    # Each input decides the output in half of the states, so toggles alone weigh: 1 to 3.
    weighed = energy(tiny, "AND2", nets, {"a": 0.1, "b": 0.3, "Y": 0.2}, **timing)
    output = 0.2 * (8 * 1 + 20 * 3) / 4
    # Pin A: 2 fJ while B is low, which is half the time, else 6.
    hidden = 0.1 * (2 + 6) / 2
    assert weighed.internal_pj == pytest.approx((output + hidden) / 1e3)
    alone = energy(tiny, "AND2", nets, {"a": 0.0, "b": 0.3, "Y": 0.2}, **timing)
    assert alone.internal_pj == pytest.approx(0.2 * 20 / 1e3)


@pytest.mark.parametrize("rate", [0.0, 0.25, 1.0])
def test_a_flip_flop_differs_from_its_input_as_often_as_it_toggles(
    tiny: Library, rate: float
) -> None:
    flat = PinTiming(rise_ns=0.0, fall_ns=0.0, load_ff=0.0)
    result = energy(
        tiny,
        "DFF",
        {"CK": "clk", "D": "d", "Q": "Q"},
        {"clk": 0.0, "d": rate, "Q": rate},
        CK=PinTiming(rise_ns=0.0, fall_ns=0.0, load_ff=2.0),
        D=flat,
        Q=flat,
    )
    # Two edges: 1 fJ each where the stored bit is about to change, else 3.
    assert result.clock_internal_pj == pytest.approx(2 * (rate * 1 + (1 - rate) * 3) / 1e3)
    assert result.clock_net_pj == pytest.approx(2 * 2 * 4 / 2 / 1e3)
    assert result.internal_pj == pytest.approx(rate * 30 / 1e3)


def test_leakage_is_the_sum_of_the_cells_means(tiny: Library) -> None:
    cells = ("INV", "AND2", "AND2", "DFF")
    netlist = Netlist(
        instances=tuple(Instance(name=f"u{k}", cell=c, nets={}) for k, c in enumerate(cells)),
        names={},
        inputs={},
        outputs={},
        output_bits={},
    )
    assert leakage_nw(netlist, tiny) == pytest.approx(3.0 + 2 * 1.5 + 4.0)


UNITS = ("mixpe.pe_w4a8", "int8.pe", "mixpe.dequant")


@pytest.mark.parametrize("node", ["asap7", "nangate45", "sky130hd"])
@pytest.mark.parametrize("name", UNITS)
def test_equal_toggles_give_opensta_s_own_power(name: str, node: str) -> None:
    """Under its own rule, nets and cells apart; so loads, slews, tables and units are right."""
    report = uniform(name, node)
    check = report.check
    assert check.switching_pj == pytest.approx(check.opensta_switching_pj, rel=1e-4)
    assert check.internal_pj == pytest.approx(check.opensta_internal_pj, rel=1e-4)


@pytest.mark.parametrize("node", ["asap7", "nangate45", "sky130hd"])
def test_opensta_charges_a_toggle_twice_or_more(node: str) -> None:
    """It adds rise and fall energy where one toggle takes their mean, as its later versions do."""
    report = uniform("mixpe.pe_w4a8", node)
    ours = report.energy.internal_pj + report.energy.clock_internal_pj
    assert 1.4 < report.check.opensta_internal_pj / ours < 2.5


@cache
def uniform(name: str, node: str) -> SynthesisReport:
    return synthesize(
        unit(name), name="dut", liberty=library_files(node), clock_mhz=500.0, thorough=False
    )
