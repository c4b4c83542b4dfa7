"""A compute core whose accumulator memories are ports, as where SRAM macros are taken out.

What is left is logic that can be synthesised and simulated as a whole and compared with the sum of
its units; the memories are priced by the bit elsewhere.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal

from dovetail.arch.engine import GemmEngineConfig
from dovetail.rtl.gemm.core import Core
from dovetail.rtl.verilog import rtlil_modules
from dovetail.rtl.yosys import run_yosys

__all__ = ["Port", "memory_port", "rtlil_without_memories", "verilog_without_memories"]

Port = Literal[
    "read_data", "read_address", "read_enable", "write_data", "write_address", "write_enable"
]

_PORTS: dict[Port, str] = {
    "read_data": "RD_DATA",
    "read_address": "RD_ADDR",
    "read_enable": "RD_EN",
    "write_data": "WR_DATA",
    "write_address": "WR_ADDR",
    "write_enable": "WR_EN",
}
# Clocks and resets of a Yosys memory cell, which nothing reads.
_NOT_USED = ("RD_CLK", "RD_ARST", "RD_SRST", "WR_CLK")


def memory_port(col: int, half: int, port: str) -> str:
    """Name of a port of the core towards the memory of one column and half.

    Parameters
    ----------
    col, half : int
    port : str
        ``read_data``, which enters the core one cycle after its address, or ``read_address``,
        ``read_enable``, ``write_data``, ``write_address``, ``write_enable`` (a bit of each bit).
    """
    return f"accumulators_{col}_{half}_{port}"


def verilog_without_memories(core: Core, config: GemmEngineConfig, *, name: str) -> str:
    """Flat Verilog of ``core`` with the ports of :func:`memory_port` in place of its accumulators.

    Parameters
    ----------
    core : Core
        Of ``config``.
    config : GemmEngineConfig
    name : str
        Module name.

    Raises
    ------
    ToolError
        Where Yosys refuses the design.
    """
    return _without_memories(core, config, name=name, write="write_verilog -noattr")


def rtlil_without_memories(core: Core, config: GemmEngineConfig, *, name: str) -> str:
    """The same as RTLIL, for synthesis."""
    return _without_memories(core, config, name=name, write="write_rtlil")


def _without_memories(core: Core, config: GemmEngineConfig, *, name: str, write: str) -> str:
    bits = config.accumulator_bits
    address = max(1, (config.accumulator_half_tiles * config.rows - 1).bit_length())
    macro = f"""(* blackbox *) module accumulator_memory (
  input RD_CLK, input RD_EN, input RD_ARST, input RD_SRST, input [{address - 1}:0] RD_ADDR,
  output [{bits - 1}:0] RD_DATA, input WR_CLK, input [{bits - 1}:0] WR_EN,
  input [{address - 1}:0] WR_ADDR, input [{bits - 1}:0] WR_DATA);
endmodule
"""
    # Where a column scales what its segments sum to, that is a part of its own.
    part = "results." if config.spec.after_group or config.spec.broadcast else ""
    renames = []
    for col in range(config.cols):
        for half in range(2):
            cell = f"column_{col}.{part}accumulators.half_{half}"
            renames += [f"delete -port {cell}.{port}" for port in _NOT_USED]
            renames += [
                f"rename {cell}.{theirs} {memory_port(col, half, port)}"
                for port, theirs in _PORTS.items()
            ]
    texts = rtlil_modules(core, name=name)
    with tempfile.TemporaryDirectory(prefix="dovetail-memory-ports-") as scratch:
        folder = Path(scratch)
        for index, text in enumerate(texts):
            (folder / f"{index}.il").write_text(text)
        (folder / "macro.v").write_text(macro)
        run_yosys(
            [
                *(f"read_rtlil {index}.il" for index in range(len(texts))),
                f"hierarchy -check -top {name}",
                "proc -noopt",
                "flatten",
                "opt_clean",
                "memory_collect",
                "read_verilog -lib macro.v",
                "chtype -set accumulator_memory t:$mem_v2 */*.accumulators.half_* %i",
                "expose -evert t:accumulator_memory",
                f"cd {name}",
                *renames,
                "cd",
                "opt_clean -purge",
                f"{write} design",
            ],
            folder=folder,
        )
        return (folder / "design").read_text()
