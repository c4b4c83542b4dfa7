"""rtl/asic/equivalence.py: proves what is equal, finds what is not."""

from pathlib import Path

import pytest

from dovetail.errors import ToolError
from dovetail.rtl.asic.cell_models import cell_models
from dovetail.rtl.asic.equivalence import prove_netlist
from dovetail.rtl.asic.liberty import Library
from dovetail.rtl.asic.liberty_text import read_liberty
from dovetail.rtl.asic.mapping import Mapped, Mapper
from dovetail.rtl.units import unit
from dovetail.rtl.verilog import rtlil_modules
from dovetail.tests.rtl.liberty import liberty


def mapped(name: str, folder: Path) -> tuple[Mapped, str]:
    """A unit as a netlist in ``folder``, and the models of its cells."""
    path = liberty("nangate45_typ.lib.gz")
    (folder / "whole.lib").write_bytes(read_liberty(path))
    mapper = Mapper(
        rtlil_modules(unit(name), name="dut"),
        name="dut",
        libraries=["whole.lib"],
        sources="whole.lib",
        folder=folder,
    )
    result = mapper.map(500.0)
    library = Library([path])
    return result, cell_models(library.cell(cell) for cell in result.netlist.cells)


def prove(result: Mapped, models: str, *, limit_s: float = 60.0) -> str:
    rtl = result.verilog.parent / "rtl.il"
    return prove_netlist(rtl, result.verilog, models, top="dut", limit_s=limit_s)


@pytest.mark.parametrize("name", ["mixpe.pe_w4a8", "gemm.output_round"])
def test_proves_a_netlist_with_and_without_registers(name: str, tmp_path: Path) -> None:
    assert prove(*mapped(name, tmp_path)) == "proved"


def test_finds_a_cell_with_another_function(tmp_path: Path) -> None:
    result, models = mapped("mixpe.pe_w4a8", tmp_path)
    assert "assign Z = (A ^ B);" in models
    with pytest.raises(
        ToolError,
        match=r"^the netlist of dut differs from its RTL: after \d+ cycles, .*gate_sum_o=0x\w+, .*"
        r"gold_sum_o=0x\w+, .*; check the library's functions$",
    ):
        prove(result, models.replace("assign Z = (A ^ B);", "assign Z = (A & B);"))


def test_a_proof_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    assert prove(*mapped("int8.pe", tmp_path), limit_s=2.0) == "not finished in 2 s"
