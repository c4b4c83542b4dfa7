"""src/dovetail/characterize.py and the packaged tables: each can be made again from its library."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dovetail.arch.technology import load_technology, technology
from dovetail.arch.units import CORE_UNITS
from dovetail.characterize import SIZES, UNCERTAINTY, characterize
from dovetail.cli import app
from dovetail.errors import ConfigError
from dovetail.rtl.units import Size, axis, expression, unit, units
from dovetail.tests.rtl.liberty import library_files

TABLES = ("asap7", "nangate45", "sky130hd")


@pytest.mark.parametrize(
    ("table", "name", "size"),
    [
        ("asap7", "mixpe.pe_w4a8", 128),
        ("nangate45", "mixpe.pe_w4a8", 128),
        ("nangate45", "mixpe.scale_queue", 8),
        ("nangate45", "gemm.register_bit", None),
        ("nangate45", "gemm.output_round", None),
        ("sky130hd", "int4.pe", 32),
    ],
)
def test_packaged_figures_come_out_again(table: str, name: str, size: Size | None) -> None:
    packaged = technology(table)
    run = characterize(name, size=size, liberty=library_files(table), clock_mhz=packaged.clock_mhz)
    point = entry(table, name, size)
    assert point.component == expression(name, size=size)
    assert point.combinational == ("clock_pj_per_cycle" not in run.figures)
    # Another compiler or platform may break ties of abc's sizing otherwise.
    for field, value in run.figures.items():
        if value:
            assert getattr(point, field).value == pytest.approx(value, rel=0.01), field
    assert run.provenance.rtl_sha256[:16] in point.area_um2.source


def entry(table: str, name: str, size: Size | None) -> Any:
    field = axis(name)
    (point,) = [
        point
        for point in technology(table).units[name]
        if field is None or getattr(point, field) == size
    ]
    return point


@pytest.mark.parametrize("table", TABLES)
def test_packaged_tables_have_every_unit_as_built(table: str) -> None:
    packaged = technology(table)
    assert set(packaged.units) == set(units())
    for name, points in packaged.units.items():
        assert len(points) == len(SIZES[axis(name)])
        for point, size in zip(points, SIZES[axis(name)], strict=True):
            field = axis(name)
            assert field is None or getattr(point, field) == size
            assert point.component == expression(name, size=size)
            for name_, uncertainty in UNCERTAINTY.items():
                figure = getattr(point, name_)
                assert figure is None or figure.uncertainty == uncertainty


def test_every_unit_of_every_core_can_be_built() -> None:
    assert {u.name for core in CORE_UNITS.values() for u in core} == set(units())


def test_the_command_writes_a_table_that_loads(tmp_path: Path) -> None:
    (nangate,) = library_files("nangate45")
    target = tmp_path / "mine.toml"
    words = ["characterize", "mine", "--liberty", str(nangate), "--node-nm", "45"]
    words += ["--unit", "gemm.output_round", "-o", str(target), "--json"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    assert (printed["table"], printed["units"]) == (str(target), 1)
    loaded = load_technology(target)
    (point,) = loaded.units["gemm.output_round"]
    (packaged,) = technology("nangate45").units["gemm.output_round"]
    assert point.area_um2.value == pytest.approx(packaged.area_um2.value, rel=0.01)
    assert "nangate45_typ.lib.gz (SHA-256 " in point.area_um2.source
    assert set(tomllib.loads(target.read_text())["sources"]) == {"gemm.output_round"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--liberty", "none.lib"],
            "error: cannot read Liberty file none.lib: No such file or directory; give a readable "
            ".lib or .lib.gz file\n",
        ),
        (
            ["--liberty", "x.lib", "--sram-node-nm", "3"],
            "error: sram_node_nm=3 is not a node of the on-chip memories; use one of 7, 22, 32, "
            "45, 65, 130\n",
        ),
        (["--liberty", "x.lib", "--dram", "sram"], "error: no DRAM named 'sram'; "),
        (["--liberty", "x.lib", "--unit", "mixpe.fpu"], "error: no unit named 'mixpe.fpu'; did"),
        (
            ["--liberty", "x.lib", "--unit", "mac.dot_int8"],
            "error: no technology table has unit mac.dot_int8; leave it out, or use dovetail synth",
        ),
    ],
)
def test_says_in_one_line_what_is_wrong(tmp_path: Path, words: list[str], message: str) -> None:
    target = tmp_path / "t.toml"
    given = ["characterize", "t", "--node-nm", "45", "-o", str(target)]
    if not any(word == "--unit" for word in words):
        given += ["--unit", "gemm.output_round"]
    done = CliRunner().invoke(app, [*given, *words])
    assert done.exit_code == 2
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1
    assert not target.exists()


def test_refuses_a_unit_that_does_not_exist() -> None:
    with pytest.raises(ConfigError, match=r"^no unit named 'mixpe\.fpu'; did you mean \S+\? the "):
        unit("mixpe.fpu")
