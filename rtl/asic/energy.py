"""Dynamic energy of a netlist from toggles of its nets: what OpenSTA cannot do with measured ones.

Each toggle of a net costs half its capacitance times the voltage squared, and whatever the Liberty
library says that the cells at it spend inside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from dovetail.rtl.asic.attribution import Placed, Rule, liberty_rule
from dovetail.rtl.asic.cell import Cell
from dovetail.rtl.asic.liberty import Library
from dovetail.rtl.asic.netlist import Instance, Netlist
from dovetail.rtl.asic.opensta import PinTiming

__all__ = ["Energy", "leakage_nw", "netlist_energy"]

_CLOCK = "clk"
_IDEAL = PinTiming(rise_ns=0.0, fall_ns=0.0, load_ff=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """Energy of one cycle by where it goes, in pJ.

    Attributes
    ----------
    switching_pj : float
        Charging the nets that cells drive.
    inputs_pj : float
        Charging the nets at the component's own inputs, without the clock.
    internal_pj : float
        Inside cells, for toggles of all pins but the clock's.
    clock_internal_pj : float
        Inside cells, for the clock's edges.
    clock_net_pj : float
        Charging the clock pins; there is no clock tree.
    """

    switching_pj: float
    inputs_pj: float
    internal_pj: float
    clock_internal_pj: float
    clock_net_pj: float

    @property
    def clock_pj(self) -> float:
        """Of the clock, whatever the data does."""
        return self.clock_internal_pj + self.clock_net_pj

    @property
    def total_pj(self) -> float:
        return float(sum(getattr(self, field.name) for field in fields(self)))


def netlist_energy(
    netlist: Netlist,
    library: Library,
    pins: Mapping[tuple[str, str], PinTiming],
    toggles: Mapping[str, float],
    *,
    rule: Rule = liberty_rule,
) -> Energy:
    """Sum a netlist's dynamic energy over nets and cells.

    Parameters
    ----------
    netlist : Netlist
    library : Library
    pins : dict of (str, str) to PinTiming
        Slews and loads by instance and pin; one that is absent has none.
    toggles : dict of str to float
        Toggles per cycle by net; the clock's own entry is not looked at, it toggles twice.
    rule : Rule
        How a toggle is charged to internal-power tables.
    """
    clock = set(netlist.inputs.get(_CLOCK, []))
    rates = {net: toggles[name] for net, name in netlist.names.items()}
    rates.update(dict.fromkeys(clock, 2.0))
    inputs = {net for port in netlist.inputs.values() for net in port}
    loads: dict[int, float] = {}
    driven = internal = clock_internal = 0.0
    for name, instances in netlist.cells.items():
        cell = library.cell(name)
        placed = _placed(cell, instances, pins, rates, clock)
        for pin_name in placed.toggles:
            pin = cell.pins[pin_name]
            energy = float(rule(placed, pin).sum())
            if pin_name in placed.clock_pins:
                clock_internal += energy
            else:
                internal += energy
            if pin.direction == "output":
                charge = float(placed.toggles[pin_name] @ placed.load_ff[pin_name])
                driven += charge / 2 * cell.voltage**2
        for instance in instances:
            for pin_name, net in instance.nets.items():
                if net in inputs:
                    loads[net] = pins.get((instance.name, pin_name), _IDEAL).load_ff
    half = library.corner.voltage**2 / 2
    clock_net = sum(half * load * rates[net] for net, load in loads.items() if net in clock)
    at_inputs = sum(half * load * rates[net] for net, load in loads.items() if net not in clock)
    return Energy(
        switching_pj=driven / 1e3,
        inputs_pj=at_inputs / 1e3,
        internal_pj=internal / 1e3,
        clock_internal_pj=clock_internal / 1e3,
        clock_net_pj=clock_net / 1e3,
    )


def leakage_nw(netlist: Netlist, library: Library) -> float:
    """Leakage power: each cell's mean over its states."""
    return sum(library.cell(instance.cell).leakage_nw for instance in netlist.instances)


def _placed(
    cell: Cell,
    instances: list[Instance],
    pins: Mapping[tuple[str, str], PinTiming],
    rates: Mapping[int, float],
    clock: set[int],
) -> Placed:
    # Of a pin that is left open in one instance, or tied to a constant, nothing toggles.
    names = [name for name in cell.pins if any(name in instance.nets for instance in instances)]
    timings = {
        name: [pins.get((instance.name, name), _IDEAL) for instance in instances] for name in names
    }
    return Placed(
        cell=cell,
        toggles={
            name: np.array([rates.get(instance.nets.get(name, -1), 0.0) for instance in instances])
            for name in names
        },
        rise_ns={name: np.array([t.rise_ns for t in timing]) for name, timing in timings.items()},
        fall_ns={name: np.array([t.fall_ns for t in timing]) for name, timing in timings.items()},
        load_ff={name: np.array([t.load_ff for t in timing]) for name, timing in timings.items()},
        clock_pins=frozenset(
            name
            for name in names
            if any(instance.nets.get(name, -1) in clock for instance in instances)
        ),
    )
