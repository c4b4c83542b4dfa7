"""rtl/asic/liberty.py: a library worked out by hand, and real ones as another parser reads them."""

import gzip
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest

from dovetail.errors import ToolError
from dovetail.rtl.asic.cell import Corner
from dovetail.rtl.asic.liberty import Library
from dovetail.rtl.yosys import run_yosys
from dovetail.tests.rtl.asic.tiny import TINY
from dovetail.tests.rtl.liberty import liberty, library_files


@pytest.fixture
def tiny(tmp_path: Path) -> Library:
    (tmp_path / "tiny.lib").write_text(TINY)
    return Library([tmp_path / "tiny.lib"])


def test_cells_areas_pins_and_leakage(tiny: Library) -> None:
    inverter = tiny.cell("INV")
    assert (inverter.area_um2, inverter.leakage_nw, inverter.voltage) == (1.5, 3.0, 2.0)
    assert (inverter.pins["A"].rise_ff, inverter.pins["A"].fall_ff) == (5.0, 3.0)
    assert tiny.cell("AND2").leakage_nw == 1.5  # mean of the two states that are listed
    assert tiny.cell("DFF").leakage_nw == 4.0  # its own mean goes before single states
    assert tiny.cell("DFF").pins["CK"].is_clock


def test_a_table_is_linear_between_its_points_and_beyond(tiny: Library) -> None:
    power = tiny.cell("INV").pins["Y"].powers[0]
    assert power.rise is not None and power.fall is not None
    slews, loads = np.array([0.0, 0.1, 0.05, 0.2]), np.array([0.0, 30.0, 20.0, 40.0])
    # rows of the table are loads, columns slews: 1 + 1 * slew / 100 ps, + 2 at 10 fF, + 4 at 30 fF
    want = [1.0, 6.0, 1.0 + 0.5 + 3.0, 1.0 + 2.0 + 5.0]
    np.testing.assert_allclose(power.rise.at(slews, loads), want)
    np.testing.assert_allclose(power.fall.at(slews, loads), 10.0)
    assert (power.supply_voltage, power.related_pin) == (2.0, "A")


def test_the_smallest_buffer_is_found_by_its_function(tmp_path: Path, tiny: Library) -> None:
    with pytest.raises(ToolError, match=r"^the library has no buffer; give all files of"):
        tiny.smallest_buffer()
    inverter = TINY[TINY.index("cell (INV)") : TINY.index('cell ("AND2")')]
    cells = [
        inverter.replace("INV", name).replace('"!A"', '"A"').replace("1.5", area)
        for name, area in (("LARGE", "4"), ("SMALL", "3"), ("EQUAL", "3"))
    ]
    (tmp_path / "more.lib").write_text(TINY.replace("cell (DFF)", "".join(cells) + "cell (DFF)"))
    assert Library([tmp_path / "more.lib"]).smallest_buffer() == "EQUAL"


@pytest.mark.parametrize(
    ("node", "name"),
    [
        ("asap7", "HB1xp67_ASAP7_75t_R"),
        ("nangate45", "BUF_X1"),
        ("sky130hd", "sky130_fd_sc_hd__buf_1"),
    ],
)
def test_the_smallest_buffer_of_a_real_library(node: str, name: str) -> None:
    assert Library(library_files(node)).smallest_buffer() == name


def test_corner_and_digest(tiny: Library) -> None:
    assert tiny.corner == Corner(name="mild", process=1.5, voltage=2.0, temperature=30.0)
    assert tiny.sha256 == {"tiny.lib": hashlib.sha256(TINY.encode()).hexdigest()}


def test_units_scale(tmp_path: Path) -> None:
    text = TINY.replace('time_unit : "1ps"', 'time_unit : "1ns"').replace("(1, ff)", "(10, pf)")
    (tmp_path / "other.lib").write_text(text.replace('"1pW"', '"1uW"'))
    inverter = Library([tmp_path / "other.lib"]).cell("INV")
    assert inverter.pins["A"].rise_ff == pytest.approx(5e4)
    assert inverter.leakage_nw == pytest.approx(3e6)
    table = inverter.pins["Y"].powers[0].rise
    assert table is not None
    # Energy is capacitance times voltage squared; the slew axis is in ns now.
    np.testing.assert_allclose(table.at(np.array([100.0]), np.array([0.0])), 2e4)


def test_an_excerpt_is_a_library_of_its_own(tiny: Library, tmp_path: Path) -> None:
    (text,) = tiny.excerpts(["AND2"])
    (tmp_path / "excerpt.lib").write_text(text)
    excerpt = Library([tmp_path / "excerpt.lib"])
    assert excerpt.cell("AND2").leakage_nw == 1.5
    with pytest.raises(ToolError, match=r"^the library has no cell INV; give all files of"):
        excerpt.cell("INV")


@pytest.mark.parametrize(
    "prefix", ["nangate45", "sky130hd", "asap7sc7p5t_SIMPLE", "asap7sc7p5t_SEQ"]
)
def test_areas_and_directions_of_every_cell_are_those_that_yosys_reads(
    prefix: str, tmp_path: Path
) -> None:
    names = {
        "nangate45": "nangate45_typ.lib.gz",
        "sky130hd": "sky130hd_tt.lib.gz",
        "asap7sc7p5t_SIMPLE": "asap7sc7p5t_SIMPLE_RVT_TT_nldm_211120.lib.gz",
        "asap7sc7p5t_SEQ": "asap7sc7p5t_SEQ_RVT_TT_nldm_220123.lib.gz",
    }
    path = liberty(names[prefix])
    library = Library([path])
    (tmp_path / "whole.lib").write_bytes(gzip.decompress(path.read_bytes()))
    run_yosys(
        [
            "read_liberty -lib -ignore_miss_func -ignore_miss_data_latch whole.lib",
            "write_json cells.json",
        ],
        folder=tmp_path,
    )
    cells = json.loads((tmp_path / "cells.json").read_text())["modules"]
    assert len(cells) > 10
    for name, module in cells.items():
        cell = library.cell(name)
        area = float(module["attributes"]["area"])
        assert cell.area_um2 == pytest.approx(area), name
        ports = {pin: port["direction"] for pin, port in module["ports"].items()}
        ours = {pin.name: pin.direction for pin in cell.pins.values()}
        assert ours == {pin: ports.get(pin, "internal") for pin in ours}, name


def test_refuses_files_of_two_corners(tmp_path: Path) -> None:
    (tmp_path / "a.lib").write_text(TINY)
    (tmp_path / "b.lib").write_text(TINY.replace("voltage : 2.0", "voltage : 1.0"))
    with pytest.raises(
        ToolError,
        match=r"^b\.lib is for 1 V, a\.lib for 2 V; give files of one library and corner$",
    ):
        Library([tmp_path / "a.lib", tmp_path / "b.lib"])


def test_names_the_cell_whose_text_is_broken(tmp_path: Path) -> None:
    (tmp_path / "half.lib").write_text(TINY[: TINY.index("cell (DFF)") + 60])
    library = Library([tmp_path / "half.lib"])
    assert library.cell("INV").area_um2 == 1.5
    with pytest.raises(ToolError, match=r"^no Liberty syntax in cell \(DFF\) at '.*'; give the"):
        library.cell("DFF")


def test_refuses_a_unit_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "odd.lib").write_text(TINY.replace('"1ps"', '"1 fortnight"'))
    message = re.escape("time_unit '1fortnight' is no unit that is known; write it like 1ns")
    with pytest.raises(ToolError, match=rf"^{message}$"):
        Library([tmp_path / "odd.lib"])
