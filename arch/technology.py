"""Technology tables: what each unit, access and cycle of an engine costs, and who says so.

A table is a TOML file in which every number carries its source, its uncertainty and the node that
it belongs to.  A :class:`Technology` turns an engine's event counts into energy and its
configuration into area.  Nothing that an engine has or counts is free by omission: what the table
does not price is an error.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from itertools import pairwise
from math import log2
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from dovetail.arch.costs import STRICT, DramCost, Figure, Range, ScratchpadCost, Text, UnitCost
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.events import Event
from dovetail.arch.units import CORE_UNITS, SCRATCHPADS, TIME_EVENTS
from dovetail.errors import ConfigError

_Part = tuple[str, float, Range]  # component, how many, cost of one


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Technology:
    """A whole table; make one with :func:`technology` or :func:`load_technology`.

    Attributes
    ----------
    name, title : str
    notes : tuple of str
        What a reader of any figure made from the table must know.
    sources : dict of str to str
        Short name to text; the figures hold the text.
    units : dict of str to tuple of UnitCost
        Name of a unit in :mod:`dovetail.arch.units` to its costs.  Between two ``max_group`` a
        cost is interpolated, linearly in the logarithm, since widths grow by that; between two
        depths linearly.
    scratchpads : dict of str to ScratchpadCost
    dram : DramCost
    """

    name: Text
    title: Text
    notes: tuple[Text, ...]
    sources: dict[str, Text]
    units: dict[str, tuple[UnitCost, ...]]
    scratchpads: dict[str, ScratchpadCost]
    dram: DramCost

    @model_validator(mode="after")
    def _check(self) -> Technology:
        if not self.notes:
            raise ValueError("notes is empty; say what the table covers and what it leaves out")
        for name, points in self.units.items():
            axis = "depth" if any(point.depth is not None for point in points) else "max_group"
            sizes = [getattr(point, axis) for point in points]
            if axis == "depth" and any(point.max_group is not None for point in points):
                raise ValueError(f"unit {name} has both depth and max_group; give one of them")
            if sizes == [None]:
                continue
            if not sizes or None in sizes or any(a >= b for a, b in pairwise(sizes)):
                raise ValueError(
                    f"unit {name} has entries for {axis} {sizes}; give one entry without "
                    f"{axis}, or several with rising ones"
                )
        return self

    # pricing

    def energy_pj(self, engine: GemmEngineConfig, events: Mapping[Event, int]) -> dict[str, float]:
        """Energy of a run by component, in picojoules; the total is the sum of the parts.

        ``clock`` is what the registers of all units take in every cycle, busy or not, ``leakage``
        that of units and scratchpads, ``dram_static`` the DRAM's own; time is ``Event.CYCLE`` at
        the engine's clock.

        Raises
        ------
        ConfigError
            An event was counted that nothing in this core and table prices, or no cycles were.
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
        """Area of an engine by component, in square micrometres."""
        return _totals(self._area_parts(engine))

    def area_range_um2(self, engine: GemmEngineConfig) -> tuple[float, float]:
        """Bounds of the total area, as :meth:`energy_range_pj`."""
        return _bounds(self._area_parts(engine))

    def array_um2(self, engine: GemmEngineConfig) -> float:
        """Area of the array alone: all of the core from its operand ports to its accumulators."""
        return sum(
            unit.count(engine) * self._unit(unit.name, engine, "area_um2").value
            for unit in CORE_UNITS[engine.core]
            if unit.in_array
        )

    def fmax_mhz(self, engine: GemmEngineConfig) -> float:
        """Highest clock that the slowest unit or scratchpad of an engine allows."""
        delays = [
            self._unit(unit.name, engine, "delay_ns").value for unit in CORE_UNITS[engine.core]
        ]
        delays += [self._scratchpad(spad.name).access_ns.value for spad in SCRATCHPADS]
        return 1e3 / max(delays)

    def figures(self) -> dict[str, Figure]:
        """Every number of the table under its path, such as ``dram.static_w``."""
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
                    walk(f"{path}.{key}" if path else key, item)

        walk("", self)
        return found

    # parts

    def _energy_parts(self, engine: GemmEngineConfig, events: Mapping[Event, int]) -> list[_Part]:
        cycles = events.get(Event.CYCLE, 0)
        if cycles < 1:
            raise ConfigError(
                f"the run counted {cycles} cycles; energy needs at least 1: price a finished run"
            )
        time_us = cycles / engine.clock_mhz
        priced = set(TIME_EVENTS)
        parts: list[_Part] = []
        for unit in CORE_UNITS[engine.core]:
            count = unit.count(engine)
            data = self._unit(unit.name, engine, "data_pj_per_op")
            parts.append((unit.component, unit.operations_in(engine, events), data))
            if not self.units[unit.name][0].combinational:
                clock = self._unit(unit.name, engine, "clock_pj_per_cycle")
                parts.append(("clock", count * cycles, clock))
            leakage = self._unit(unit.name, engine, "leakage_nw")
            parts.append(("leakage", count * time_us * 1e-3, leakage))  # nW x us = 1e-3 pJ
            priced.add(unit.event)
        for spad in SCRATCHPADS:
            cost = self._scratchpad(spad.name)
            read_bits = events.get(spad.read, 0) * spad.read_bits(engine)
            write_bits = events.get(spad.write, 0) * spad.write_bits(engine)
            capacity = spad.capacity_bits(engine)
            parts += [
                (spad.component, read_bits, cost.read_pj_per_bit.range),
                (spad.component, write_bits, cost.write_pj_per_bit.range),
                ("leakage", capacity * time_us * 1e-3, cost.leakage_nw_per_bit.range),
            ]
            priced |= {spad.read, spad.write}
        port = engine.port_bits
        parts += [
            ("dram", events.get(Event.DRAM_READ, 0) * port, self.dram.read_pj_per_bit.range),
            ("dram", events.get(Event.DRAM_WRITE, 0) * port, self.dram.write_pj_per_bit.range),
            ("dram_static", time_us * 1e6, self.dram.static_w.range),  # W x us = 1e6 pJ
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
        parts: list[_Part] = [
            (unit.component, unit.count(engine), self._unit(unit.name, engine, "area_um2"))
            for unit in CORE_UNITS[engine.core]
            if unit.count(engine)
        ]
        for spad in SCRATCHPADS:
            area = self._scratchpad(spad.name).area_um2_per_bit.range
            parts.append((spad.component, spad.capacity_bits(engine), area))
        return parts

    def _unit(self, name: str, engine: GemmEngineConfig, field: str) -> Range:
        """One cost of a unit as this engine builds it."""
        if name not in self.units:
            raise ConfigError(
                f"technology {self.name!r} has no unit {name!r}, which core {engine.core!r} "
                f"consists of; add [[units.{name!r}]] with its source"
            )
        points = self.units[name]
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

    def _scratchpad(self, name: str) -> ScratchpadCost:
        if name not in self.scratchpads:
            raise ConfigError(
                f"technology {self.name!r} has no scratchpad {name!r}; "
                f"add [scratchpads.{name}] with its source"
            )
        return self.scratchpads[name]


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
    """Load the packaged table ``name``, such as ``"mixed-28-45"``."""
    if name not in technologies():
        raise ConfigError(
            f"no technology named {name!r}; the technologies are {', '.join(technologies())}"
        )
    path = files("dovetail.arch") / "technologies" / f"{name}.toml"
    return _parse(path.read_text(encoding="utf-8"), origin=f"technology {name}")


def load_technology(path: Path) -> Technology:
    """Load a table of one's own from a TOML file."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give a readable TOML file") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text; give a TOML file") from None
    return _parse(text, origin=str(path))


def _parse(text: str, *, origin: str) -> Technology:
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{origin}: is not TOML: {error}; correct that line") from None
    sources = values.get("sources")
    context = {"sources": sources if isinstance(sources, dict) else {}}
    try:
        # JSON mode keeps strict types and still turns nested tables into nested costs.
        return _ADAPTER.validate_json(json.dumps(values, default=str), context=context)
    except ValidationError as error:
        raise ConfigError("; ".join(_problem(origin, item) for item in error.errors())) from None


def _problem(origin: str, item: Any) -> str:
    """One line for one refused entry: where, what is wrong with it, what to do."""
    where = ""
    for part in item["loc"]:
        where += f"[{part}]" if isinstance(part, int) else f".{part}" if where else str(part)
    if item["type"] == "missing":
        return f"{origin}: {where} is missing; add it"
    if item["type"] == "unexpected_keyword_argument":
        return f"{origin}: {where} is not a field of a technology table; remove it"
    text = item["msg"].removeprefix("Value error, ")
    given = "" if isinstance(item["input"], dict | list) else f" (got {item['input']!r})"
    return f"{origin}: {where or 'table'}: {text}{given}"
