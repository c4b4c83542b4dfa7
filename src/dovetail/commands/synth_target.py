"""What ``dovetail synth`` synthesises: a unit, or the engine of a system's design."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dovetail import systems
from dovetail.arch.dot_units import DOT_UNITS
from dovetail.arch.validation import refused_in_one_line
from dovetail.commands.design import chosen_design
from dovetail.errors import ConfigError, did_you_mean
from dovetail.rtl.units import Size, axis, default_size, unit


@dataclass(frozen=True, kw_only=True)
class Target:
    """A component under the name that a person typed.

    Attributes
    ----------
    name : str
    build : callable
        Gives the component.
    engine : configuration or None
        None for a unit.
    size : int, str or None
        Of a unit's axis.
    described : dict
        Fields of the JSON that say what was synthesised.
    """

    name: str
    build: Callable[[], Any]
    engine: Any
    size: Size | None
    described: dict[str, Any]

    @property
    def title(self) -> str:
        words = [f"{key} {value}" for key, value in self.described.items() if value is not None]
        return ", ".join(words)


def target(name: str, preset: str | None, change: list[str] | None, size: str | None) -> Target:
    """Find the system or unit called ``name``; refuse options that belong to the other."""
    entries = {entry.name: entry for entry in systems.systems()}
    units = sorted({unit for entry in entries.values() for unit in entry.units} | set(DOT_UNITS))
    if name in units:
        if preset or change:
            raise ConfigError(
                f"--preset and --set choose a system's design, and {name} is a unit; "
                f"use --size, or name a system"
            )
        chosen = _size(name, size)
        with refused_in_one_line(f"--size {size}", kind="a unit"):
            component = unit(name, size=chosen)
        described = {"unit": name, **({str(axis(name)): chosen} if axis(name) else {})}
        return Target(
            name=name, build=lambda: component, engine=None, size=chosen, described=described
        )
    if name not in entries:
        raise ConfigError(
            f"no system or unit named {name!r}; {did_you_mean(name, (*entries, *units))}"
            f"the systems are {', '.join(entries)}; the units are {', '.join(units)}"
        )
    if size:
        raise ConfigError(
            f"--size belongs to a unit, and {name} is a system; use --set, such as "
            f"--set engine.max_group=64"
        )
    design = chosen_design(entries[name], preset, change)
    engine = design.engine
    return Target(
        name=name,
        build=lambda: systems.resolve(entries[name].component)(engine),
        engine=engine,
        size=None,
        described={
            "system": name,
            "design_id": design.design_id,
            **engine.described,
        },
    )


def _size(name: str, text: str | None) -> Size | None:
    if text is None:
        return default_size(name)
    if axis(name) is None:
        raise ConfigError(f"--size {text}: unit {name} comes in one size; leave --size out")
    if axis(name) == "sum_format":
        return text
    if not text.isdecimal() or not int(text):
        raise ConfigError(
            f"--size {text}: {axis(name)} of unit {name} must be a number above 0; change it"
        )
    return int(text)
