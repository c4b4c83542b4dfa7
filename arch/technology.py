"""Technology tables: what each unit, access and cycle of an engine costs, and who says so.

A table is a TOML file with the costs of logic units, in which every number carries its source, its
uncertainty and the node that it belongs to; it names the node of the on-chip memories
(:mod:`dovetail.arch.sram`) and the memory off the chip (:mod:`dovetail.arch.dram`).  A
:class:`Technology` turns an engine's event counts into energy and its configuration into area.
Nothing that an engine has or counts is free by omission: what the table does not price is an error,
and so is a clock that the design cannot reach.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from itertools import pairwise
from math import log2
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, model_validator
from pydantic.dataclasses import dataclass

from dovetail.arch.costs import STRICT, Figure, Positive, Range, Text, UnitCost
from dovetail.arch.dram import dram
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.events import Event
from dovetail.arch.memories import Memory, memories
from dovetail.arch.sram import SramCost, sram_cost, sram_nodes
from dovetail.arch.tables import parse_table
from dovetail.arch.units import TIME_EVENTS, core_units
from dovetail.errors import ConfigError, did_you_mean

_Part = tuple[str, float, Range]  # component, how many, cost of one


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Technology:
    """A whole table; make one with :func:`technology` or :func:`load_technology`.

    Attributes
    ----------
    name, title : str
    notes : tuple of str
        What a reader of any figure made from the table must know.
    clock_mhz : float
        Clock for which all units were sized.
    sram_node_nm : int
        Node of the on-chip memories, one of :func:`dovetail.arch.sram.sram_nodes`.
    dram : str
        Memory off the chip unless another is chosen with :meth:`with_dram`.
    sources : dict of str to str
        Short name to text; the figures hold the text.
    units : dict of str to tuple of UnitCost
        Name of a unit in :mod:`dovetail.arch.units` to its costs.  Between two ``max_group`` a
        cost is interpolated, linearly in the logarithm, since widths grow by that; between two
        depths linearly.  Entries with a ``sum_format`` serve the engines that sum in it.
    """

    name: Text
    title: Text
    notes: tuple[Text, ...]
    clock_mhz: Positive
    sram_node_nm: int
    dram: Text
    sources: dict[str, Text]
    units: dict[str, tuple[UnitCost, ...]]

    @model_validator(mode="after")
    def _check(self) -> Technology:
        if not self.notes:
            raise ValueError("notes is empty; say what the table covers and what it leaves out")
        if self.sram_node_nm not in sram_nodes():
            raise ValueError(
                f"sram_node_nm={self.sram_node_nm} has no memories; give one of "
                f"{', '.join(map(str, sram_nodes()))}"
            )
        dram(self.dram)
        for name, points in self.units.items():
            if not points:
                raise ValueError(f"unit {name} has no entry; add one or remove it")
            for sum_format in dict.fromkeys(point.sum_format for point in points):
                _check_axis(name, [p for p in points if p.sum_format == sum_format])
            if len({point.sum_format is None for point in points}) > 1:
                raise ValueError(
                    f"unit {name} has entries with and without sum_format; give all of them one, "
                    f"or none"
                )
        return self

    def with_dram(self, name: str) -> Technology:
        """The same table with another memory off the chip."""
        return replace(self, dram=name)

    # pricing

    def energy_pj(self, engine: GemmEngineConfig, events: Mapping[Event, int]) -> dict[str, float]:
        """Energy of a run by component, in picojoules; the total is the sum of the parts.

        ``clock`` is what the registers of all units take in every cycle, busy or not, ``leakage``
        that of units and scratchpads, ``dram_static`` the DRAM's own, of as many channels as the
        engine's port needs; time is ``Event.CYCLE`` at the engine's clock.

        Raises
        ------
        ConfigError
            An event was counted that nothing in this core and table prices, or no cycles were, or
            the engine cannot run at its clock.
        """
        return _totals(self._energy_parts(engine, events))

    def energy_range_pj(
        self, engine: GemmEngineConfig, events: Mapping[Event, int]
    ) -> tuple[float, float]:
        """Bounds of the total energy, all figures wrong in the same direction at once.

        The worst case is stated because the errors of one table are not independent: a library or
        an activity that is off is off for all units.
        """
        return _bounds(self._energy_parts(engine, events))

    def area_um2(self, engine: GemmEngineConfig) -> dict[str, float]:
        """Area of an engine by component, in square micrometres.

        Raises
        ------
        ConfigError
            The engine cannot run at its clock.
        """
        return _totals(self._area_parts(engine))

    def area_range_um2(self, engine: GemmEngineConfig) -> tuple[float, float]:
        """Bounds of the total area, as :meth:`energy_range_pj`."""
        return _bounds(self._area_parts(engine))

    def array_um2(self, engine: GemmEngineConfig) -> float:
        """Area of the array alone: all of the core from its operand ports to its accumulators."""
        return sum(
            unit.count(engine) * self._unit(unit.name, engine, "area_um2").value
            for unit in core_units(engine)
            if unit.in_array
        )

    def fmax_mhz(self, engine: GemmEngineConfig) -> float:
        """Highest clock that the slowest unit or memory of an engine allows."""
        return 1e3 / self._slowest(engine)[0]

    def check_clock(self, engine: GemmEngineConfig) -> None:
        """Raise ConfigError where the engine's clock is faster than its slowest part."""
        delay_ns, name = self._slowest(engine)
        if engine.clock_mhz * delay_ns > 1e3:
            raise ConfigError(
                f"clock_mhz={engine.clock_mhz:g} exceeds the {1e3 / delay_ns:.0f} MHz of {name}, "
                f"the slowest part in technology {self.name!r}; lower clock_mhz"
            )

    def dram_channels(self, engine: GemmEngineConfig) -> int:
        """Channels of the DRAM without which the engine's port would wait."""
        return dram(self.dram).channels(port_bits=engine.port_bits, clock_mhz=engine.clock_mhz)

    def figures(self) -> dict[str, Figure]:
        """Every number of the table under its path, such as ``dram.static_w``.

        Those of on-chip memories depend on the engine: see :func:`dovetail.arch.sram.sram_cost`.
        """
        found: dict[str, Figure] = {}

        def walk(path: str, value: Any) -> None:
            if isinstance(value, Figure):
                found[path] = value
            elif isinstance(value, tuple):
                for index, item in enumerate(value):
                    walk(f"{path}[{index}]", item)
            else:
                items = value if isinstance(value, dict) else getattr(value, "__dict__", {})
                for key, item in items.items():
                    walk(f"{path}.{key}", item)

        walk("units", self.units)
        walk("dram", dram(self.dram))
        return found

    # parts

    def _energy_parts(self, engine: GemmEngineConfig, events: Mapping[Event, int]) -> list[_Part]:
        self.check_clock(engine)
        cycles = events.get(Event.CYCLE, 0)
        if cycles < 1:
            raise ConfigError(
                f"the run counted {cycles} cycles; energy needs at least 1: price a finished run"
            )
        time_us = cycles / engine.clock_mhz
        priced = set(TIME_EVENTS)
        parts: list[_Part] = []
        for unit in core_units(engine):
            count = unit.count(engine)
            data = self._unit(unit.name, engine, "data_pj_per_op")
            parts.append((unit.component, unit.operations_in(engine, events), data))
            if not self.units[unit.name][0].combinational:
                clock = self._unit(unit.name, engine, "clock_pj_per_cycle")
                parts.append(("clock", count * cycles, clock))
            leakage = self._unit(unit.name, engine, "leakage_nw")
            parts.append(("leakage", count * time_us * 1e-3, leakage))  # nW x us = 1e-3 pJ
            priced.add(unit.event)
        for memory in memories(engine):
            cost = self._memory(memory)
            reads = events.get(memory.read, 0) * memory.together
            writes = events.get(memory.write, 0) * memory.together
            parts += [
                (memory.component, reads, cost.read_pj.range),
                (memory.component, writes, _partial(cost.write_pj.range, memory)),
                ("leakage", memory.count * time_us * 1e-3, cost.leakage_nw.range),
            ]
            priced |= {memory.read, memory.write}
        port, off_chip = engine.port_bits, dram(self.dram)
        static_w = off_chip.static_w.range.times(self.dram_channels(engine))
        parts += [
            ("dram", events.get(Event.DRAM_READ, 0) * port, off_chip.read_pj_per_bit.range),
            ("dram", events.get(Event.DRAM_WRITE, 0) * port, off_chip.write_pj_per_bit.range),
            ("dram_static", time_us * 1e6, static_w),  # W x us = 1e6 pJ
        ]
        priced |= {Event.DRAM_READ, Event.DRAM_WRITE}
        unpriced = sorted(
            str(event) for event, count in events.items() if count and event not in priced
        )
        if unpriced:
            raise ConfigError(
                f"technology {self.name!r} has no cost for {', '.join(unpriced)} in core "
                f"{engine.core!r}; add their unit to the core in arch/units.py and to the table"
            )
        return parts

    def _area_parts(self, engine: GemmEngineConfig) -> list[_Part]:
        self.check_clock(engine)
        parts: list[_Part] = [
            (unit.component, unit.count(engine), self._unit(unit.name, engine, "area_um2"))
            for unit in core_units(engine)
            if unit.count(engine)
        ]
        for memory in memories(engine):
            parts.append((memory.component, memory.count, self._memory(memory).area_um2.range))
        return parts

    def _slowest(self, engine: GemmEngineConfig) -> tuple[float, str]:
        """Delay of the slowest part in nanoseconds, and its name."""
        parts = [
            (self._unit(unit.name, engine, "delay_ns").value, unit.name)
            for unit in core_units(engine)
        ]
        parts += [
            (self._memory(memory).access_ns.value, memory.component) for memory in memories(engine)
        ]
        return max(parts)

    def _memory(self, memory: Memory) -> SramCost:
        try:
            return sram_cost(memory.capacity_bytes, memory.word_bits, self.sram_node_nm)
        except ConfigError as error:
            raise ConfigError(f"{memory.component}: {error}") from None

    def _unit(self, name: str, engine: GemmEngineConfig, field: str) -> Range:
        """One cost of a unit as this engine builds it."""
        if name not in self.units:
            raise ConfigError(
                f"technology {self.name!r} has no unit {name!r}, which core {engine.core!r} "
                f"consists of; add [[units.{name!r}]] with its source"
            )
        points = [p for p in self.units[name] if p.sum_format in (None, engine.sum_format)]
        if not points:
            raise ConfigError(
                f"technology {self.name!r} has no unit {name!r} for sum_format="
                f"{engine.sum_format}; add an entry for it"
            )
        deep = points[0].depth is not None
        axis, size = (
            ("depth", engine.segments_in_flight) if deep else ("max_group", engine.max_group)
        )
        sizes: list[int | None] = [getattr(point, axis) for point in points]
        if sizes == [None]:
            return _range(points[0], field)
        if size in sizes:
            return _range(points[sizes.index(size)], field)
        for (low, lower), (high, upper) in pairwise(zip(sizes, points, strict=True)):
            assert low is not None and high is not None
            if low < size < high:
                linear = (size - low) / (high - low)
                fraction = linear if deep else log2(size / low) / log2(high / low)
                return _range(lower, field).toward(_range(upper, field), fraction)
        raise ConfigError(
            f"technology {self.name!r} knows unit {name!r} for {axis} from {sizes[0]} to "
            f"{sizes[-1]}, not {size}; add an entry for it"
        )


def _check_axis(name: str, points: list[UnitCost]) -> None:
    """Refuse entries of a unit that do not line up along one axis."""
    axis = "depth" if any(point.depth is not None for point in points) else "max_group"
    sizes = [getattr(point, axis) for point in points]
    if axis == "depth" and any(point.max_group is not None for point in points):
        raise ValueError(f"unit {name} has both depth and max_group; give one of them")
    if sizes == [None]:
        return
    if None in sizes or any(a >= b for a, b in pairwise(sizes)):
        raise ValueError(
            f"unit {name} has entries for {axis} {sizes}; give one entry without "
            f"{axis}, or several with rising ones"
        )


def _partial(whole: Range, memory: Memory) -> Range:
    """Cost of a write that enables a part of the word: its share, and at most all of it."""
    share = memory.written_bits / memory.word_bits
    return Range(whole.value * share, whole.low * share, whole.high)


def _range(point: UnitCost, field: str) -> Range:
    figure: Figure = getattr(point, field)
    return figure.range


def _totals(parts: list[_Part]) -> dict[str, float]:
    totals: dict[str, float] = {}
    for component, amount, cost in parts:
        totals[component] = totals.get(component, 0.0) + amount * cost.value
    return totals


def _bounds(parts: list[_Part]) -> tuple[float, float]:
    return (
        sum(amount * cost.low for _, amount, cost in parts),
        sum(amount * cost.high for _, amount, cost in parts),
    )


_ADAPTER: TypeAdapter[Technology] = TypeAdapter(Technology)


def technologies() -> tuple[str, ...]:
    """Names of the packaged tables."""
    folder = files("dovetail.arch") / "technologies"
    return tuple(sorted(path.name.removesuffix(".toml") for path in folder.iterdir()))


def technology(name: str) -> Technology:
    """Load the packaged table ``name``, such as ``"nangate45"``."""
    if name not in technologies():
        raise ConfigError(
            f"no technology named {name!r}; {did_you_mean(name, technologies())}the technologies "
            f"are {', '.join(technologies())}"
        )
    path = files("dovetail.arch") / "technologies" / f"{name}.toml"
    return parse_table(_ADAPTER, path.read_text(encoding="utf-8"), origin=f"technology {name}")


def load_technology(path: Path) -> Technology:
    """Load a table of one's own from a TOML file."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give a readable TOML file") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text; give a TOML file") from None
    return parse_table(_ADAPTER, text, origin=str(path))
