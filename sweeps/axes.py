"""Sweep definitions: a base design, named axes, and the workloads each design is tried on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as validated_dataclass

from dovetail.arch.events import Event
from dovetail.errors import ConfigError, did_you_mean
from dovetail.models.trace import Phase
from dovetail.sweeps.measures import Measure
from dovetail.systems import System, resolve, system

Scalar = bool | int | float | str
PositiveInt = Annotated[int, Field(gt=0)]
DEFAULT_OBJECTIVES = ("time_ms", "energy_pj", "area_um2", "error")
"""What a Pareto front minimises unless told otherwise; ``error`` only where an axis changes it."""
PRICED = ("energy_pj", "area_um2")
"""Those that only a technology gives."""
OBJECTIVES = (*DEFAULT_OBJECTIVES, "cycles", "stall_cycles", *(event.value for event in Event))
"""Columns of any result that a front can minimise or a limit can bound.

A system's own measures join them.
"""


@validated_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))
class Workload:
    """A network by name or file; what is None is as usual for that network."""

    network: str
    phase: Phase | None = None
    batch: PositiveInt | None = None
    seq: PositiveInt | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One point of a sweep before anybody has checked that it can be built.

    Attributes
    ----------
    point : int
        Its index in the sweep's fixed order.
    workload : int
        Index into ``Sweep.workloads``.
    settings : dict
        Value of each field that an axis names.
    design : dict
        The base with those values in place.
    """

    point: int
    workload: int
    settings: dict[str, Scalar]
    design: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """The product of ``workloads`` and ``axes`` applied to ``base``, the last axis fastest.

    Attributes
    ----------
    name : str
        Folder of the result store under ``reports/out``.
    question : str
        The sentence the report must answer.
    system : str
        Name in the registry.
    base : dict
        Plain data of a whole design; gives every field that no axis names.
    axes : dict
        A field, or a tuple of fields that vary together, to its values (tuples of values).
        Fields are dotted: ``engine.rows``.  Points that share an engine should be neighbours, since
        neighbours share a worker's cache: name what leaves the engine alone last.
    workloads : tuple of Workload
    technology : str or None
        Prices of events and areas; None for a sweep without energy and area.
    objectives : tuple of str
        What the front minimises; empty for time, energy and area where there are prices, and error
        where an axis changes it.
    limits : dict
        Column of the result to the largest value allowed; a point above it is rejected.
    reject : str, optional
        ``"module:function"`` of ``(design) -> reason or None``, for rules that relate fields.
    series : tuple of str
        Fields that tell the series of a report apart; empty for those with words for values.
    source : str
        What errors name as the place of the definition.
    """

    name: str
    question: str
    system: str
    base: dict[str, Any]
    axes: Mapping[str | tuple[str, ...], tuple[Any, ...]]
    workloads: tuple[Workload, ...]
    technology: str | None
    objectives: tuple[str, ...] = ()
    limits: Mapping[str, float] = field(default_factory=dict)
    reject: str | None = None
    series: tuple[str, ...] = ()
    source: str = "sweep"

    def __post_init__(self) -> None:
        entry = system(self.system)
        base = resolve(entry.design)(self.base, source=f"{self.source}: base").to_dict()
        known = tuple(field_names(base))
        if not self.workloads:
            raise ConfigError(f"{self.source}: workloads: empty; name at least one network")
        seen: set[str] = set()
        for fields, values in self.axes.items():
            names = _names(fields)
            for name in names:
                if name not in known:
                    raise ConfigError(
                        f"{self.source}: axes: {name}: no such field of a {self.system} design; "
                        f"{did_you_mean(name, known)}the fields are {', '.join(known)}"
                    )
                if name in seen:
                    raise ConfigError(
                        f"{self.source}: axes: {name}: named by two axes; keep one of them"
                    )
                seen.add(name)
            self._check_values(", ".join(names), len(names), values)
        columns = self.columns
        for name, limit in self.limits.items():
            if name not in columns or not math.isfinite(limit) or limit <= 0:
                raise ConfigError(
                    f"{self.source}: limits: {name}: {limit} must be a positive number for one of "
                    f"{', '.join(columns)}; change the name or the number"
                )
        check_objectives(self.objectives, columns, source=f"{self.source}: objectives")
        for name in self.series:
            if name not in seen:
                raise ConfigError(
                    f"{self.source}: series: {name}: named by no axis; name fields that vary"
                )
        object.__setattr__(self, "base", base)
        if not self.objectives:
            object.__setattr__(self, "objectives", self._usual_objectives(seen, entry))

    def _usual_objectives(self, seen: set[str], entry: System) -> tuple[str, ...]:
        varies = seen & set(entry.error_fields)
        return tuple(
            name
            for name in DEFAULT_OBJECTIVES
            if (self.technology or name not in PRICED) and (varies or name != "error")
        )

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Columns that the system has beside those of every result."""
        path = system(self.system).measures
        return tuple(resolve(path).columns) if path else ()

    @property
    def columns(self) -> tuple[str, ...]:
        """What an objective or a limit of this sweep can name."""
        own = tuple(measure.name for measure in self.measures)
        return (*(c for c in OBJECTIVES if self.technology or c not in PRICED), *own)

    @property
    def measures_error(self) -> bool:
        """Whether the error of the real-weight network is measured for each point."""
        return "error" in self.objectives or "error" in self.limits

    def _check_values(self, name: str, width: int, values: tuple[Any, ...]) -> None:
        where = f"{self.source}: axes: {name}"
        if not values:
            raise ConfigError(f"{where}: empty; give at least one value")
        rows = [value if width > 1 else (value,) for value in values]
        for row in rows:
            if not isinstance(row, tuple) or len(row) != width:
                raise ConfigError(
                    f"{where}: {row!r} must have {width} values, one for each field; correct it"
                )
            for value in row:
                if isinstance(value, float) and not math.isfinite(value):
                    raise ConfigError(f"{where}: {value} is not a number; remove it")
                if not isinstance(value, Scalar):
                    raise ConfigError(
                        f"{where}: {value!r} must be a number, a string, true or false; change it"
                    )
        for at, row in enumerate(rows):
            if row in rows[:at]:
                shown = row if width > 1 else row[0]
                raise ConfigError(f"{where}: {shown!r} is given twice; remove one of them")

    def __len__(self) -> int:
        return math.prod((len(self.workloads), *(len(values) for values in self.axes.values())))

    def candidate(self, point: int) -> Candidate:
        """Return the point of index ``point``, from 0 to ``len(self) - 1``."""
        rest = point
        chosen: list[tuple[str | tuple[str, ...], Any]] = []
        for fields, values in reversed(tuple(self.axes.items())):
            rest, at = divmod(rest, len(values))
            chosen.append((fields, values[at]))
        settings: dict[str, Scalar] = {}
        design = deepcopy(self.base)
        for fields, value in reversed(chosen):
            names = _names(fields)
            for name, part in zip(names, value if len(names) > 1 else (value,), strict=True):
                settings[name] = part
                _put(design, name, part)
        return Candidate(point, rest, settings, design)

    def points(self) -> Iterator[Candidate]:
        """Yield every point in order, one at a time."""
        return map(self.candidate, range(len(self)))

    def definition(self) -> dict[str, Any]:
        """Plain data that names the sweep; equal sweeps have equal definitions."""
        return {
            "name": self.name,
            "question": self.question,
            "system": self.system,
            "technology": self.technology,
            "base": self.base,
            "axes": [
                {"fields": list(_names(fields)), "values": [_listed(value) for value in values]}
                for fields, values in self.axes.items()
            ],
            "workloads": [asdict(workload) for workload in self.workloads],
            "objectives": list(self.objectives),
            "limits": dict(self.limits),
            "reject": self.reject,
            "series": list(self.series),
            "measures": [asdict(measure) for measure in self.measures],
            "points": len(self),
        }


def check_objectives(
    objectives: tuple[str, ...], columns: tuple[str, ...] = OBJECTIVES, *, source: str
) -> None:
    """Refuse an objective that the result has no column for, and one named twice."""
    for at, name in enumerate(objectives):
        if name not in columns:
            raise ConfigError(
                f"{source}: no objective named {name!r}; "
                f"{did_you_mean(name, columns)}the objectives are {', '.join(columns)}"
            )
        if name in objectives[:at]:
            raise ConfigError(f"{source}: {name!r} is given twice; remove one of them")


def _names(fields: str | tuple[str, ...]) -> tuple[str, ...]:
    return (fields,) if isinstance(fields, str) else fields


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def field_names(values: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted names of a design's fields, such as ``engine.rows``."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from field_names(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _put(values: dict[str, Any], path: str, value: Scalar) -> None:
    *parents, last = path.split(".")
    for name in parents:
        values = values[name]
    values[last] = value
