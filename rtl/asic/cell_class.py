"""Classes of cells by what their Liberty functions compute, for an area breakdown."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dovetail.rtl.asic.cell import Cell

__all__ = ["CELL_CLASSES", "cell_class"]

CELL_CLASSES = ("registers", "adders", "xor", "muxes", "inverters and buffers", "other logic")
"""All classes, in the order in which :func:`cell_class` looks for them."""


def cell_class(cell: Cell) -> str:
    """Class of a cell: one of :data:`CELL_CLASSES`.

    A register stores; an adder has the parity of its inputs and something else as outputs; xor is
    the parity of two or more inputs or its complement; a mux passes the one or the other of its
    inputs, or its complement; inverters and buffers have one input.
    """
    if cell.register:
        return "registers"
    tables = _truth_tables(cell)
    parities = [_is_parity(table) for table in tables]
    if len(tables) > 1 and any(parities):
        return "adders"
    if len(tables) == 1 and tables[0].ndim == 1:
        return "inverters and buffers"
    if len(tables) == 1 and parities[0]:
        return "xor"
    if len(tables) == 1 and (_is_mux(tables[0]) or _is_mux(~tables[0])):
        return "muxes"
    return "other logic"


def _truth_tables(cell: Cell) -> list[NDArray[np.bool_]]:
    """Of each output, one axis of length 2 for each input."""
    names = [pin.name for pin in cell.pins.values() if pin.direction == "input"]
    shape = (2,) * len(names)
    axes = {name: np.indices(shape)[k].astype(bool) for k, name in enumerate(names)}
    return [
        np.broadcast_to(pin.function.evaluate(axes), shape)
        for pin in cell.pins.values()
        if pin.function is not None and names
    ]


def _is_parity(table: NDArray[np.bool_]) -> bool:
    parity = np.indices(table.shape).sum(axis=0) % 2 == 1
    return bool(np.array_equal(table, parity) or np.array_equal(table, ~parity))


def _is_mux(table: NDArray[np.bool_]) -> bool:
    """Whether one input selects between two others, or between two functions that do the same."""
    for select in range(table.ndim):
        low, high = (np.take(table, level, axis=select) for level in (0, 1))
        chosen = _inputs(low), _inputs(high)
        if chosen[0] != chosen[1] and _is_input(low) and _is_input(high):
            return True
        if min(len(inputs) for inputs in chosen) > 2 and _is_mux(low) and _is_mux(high):
            return True
    return False


def _inputs(table: NDArray[np.bool_]) -> list[int]:
    """Axes that the table depends on."""
    return [
        axis
        for axis in range(table.ndim)
        if not np.array_equal(np.take(table, 0, axis=axis), np.take(table, 1, axis=axis))
    ]


def _is_input(table: NDArray[np.bool_]) -> bool:
    return len(_inputs(table)) == 1 and not table.flat[0]
