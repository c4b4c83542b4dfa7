"""Verilog models of library cells, made from their Liberty functions; no delays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dovetail.errors import ToolError
from dovetail.rtl.asic.cell import Cell, Register
from dovetail.rtl.asic.function import Function

__all__ = ["cell_models"]


def cell_models(cells: Iterable[Cell]) -> str:
    """One module for each cell: continuous assignments and, for a register, an always block.

    A flip-flop stores on the rising edge of Liberty's ``clocked_on``; asynchronous clear and preset
    come first, and while both are active each of its two outputs is what the library says.

    Raises
    ------
    ToolError
        A cell has an output without a function or a register that cannot be modelled.
    """
    return "\n".join("\n".join(_module(cell)) + "\n" for cell in cells)


def _module(cell: Cell) -> Iterator[str]:
    pins = [pin for pin in cell.pins.values() if pin.direction in ("input", "output")]
    yield f"module {cell.name} ({', '.join(pin.name for pin in pins)});"
    for pin in pins:
        yield f"  {pin.direction} {pin.name};"
    if cell.register:
        yield from _register(cell.name, cell.register)
    for pin in pins:
        if pin.direction == "output":
            if pin.function is None:
                raise ToolError(
                    f"cell {cell.name} has no function for its output {pin.name}; "
                    f"take it out of the library"
                )
            yield f"  assign {pin.name} = {pin.function.verilog()};"
    yield "endmodule"


def _register(cell: str, register: Register) -> Iterator[str]:
    state, inverse = register.state, register.inverse
    forces = [
        (function, value)
        for function, value in ((register.clear, 0), (register.preset, 1))
        if function is not None
    ]
    # While both are active the first one wins.
    if register.both[:1] == ("H",):
        forces.reverse()
    yield f"  reg {state};"
    yield f"  wire {inverse};"
    if register.kind == "latch":
        yield "  always @*"
    else:
        edges = [_edge(cell, register.clock), *(_edge(cell, function) for function, _ in forces)]
        yield f"  always @({' or '.join(edges)})"
    assign = "=" if register.kind == "latch" else "<="
    word = "if"
    for function, value in forces:
        yield f"    {word} ({function.verilog()}) {state} {assign} 1'b{value};"
        word = "else if"
    if register.kind == "latch":
        yield f"    {word} ({register.clock.verilog()}) {state} {assign} {register.data.verilog()};"
    else:
        store = f"{state} {assign} {register.data.verilog()};"
        yield f"    else {store}" if forces else f"    {store}"
    yield f"  assign {inverse} = {_inverse(register)};"


def _inverse(register: Register) -> str:
    """The second output: the complement, but for a register that is cleared and preset at once."""
    if register.both and register.clear and register.preset:
        condition = f"{register.clear.verilog()} & {register.preset.verilog()}"
        return f"({condition}) ? 1'b{int(register.both[1] == 'H')} : ~{register.state}"
    return f"~{register.state}"


def _edge(cell: str, function: Function) -> str:
    if function.operator == "port":
        return f"posedge {function.name}"
    if function.operator == "not" and function.operands[0].operator == "port":
        return f"negedge {function.operands[0].name}"
    raise ToolError(
        f"cell {cell} is clocked, cleared or preset by {function.verilog()}; "
        f"only a pin or its complement can be modelled"
    )
