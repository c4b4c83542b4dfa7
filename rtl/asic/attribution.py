"""Which Liberty internal-power table a toggle is charged to, as a rule that can be exchanged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dovetail.rtl.asic.cell import Cell, InternalPower, Pin, Table
from dovetail.rtl.asic.function import Function

__all__ = ["Placed", "Rule", "liberty_rule", "opensta_rule"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placed:
    """All instances of one cell in a netlist; every array has one element for each.

    Attributes
    ----------
    cell : Cell
    toggles : dict of str to NDArray[np.float64], shape (instances,)
        Of each connected pin, per cycle.
    rise_ns, fall_ns : dict of str to NDArray[np.float64], shape (instances,)
        Transition times at each connected pin.
    load_ff : dict of str to NDArray[np.float64], shape (instances,)
        Capacitance of the net at each connected pin.
    clock_pins : set of str
        Pins on the clock net.
    """

    cell: Cell
    toggles: Mapping[str, Floats]
    rise_ns: Mapping[str, Floats]
    fall_ns: Mapping[str, Floats]
    load_ff: Mapping[str, Floats]
    clock_pins: frozenset[str]


class Rule(Protocol):
    def __call__(self, placed: Placed, pin: Pin) -> Floats:
        """Internal energy of one pin's toggles in fJ per cycle, shape (instances,)."""
        ...


def liberty_rule(placed: Placed, pin: Pin) -> Floats:
    """Charge each toggle once, as the Liberty format means it; what figures here are made with.

    A toggle costs the mean of the rise and the fall energy, for rises and falls alternate.  Of an
    input's tables, each ``when`` counts for the share of the cell's states that it names, and one
    without ``when`` for the states that no other names.  Of an output's tables, the weight of each
    is the related pin's toggles times the share of states in which that pin decides the output and
    ``when`` holds; the weights of one toggle add up to 1.  A flip-flop's output is charged to its
    clock.  Inputs are taken to be high half the time and independent of each other, but the state
    of a flip-flop differs from what it is about to store in just as many cycles as it toggles.
    Tables of a supply of 0 V are left out: ground takes up what the other supply gave, so they
    describe the same energy again.
    """
    powers = [power for power in pin.powers if power.supply_voltage != 0.0]
    toggles = placed.toggles[pin.name]
    states = _States(placed)
    energy = np.zeros_like(toggles)
    if pin.direction != "output":
        for power, share in zip(powers, states.shares(powers, None), strict=True):
            energy += share * _mean_energy(placed, pin, power, states)
        return energy * toggles
    total = np.zeros_like(toggles)
    for power, share in zip(powers, states.shares(powers, pin), strict=True):
        weight = share * states.rate(power)
        total += weight
        energy += weight * _mean_energy(placed, pin, power, states)
    return np.divide(energy, total, out=np.zeros_like(energy), where=total > 0) * toggles


class _States:
    """The states of one cell: all combinations of its inputs and its stored bit."""

    def __init__(self, placed: Placed) -> None:
        self._placed = placed
        cell = placed.cell
        names = [pin.name for pin in cell.pins.values() if pin.direction == "input"]
        if cell.register:
            names.append(cell.register.state)
        codes = np.arange(1 << len(names))
        self.values = {name: (codes >> k & 1).astype(bool) for k, name in enumerate(names)}
        if cell.register:
            self.values[cell.register.inverse] = ~self.values[cell.register.state]
        for pin in cell.pins.values():
            if pin.function is not None:
                self.values[pin.name] = pin.function.evaluate(self.values)
        self._probability = self._probabilities(len(codes))

    def _probabilities(self, states: int) -> Floats:
        """Probability of each state in each instance, shape (instances, states)."""
        register = self._placed.cell.register
        instances = len(next(iter(self._placed.toggles.values())))
        if register is None:
            return np.full((instances, states), 1 / states)
        changes = np.broadcast_to(
            register.data.evaluate(self.values) != self.values[register.state], states
        )
        share = changes.mean()
        stored = (
            self._placed.toggles[pin.name]
            for pin in self._placed.cell.pins.values()
            if pin.direction == "output" and pin.name in self._placed.toggles
        )
        rate = np.clip(next(stored, np.full(instances, share)), 0, 1)[:, None]
        found: Floats = np.where(changes, rate / share, (1 - rate) / (1 - share)) / states
        return found

    def shares(self, powers: Sequence[InternalPower], output: Pin | None) -> list[Floats]:
        """Share of the states in which each table holds, by instance.

        Of tables of one related pin, those with ``when`` come first and the others take the rest.
        """
        shares = []
        for power in powers:
            if power.when is not None:
                holds = np.asarray(power.when.evaluate(self.values))
            else:
                others = [
                    other.when.evaluate(self.values)
                    for other in powers
                    if other.when is not None and other.related_pin == power.related_pin
                ]
                holds = ~np.logical_or.reduce(others) if others else np.asarray(True)
            if output is not None and power.related_pin is not None:
                holds = holds & self.decides(output, power.related_pin)
            shares.append(self._probability @ np.broadcast_to(holds, self._probability.shape[1]))
        return shares

    def decides(self, output: Pin, name: str) -> NDArray[np.bool_]:
        """States in which the output follows input ``name``; all of them for a register's clock."""
        if output.function is None or name not in set(output.function.ports()):
            return np.asarray(True)
        low, high = self._cofactors(output.function, name)
        follows: NDArray[np.bool_] = low != high
        return follows

    def is_rising(self, output: Pin, name: str) -> bool | None:
        """Whether the output rises with input ``name``; None where it depends on the others."""
        register = self._placed.cell.register
        if output.function is None or name not in set(output.function.ports()):
            # A register's output, either edge of which follows one edge of the clock.
            return None
        low, high = self._cofactors(output.function, name)
        if register or (np.any(low & ~high) and np.any(high & ~low)):
            return None
        return bool(np.any(high & ~low))

    def _cofactors(
        self, function: Function, name: str
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        shape = self.values[name].shape
        low, high = (
            np.broadcast_to(function.evaluate({**self.values, name: np.full(shape, level)}), shape)
            for level in (False, True)
        )
        return low, high

    def rate(self, power: InternalPower) -> Floats:
        """Toggles of the related pin, per cycle; a pin that is not connected never toggles."""
        zero = np.zeros(len(self._probability))
        return self._placed.toggles.get(power.related_pin or "", zero)


def _mean_energy(placed: Placed, pin: Pin, power: InternalPower, states: _States) -> Floats:
    """Mean of rise and fall energy at each instance's slew and load."""
    source = power.related_pin or pin.name
    if source not in placed.rise_ns:
        return np.zeros(len(placed.toggles[pin.name]))
    with_rise, with_fall = placed.rise_ns[source], placed.fall_ns[source]
    load = placed.load_ff[pin.name]
    register = placed.cell.register
    if pin.direction == "output" and source in placed.clock_pins and register:
        with_rise = with_fall = with_fall if register.clock.operator == "not" else with_rise
    elif pin.direction == "output":
        rising = states.is_rising(pin, source)
        if rising is None:
            with_rise = with_fall = (with_rise + with_fall) / 2
        elif not rising:
            with_rise, with_fall = with_fall, with_rise
    return (_at(power.rise, with_rise, load) + _at(power.fall, with_fall, load)) / 2


def _at(table: Table | None, slew_ns: Floats, load_ff: Floats) -> Floats:
    return table.at(slew_ns, load_ff) if table else np.zeros_like(slew_ns)


def opensta_rule(placed: Placed, pin: Pin) -> Floats:
    """Charge toggles as the power report of OpenSTA 2.0 does, to hold the sum against it.

    Told from :func:`liberty_rule` by four things.  A toggle costs the *sum* of rise and fall
    energy, twice what it takes (later versions take the mean).  Each table counts for its own duty
    and duties need not add up to 1: the share of ``when``, with every port high half the time on
    its own; without ``when``, the share of states in which the related pin decides the output, if
    it stands alone beside the topmost operator of the function; else 1 for a clock and 1/2 for
    anything else.  Tables of a 0 V supply are left out only where they have no ``when`` or where an
    input has one for every state.  The slew of a rise is that of the related pin's rise, whatever
    the cell inverts.
    """
    toggles = placed.toggles[pin.name]
    load = placed.load_ff[pin.name] if pin.direction == "output" else np.zeros_like(toggles)
    energy = np.zeros_like(toggles)
    for power in pin.powers:
        complete = power.when is not None and _all_states_listed(pin, power)
        if power.supply_voltage == 0.0 and (power.when is None or complete):
            continue
        source = power.related_pin or pin.name
        if source not in placed.rise_ns:
            continue
        both = _at(power.rise, placed.rise_ns[source], load)
        both = both + _at(power.fall, placed.fall_ns[source], load)
        energy += both * _duty(placed, pin, power) * toggles
    return energy


def _all_states_listed(pin: Pin, power: InternalPower) -> bool:
    """Whether the pin's tables without related pin, of the same supply, name every state."""
    listed = [
        len(list(other.when.ports()))
        for other in pin.powers
        if other.when is not None
        and other.related_pin is None
        and other.supply_voltage == power.supply_voltage
    ]
    return len(listed) == 1 << (listed[-1] if listed else 0)


def _duty(placed: Placed, pin: Pin, power: InternalPower) -> Floats:
    toggles = placed.toggles[pin.name]
    inferred = None
    if power.related_pin and power.when is None and pin.function is not None:
        inferred = _inferred_when(pin.function, power.related_pin)
    if inferred is not None:
        source = placed.toggles.get(power.related_pin or "", np.zeros_like(toggles))
        ratio = np.divide(source, toggles, out=np.zeros_like(toggles), where=toggles > 0)
        return ratio * _half_each(inferred)
    if power.when is not None:
        return np.full_like(toggles, _half_each(power.when))
    is_clock = (power.related_pin or pin.name) in placed.clock_pins
    return np.full_like(toggles, 1.0 if is_clock else 0.5)


def _inferred_when(function: Function, name: str) -> Function | None:
    """What must hold beside a port for it to decide the function, where that is plain to see."""
    if function.operator == "port":
        return Function("one") if function.name == name else None
    if function.operator == "not":
        return _inferred_when(function.operands[0], name)
    if function.operator in ("zero", "one"):
        return None
    first, second = function.operands
    for alone, other in ((first, second), (second, first)):
        literal = alone.operands[0] if alone.operator == "not" else alone
        if literal.operator == "port" and literal.name == name:
            return other if function.operator == "and" else Function("not", (other,))
    return None


def _half_each(function: Function) -> float:
    """Share of time that an expression holds, were every port in it a coin of its own."""
    if function.operator == "port":
        return 0.5
    if function.operator in ("zero", "one"):
        return float(function.operator == "one")
    first, *rest = (_half_each(operand) for operand in function.operands)
    if function.operator == "not":
        return 1 - first
    if function.operator == "and":
        return first * rest[0]
    if function.operator == "or":
        return 1 - (1 - first) * (1 - rest[0])
    return first * (1 - rest[0]) + rest[0] * (1 - first)
