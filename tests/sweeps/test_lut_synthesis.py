"""sweeps/lut_synthesis.py: arrays as sums of measured parts, by hand; rows and tables from them."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from dovetail.errors import ConfigError
from dovetail.lut_synthesis import COLUMNS, KEY, measure, parts
from dovetail.rtl.verilog import rtlil_modules
from dovetail.stimuli.dot import ARRAY_COLS, ARRAY_ROWS, dot_component
from dovetail.sweeps import lut_synthesis, lut_tables, reproduce_lut, reproduce_lut_synthesis
from dovetail.sweeps.lut_synthesis import (
    Array,
    area_per_mac,
    array_cost,
    break_even,
    energy_per_mac,
    libraries,
    measured,
    part,
    shapes,
    unit_cost,
    unpu_steps,
)
from dovetail.tests.rtl.liberty import library_files

DOCS = Path(__file__).resolve().parents[2] / "docs" / "lut-hardware.md"
LIBRARIES = ("asap7", "nangate45", "sky130hd")


def line(library: str, **key: Any) -> dict[str, float]:
    table = measured()
    for name, value in {"library": library, **key}.items():
        table = table[table[name] == value]
    (row,) = table.to_dict("records")
    return row


def test_every_part_is_measured_in_every_library() -> None:
    table = measured()
    assert tuple(table.columns) == COLUMNS
    assert sorted(libraries()) == sorted(LIBRARIES)
    keys = {tuple(p.key.values()) for p in parts()}
    for library in libraries():
        lines = table[table["library"] == library]
        assert set(zip(*(lines[name].astype(str) for name in KEY), strict=True)) == keys
        assert (lines["netlist_mhz"] >= lines["clock_mhz"]).all()


def test_the_table_is_of_the_rtl_that_is_here() -> None:
    table = measured()
    for p in parts():
        if p.design.floating or p.part == "array" or p.design.lut_k > 4:
            continue
        text = "".join(rtlil_modules(dot_component(p.design, p.part), name="part"))
        here = hashlib.sha256(text.encode()).hexdigest()[:16]
        rows = table
        for name, value in p.key.items():
            rows = rows[rows[name].astype(str) == value]
        assert set(rows["rtl_sha256"]) == {here}, p


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_unpu_like_array_by_hand(library: str) -> None:
    int8 = {"activation": "int8", "lut_k": 4, "weight_bits": 2}
    unit = line(library, part="unit", kind="full_signed", **int8)
    head = line(library, part="head", kind="full_signed", **int8)
    column = line(library, part="column_register", kind="lookup", **int8)
    first = unpu_steps()[0].array
    cost = array_cost(library, first)
    want = 128 * unit["area_um2"] + 2 * head["area_um2"] + 64 * column["area_um2"]
    assert cost.area_um2 == pytest.approx(want)
    # Two planes a table: half of what a new table in every cycle moves.
    clock = head["clock_pj_per_cycle"]
    energy = (
        128 * unit["energy_pj_per_cycle"]
        + 2 * (clock + (head["energy_pj_per_cycle"] - clock) / 2)
        + 64 * column["energy_pj_per_cycle"]
    )
    assert cost.energy_pj == pytest.approx(energy)
    leakage = 128 * unit["leakage_nw"] + 2 * head["leakage_nw"] + 64 * column["leakage_nw"]
    # 1 pJ a cycle at 1 MHz is 1 uW.
    assert cost.power_mw(200) == pytest.approx(energy * 0.2 + leakage * 1e-6)
    without = array_cost(library, unpu_steps(registers=False)[0].array).area_um2
    table = line(library, part="row_register", kind="full", **int8)["area_um2"]
    assert without == pytest.approx(
        128 * unit["area_um2"] + 2 * (head["area_um2"] - 15 / 16 * table)
    )


@pytest.mark.parametrize("library", LIBRARIES)
def test_registers_of_a_table_that_comes_in(library: str) -> None:
    array = Array(kind="lookup", activation="int8", rows=3, cols=5, weight_bits=2)
    bare = Array(kind="lookup", activation="int8", rows=3, cols=5, weight_bits=2, registers=False)
    assert (array.row_bits, array.column_bits) == (88, 4)
    int8 = {"kind": "lookup", "activation": "int8", "weight_bits": 2, "lut_k": 4}
    row = line(library, part="row_register", **int8)["area_um2"]
    column = line(library, part="column_register", **int8)["area_um2"]
    more = array_cost(library, array).area_um2 - array_cost(library, bare).area_um2
    assert more == pytest.approx(3 * row + 5 * column, rel=0.01)


def test_widths_of_operands() -> None:
    def bits(kind: str, activation: str, lut_k: int) -> tuple[int, int]:
        array = Array(kind=kind, activation=activation, lut_k=lut_k)
        return array.row_bits, array.column_bits

    assert bits("lookup", "fp16", 4) == (8 * 16, 4)
    assert bits("lookup", "int8", 3) == (4 * 10, 3)
    # Sums of four reach -512; the sum of nothing is 0.
    assert bits("full", "int8", 4) == (15 * 10, 4)
    assert bits("add", "fp16", 4) == (64, 4)
    assert bits("mac", "int8", 4) == (32, 32)


def test_between_measured_weight_bits_a_unit_is_interpolated() -> None:
    def area(bits: int) -> float:
        array = Array(kind="lookup", activation="int8", weight_bits=bits)
        return unit_cost("nangate45", array).area_um2

    assert area(3) == pytest.approx((area(2) + area(4)) / 2)
    assert area(7) == pytest.approx(area(4) / 4 + area(8) * 3 / 4)
    assert area(1) < area(2) < area(4) < area(8)


def test_a_bit_serial_unit_takes_a_cycle_for_each_bit() -> None:
    for library in libraries():
        for bits in (1, 4):
            array = Array(kind="add", activation="int8", weight_bits=bits, registers=False)
            unit = line(
                library,
                part="unit",
                kind="add",
                activation="int8",
                weight_bits=bits,
                lut_k=4,
            )
            assert area_per_mac(library, array) == pytest.approx(unit["area_um2"] * bits / 4)


def test_energy_of_a_multiply_accumulate() -> None:
    for library in libraries():
        unit = {"part": "unit", "activation": "int8", "lut_k": 4}
        four = line(library, kind="add", weight_bits=4, **unit)["energy_pj_per_cycle"]
        # Four cycles for four products.
        assert energy_per_mac(library, "add", "int8", 4) == four
        mac = line(library, kind="mac", weight_bits=2, **unit)["energy_pj_per_cycle"]
        assert energy_per_mac(library, "mac", "int8", 2) == pytest.approx(mac / 4)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("kind", ["lookup", "add"])
def test_break_even_is_the_last_width_below_the_multipliers(library: str, kind: str) -> None:
    limit = break_even(library, kind, "int8", tables="loaded", registers=True)
    mac = area_per_mac(library, Array(kind="mac", activation="int8", cols=4))
    for bits in range(1, 9):
        array = Array(kind=kind, activation="int8", cols=4, weight_bits=bits)
        assert (area_per_mac(library, array) < mac) == (bits <= limit)


def test_shapes_have_512_lanes() -> None:
    every = list(shapes())
    assert len(set(every)) == len(every)
    assert {m * n * k for m, n, k in every} == {512}
    assert (2, 64, 4) in every
    assert (1, 64, 8) in every


def test_what_is_not_measured_is_refused() -> None:
    message = (
        "^no measurement of library=nangate45, part=unit, kind=mac, activation=int8, lut_k=3, "
        "sums=exact; measure it with dovetail.lut_synthesis$"
    )
    with pytest.raises(ConfigError, match=message):
        part("nangate45", part="unit", kind="mac", activation="int8", lut_k=3)


@pytest.fixture(scope="module")
def rows() -> list[Any]:
    return reproduce_lut_synthesis.rows(reproduce_lut.published())


def test_every_row_has_a_verdict_in_every_library(rows: list[Any]) -> None:
    in_each = {"3": 3, "4": 3, "5": 2, "6": 1, "7": 1, "8": 1, "9": 6, "10": 2, "11": 2, "21": 1}
    assert Counter(row.row for row in rows) == {
        number: len(LIBRARIES) * count for number, count in in_each.items()
    }
    assert len({row.what for row in rows}) == len(rows)
    for row in rows:
        assert row.ours is not None
        library = row.what.rsplit(", ", 1)[1]
        assert row.why.startswith(f"{library}: ")
        # Another node's um2, mW and TOPS/W are nothing to hold ours to.
        assert (row.verdict == "report only") == (row.row in ("5", "21"))


def test_each_step_makes_the_array_smaller(rows: list[Any]) -> None:
    for library in LIBRARIES:
        gains = [r.ours for r in rows if r.row == "3" and r.what.endswith(library)]
        assert gains == sorted(gains)
        assert gains[0] > 1


def test_efficiency_is_two_operations_a_lane_and_cycle(rows: list[Any]) -> None:
    for library in LIBRARIES:
        (row,) = (r for r in rows if r.row == "21" and r.what.endswith(library))
        array = Array(kind="lookup", activation="int8", rows=2, cols=64)
        cost = array_cost(library, array)
        clock_hz = lut_synthesis.clock_mhz(library) * 1e6
        watts = cost.energy_pj * 1e-12 * clock_hz + cost.leakage_nw * 1e-9
        assert row.ours == pytest.approx(2 * 512 * clock_hz / watts * 1e-12)


def test_the_small_array_is_the_one_that_was_measured() -> None:
    assert (lut_synthesis.ARRAY_ROWS, lut_synthesis.ARRAY_COLS) == (ARRAY_ROWS, ARRAY_COLS)
    for library in libraries():
        whole, sum_of_parts = lut_synthesis.whole_and_parts(library)
        assert sum_of_parts.area_um2 == pytest.approx(whole.area_um2, rel=0.15)
        assert sum_of_parts.energy_pj == pytest.approx(whole.energy_pj, rel=0.15)


@pytest.mark.parametrize("name", lut_tables.TABLES)
def test_the_page_shows_the_tables(name: str) -> None:
    assert lut_tables.TABLES[name]() in DOCS.read_text()


@pytest.mark.cosim
def test_a_line_comes_out_again() -> None:
    (chosen,) = (p for p in parts() if p.part == "column_register" and p.design.kind == "lookup")
    report = measure(chosen, liberty=library_files("nangate45"), clock_mhz=250.0)
    row = line("nangate45", part="column_register", kind="lookup", activation="int8")
    assert report.area_um2 == pytest.approx(row["area_um2"], rel=1e-4)
    assert report.energy.total_pj == pytest.approx(row["energy_pj_per_cycle"], rel=1e-4)
    assert report.leakage_nw == pytest.approx(row["leakage_nw"], rel=1e-4)
    assert report.provenance.rtl_sha256.startswith(row["rtl_sha256"])
