"""rtl/yosys.py: results of a run, and how a run that fails is reported."""

from pathlib import Path

import pytest

from dovetail.errors import ToolError
from dovetail.rtl.yosys import run_yosys


def test_runs_commands_in_order_on_one_design(tmp_path: Path) -> None:
    (tmp_path / "gate.v").write_text(
        "module gate(input a, input b, output c); assign c = a & b; endmodule"
    )
    log = run_yosys(["read_verilog gate.v", "proc", "write_rtlil gate.il"], folder=tmp_path)
    assert "Successfully finished Verilog frontend" in log
    assert "cell $and" in (tmp_path / "gate.il").read_text()


def test_works_in_a_folder_whose_name_needs_quoting(tmp_path: Path) -> None:
    folder = tmp_path / "a b;c"
    folder.mkdir()
    (folder / "wire.v").write_text("module w(input a, output b); assign b = a; endmodule")
    run_yosys(["read_verilog wire.v", "write_rtlil wire.il"], folder=folder)
    assert (folder / "wire.il").is_file()


def test_reports_the_error_line_and_survives(tmp_path: Path) -> None:
    with pytest.raises(
        ToolError, match=r"^Yosys failed: File `missing\.v' not found or is a directory$"
    ):
        run_yosys(["read_verilog missing.v"], folder=tmp_path)


def test_ends_a_run_that_takes_too_long(tmp_path: Path) -> None:
    with pytest.raises(
        ToolError,
        match=r"^Yosys did not finish within 0\.001 s; "
        r"synthesise a smaller design or allow more time$",
    ):
        run_yosys(["help -all"], folder=tmp_path, timeout_s=0.001)
