"""The module around a component that the vector bench drives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dovetail.errors import ToolError

__all__ = ["WRAPPER", "Interface", "interface", "words", "wrapper"]

WRAPPER = "dovetail_bench"
"""Module name of the wrapper; the component in it is ``dut``."""

_CLOCK, _RESET = "clk", "rst"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """Ports of a component.

    Attributes
    ----------
    inputs, outputs : dict of str to int
        Widths in bits, without clock and reset.
    clocked, resettable : bool
        Whether there is a port ``clk``, a port ``rst``.
    """

    inputs: Mapping[str, int]
    outputs: Mapping[str, int]
    clocked: bool
    resettable: bool


def words(bits: int) -> int:
    """64-bit words that ``bits`` bits take."""
    return -(-bits // 64)


def interface(ports: Mapping[str, tuple[str, int]], *, top: str) -> Interface:
    """Tell clock and reset from the other ports.

    Parameters
    ----------
    ports : dict of str to (str, int)
        Direction and width of each.
    top : str
        Module name, for messages.

    Raises
    ------
    ToolError
        There is a port for both directions, or none for one of them.
    """
    widths: dict[str, dict[str, int]] = {"input": {}, "output": {}, "inout": {}}
    for name, (direction, bits) in sorted(ports.items()):
        widths[direction][name] = bits
    if widths["inout"]:
        raise ToolError(
            f"port {next(iter(widths['inout']))!r} of {top} is an inout; "
            f"the vector bench drives inputs and reads outputs only: split it into the two"
        )
    clocked = widths["input"].pop(_CLOCK, None) is not None
    resettable = widths["input"].pop(_RESET, None) is not None
    for direction in ("input", "output"):
        if not widths[direction]:
            raise ToolError(f"{top} has no {direction} but clk and rst; give it one")
    return Interface(
        inputs=widths["input"],
        outputs=widths["output"],
        clocked=clocked,
        resettable=resettable,
    )


def wrapper(interface: Interface, *, top: str) -> str:
    """Verilog of the wrapper.

    Inputs are registers of the wrapper, loaded by the clock edge that ends the cycle before: so the
    logic behind them is evaluated once per cycle, together with that behind the registers of the
    component.  They have a clock of their own, ``load``, for the first cycle, before which the
    component's clock must not tick.

    ``stimulus`` (each input port starts a word) and ``response`` (each output port does) are
    unpacked arrays of 64-bit words, which are plain memory for the C++ side.
    """
    declarations, loads, connections = [], [], []
    responses: list[str] = []
    at = 0
    for index, (name, bits) in enumerate(interface.inputs.items()):
        declarations.append(f"reg [{bits - 1}:0] in_{index};")
        parts = [f"stimulus[{at + word}]" for word in reversed(range(words(bits)))]
        parts[0] += f"[{(bits - 1) % 64}:0]"
        loads.append(f"in_{index} <= {{{', '.join(parts)}}};")
        connections.append(f".\\{name} (in_{index})")
        at += words(bits)
    for index, (name, bits) in enumerate(interface.outputs.items()):
        declarations.append(f"wire [{bits - 1}:0] out_{index};")
        for low in range(0, bits, 64):
            responses.append(f"out_{index}[{min(low + 64, bits) - 1}:{low}]")
        connections.append(f".\\{name} (out_{index})")
    if interface.clocked:
        connections.append(f".{_CLOCK}(clk)")
    if interface.resettable:
        declarations.append("reg rst;")
        loads.append("rst <= reset;")
        connections.append(f".{_RESET}(rst)")
    ports = [
        *("input clk", "input load", "input reset"),
        f"input [63:0] stimulus [0:{at - 1}]",
        f"output [63:0] response [0:{len(responses) - 1}]",
    ]
    assigns = [f"assign response[{word}] = {part};" for word, part in enumerate(responses)]
    return "\n".join(
        [
            f"module {WRAPPER}({', '.join(ports)});",
            *declarations,
            "always @(posedge load) begin",
            *loads,
            "end",
            f"\\{top}  dut ({', '.join(connections)});",
            *assigns,
            "endmodule\n",
        ]
    )
