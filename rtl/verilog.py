"""The one way from an Amaranth component to RTLIL and Verilog text."""

from __future__ import annotations

import gc
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from amaranth.back import rtlil

from dovetail.rtl.leaf import Leaf
from dovetail.rtl.yosys import run_yosys

__all__ = ["rtlil_modules", "verilog"]

# Amaranth zeroes every memory at power-up; a scratchpad does not need it, an SRAM cannot do it, and
# the zeros of a few hundred KiB are most of the text.
_ZEROED_MEMORY = re.compile(
    r"  cell \$meminit_v2 [^\n]*\n"
    r"(?:    (?!connect \\DATA )[^\n]*\n)*"
    r"    connect \\DATA \d+'0+\n"
    r"(?:    [^\n]*\n)*"
    r"  end\n"
)


def rtlil_modules(component: Any, *, name: str) -> list[str]:
    """RTLIL texts of ``component`` and of every leaf that it places, leaves first.

    Parameters
    ----------
    component : wiring.Component
    name : str
        Module name of ``component``.
    """
    texts = []
    with _collector_off():
        for leaf in Leaf(name, component).tree():
            text = rtlil.convert(leaf.component, name=leaf.name, emit_src=False)
            texts.append(_ZEROED_MEMORY.sub("", text))
    return texts


@contextmanager
def _collector_off() -> Iterator[None]:
    """Collect no cycles meanwhile: a netlist's millions of objects all live until it is written.

    Looking through them again and again takes a third of the conversion of a 32 x 32 engine.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def verilog(component: Any, *, name: str) -> str:
    """Verilog of ``component`` and of all that it places; deterministic.

    Raises
    ------
    ToolError
        Where Yosys refuses the design.
    """
    with tempfile.TemporaryDirectory(prefix="dovetail-verilog-") as folder:
        commands = []
        for index, text in enumerate(rtlil_modules(component, name=name)):
            (Path(folder) / f"{index}.il").write_text(text)
            commands.append(f"read_rtlil {index}.il")
        commands += [
            f"hierarchy -check -top {name}",
            "proc -noopt",
            "opt_clean",
            "write_verilog -noattr design.v",
        ]
        run_yosys(commands, folder=Path(folder))
        return (Path(folder) / "design.v").read_text()
