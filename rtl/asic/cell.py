"""A standard cell as energy, leakage and cell models need it; units are ns, fF, fJ, nW, um2, V."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dovetail.rtl.asic.function import Function

__all__ = ["Cell", "Corner", "InternalPower", "Pin", "Register", "Table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Corner:
    """Operating conditions that a library was characterised at.

    Attributes
    ----------
    name : str
        The library's name for them; empty where it gives none.
    process : float
        Factor; 1 is nominal.
    voltage : float
        V.
    temperature : float
        Degrees Celsius.
    """

    name: str
    process: float
    voltage: float
    temperature: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """Energy over input slew and output load, linear between points and beyond the outermost.

    Attributes
    ----------
    slews_ns, loads_ff : NDArray[np.float64], shape (slews,), (loads,)
        One point where the energy does not depend on it.
    energies_fj : NDArray[np.float64], shape (slews, loads)
    """

    slews_ns: NDArray[np.float64]
    loads_ff: NDArray[np.float64]
    energies_fj: NDArray[np.float64]

    def at(self, slew_ns: NDArray[np.float64], load_ff: NDArray[np.float64]) -> NDArray[np.float64]:
        """Energy in fJ for each pair of slew and load."""
        row, across = _place(self.slews_ns, slew_ns)
        column, along = _place(self.loads_ff, load_ff)
        next_row = np.minimum(row + 1, len(self.slews_ns) - 1)
        next_column = np.minimum(column + 1, len(self.loads_ff) - 1)
        energies = self.energies_fj
        first = energies[row, column] * (1 - along) + energies[row, next_column] * along
        second = energies[next_row, column] * (1 - along) + energies[next_row, next_column] * along
        interpolated: NDArray[np.float64] = first * (1 - across) + second * across
        return interpolated


def _place(
    axis: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Index of the interval that serves each value, and the value's place in it, 0 to 1 inside."""
    if len(axis) == 1:
        return np.zeros(len(values), dtype=np.intp), np.zeros(len(values))
    index = np.clip(np.searchsorted(axis, values, side="right") - 1, 0, len(axis) - 2)
    return index, (values - axis[index]) / (axis[index + 1] - axis[index])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InternalPower:
    """Energy inside a cell when one of its pins toggles.

    Attributes
    ----------
    related_pin : str or None
        Of an output: the input whose change makes it toggle.
    when : Function or None
        State of the cell in which it holds.
    supply_voltage : float or None
        V of the supply that it is drawn from, 0 for ground; None where the library names none.
    rise, fall : Table or None
        For the pin's rise and fall; None counts as zero.
    """

    related_pin: str | None
    when: Function | None
    supply_voltage: float | None
    rise: Table | None
    fall: Table | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pin:
    """One signal pin.

    Attributes
    ----------
    direction : str
        ``input``, ``output``, ``inout`` or ``internal``.
    function : Function or None
        Of an output, over inputs and the state of the cell's register.
    rise_ff, fall_ff : float
        Input capacitance for the two edges.
    is_clock : bool
    powers : tuple of InternalPower
    """

    name: str
    direction: str
    function: Function | None
    rise_ff: float
    fall_ff: float
    is_clock: bool
    powers: tuple[InternalPower, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Register:
    """Flip-flop or latch of a cell.

    Attributes
    ----------
    kind : str
        ``ff`` or ``latch``.
    state, inverse : str
        Names that output functions use for the stored bit and its complement.
    clock : Function
        Rises to store (``ff``) or is high while transparent (``latch``).
    data : Function
        What is stored.
    clear, preset : Function or None
        Force the bit to 0 and to 1 at once.
    both : tuple of str
        ``L`` or ``H`` for state and inverse while both are active; empty where not given.
    """

    kind: str
    state: str
    inverse: str
    clock: Function
    data: Function
    clear: Function | None
    preset: Function | None
    both: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cell:
    """One cell of the library.

    Attributes
    ----------
    area_um2 : float
    leakage_nw : float
        Mean over its states: the library's own mean where it gives one.
    voltage : float
        V of the supply of its outputs.
    pins : dict of str to Pin
    register : Register or None
    """

    name: str
    area_um2: float
    leakage_nw: float
    voltage: float
    pins: dict[str, Pin]
    register: Register | None
