"""Raw bit patterns of a component's ports: widths, two's complement, structs wider than a word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from amaranth import Shape
from amaranth.lib import data, wiring
from numpy.typing import ArrayLike, NDArray

Raw = NDArray[np.uint64]
WORD_BITS = 64


def input_widths(component: Any) -> dict[str, int]:
    """Width of every input port of ``component`` but clock and reset, in bits."""
    return _widths(component, wiring.In)


def output_widths(component: Any) -> dict[str, int]:
    """Width of every output port of ``component``, in bits."""
    return _widths(component, wiring.Out)


def _widths(component: Any, flow: Any) -> dict[str, int]:
    members = component.signature.members
    return {
        name: Shape.cast(member.shape).width
        for name, member in members.items()
        if member.flow is flow
    }


def raw(values: ArrayLike, bits: int) -> Raw:
    """Bit patterns of integers in ``bits`` bits, two's complement; 64 bits at most."""
    array = np.asarray(values).astype(np.int64).astype(np.uint64)
    return array & np.uint64((1 << bits) - 1)


def lanes(values: ArrayLike, bits: int) -> list[int]:
    """Pack each row of integers into one of Python's, first column in the low bits.

    Parameters
    ----------
    values : int, shape (cycles, lanes)
    bits : int
        Width of a lane.
    """
    rows: list[list[int]] = raw(values, bits).tolist()
    return [sum(value << (bits * lane) for lane, value in enumerate(row)) for row in rows]


def words(values: Sequence[int], bits: int) -> Raw:
    """Bit patterns of a port that may be wider than 64 bits.

    Returns
    -------
    uint64, shape (cycles,) or, for a wider port, (cycles, words), low word first
    """
    count = -(-bits // WORD_BITS)
    mask = (1 << WORD_BITS) - 1
    table = [[value >> (WORD_BITS * word) & mask for word in range(count)] for value in values]
    array = np.array(table, dtype=np.uint64)
    return array[:, 0] if count == 1 else array


def structs(layout: data.StructLayout, fields: Mapping[str, Sequence[int]]) -> list[int]:
    """Pack fields, one value of each in a cycle, as ``layout`` places them; the others are 0."""
    placed = [(layout[name], values) for name, values in fields.items()]
    packed = []
    for row in zip(*(values for _, values in placed), strict=True):
        word = 0
        for (field, _), value in zip(placed, row, strict=True):
            assert 0 <= value < 1 << field.width, f"{value} does not fit a field of {layout}"
            word |= value << field.offset
        packed.append(word)
    return packed
