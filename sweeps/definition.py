"""Find a sweep by name, or read one from a user's TOML or Python file."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from traceback import extract_tb
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from dovetail.arch.validation import refused_in_one_line
from dovetail.errors import ConfigError, DovetailError, did_you_mean
from dovetail.sweeps.axes import Sweep, Workload
from dovetail.systems import resolve, system, systems

_STRICT = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class Linked:
    """Fields that vary together: ``values`` holds one list of values per step."""

    fields: Annotated[list[str], Field(min_length=2)]
    values: list[list[Any]]  # checked by the sweep, whose message is shorter


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class SweepFile:
    """What a sweep file holds.

    Attributes
    ----------
    name, question, system, technology : str
        As in :class:`Sweep`; ``technology`` is the system's own unless given, and a system without
        one is swept without prices.
    preset : str
        The base design, by name ...
    base : dict
        ... or in full.
    axes : dict
        Dotted field to its values.  Linked axes come first in the order of points.
    linked : list of Linked
    workloads : list of Workload
    objectives : list of str
    limits : dict
        Column to the largest value allowed.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    question: str
    system: str
    workloads: list[Workload]
    technology: str | None = None
    preset: str | None = None
    base: dict[str, Any] | None = None
    axes: dict[str, Any] = Field(default_factory=dict)
    linked: list[Linked] = Field(default_factory=list)
    objectives: list[str] = Field(default_factory=list)
    limits: dict[str, float] = Field(default_factory=dict)


_FILE: TypeAdapter[SweepFile] = TypeAdapter(SweepFile)


def sweep_names() -> tuple[str, ...]:
    """Names of the sweeps that come with Dovetail."""
    return tuple(sorted(name for entry in systems() for name in entry.sweeps))


def load_sweep(name_or_path: str) -> Sweep:
    """Return the sweep of that name, or the one that a file defines.

    A ``.toml`` file holds the fields of :class:`SweepFile`; a ``.py`` file has a function
    ``sweep()`` that returns a :class:`Sweep`, and is run as it stands.

    Raises
    ------
    ConfigError
        Naming the file and the field that is wrong.
    """
    for entry in systems():
        if name_or_path in entry.sweeps:
            sweep: Sweep = resolve(entry.sweeps[name_or_path])()
            return sweep
    readers = {".toml": _read, ".py": _run}
    path = Path(name_or_path)
    if path.suffix not in readers:
        raise ConfigError(
            f"no sweep named {name_or_path!r}; {did_you_mean(name_or_path, sweep_names())}"
            f"the sweeps are {', '.join(sweep_names())}, or give a .toml or .py file"
        )
    return readers[path.suffix](path)


def _run(path: Path) -> Sweep:
    """The sweep that a Python file's ``sweep()`` returns."""
    if not path.is_file():
        raise ConfigError(
            f"{path}: no such file; correct the path, or name a sweep: {', '.join(sweep_names())}"
        )
    spec = spec_from_file_location(f"dovetail_sweep_{path.stem}", path)
    assert spec is not None and spec.loader is not None, "a .py file has a loader"
    module = module_from_spec(spec)
    try:
        with refused_in_one_line(str(path), kind="a configuration"):
            spec.loader.exec_module(module)
            if not callable(getattr(module, "sweep", None)):
                raise ConfigError(
                    f"{path}: has no function sweep(); it must return the Sweep: add it"
                )
            made = module.sweep()
    except DovetailError:
        raise
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigError(
            f"{path}: line {_line_in(path, error)}: {text}; sweep() must run: correct that line"
        ) from error
    if not isinstance(made, Sweep):
        raise ConfigError(
            f"{path}: sweep() returned {made!r}, which must be a dovetail.sweeps.axes.Sweep; "
            f"return one"
        )
    return replace(made, source=str(path))


def _line_in(path: Path, error: Exception) -> int | None:
    """The last line of the file that the error passed through."""
    if isinstance(error, SyntaxError):
        return error.lineno
    place = path.absolute()
    lines = [f.lineno for f in extract_tb(error.__traceback__) if Path(f.filename) == place]
    return lines[-1] if lines else None


def _read(path: Path) -> Sweep:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); correct the path, or name a sweep: "
            f"{', '.join(sweep_names())}"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}; correct that place") from None
    file = _validated(values, path)
    if (file.preset is None) == (file.base is None):
        raise ConfigError(
            f'{path}: base: give either preset = "..." or a [base] table; one of the two'
        )
    entry = system(file.system)
    base = file.base
    if base is None:
        base = resolve(entry.preset)(file.preset).to_dict()
    axes: dict[str | tuple[str, ...], tuple[Any, ...]] = {
        tuple(linked.fields): tuple(tuple(row) for row in linked.values) for linked in file.linked
    }
    for name, listed in _flat(file.axes):
        if not isinstance(listed, list):
            raise ConfigError(
                f"{path}: axes: {name}: {listed!r} must be a list of values; put it in brackets"
            )
        axes[name] = tuple(listed)
    if not axes:
        raise ConfigError(f"{path}: axes: empty; name at least one field and its values")
    return Sweep(
        name=file.name,
        question=file.question,
        system=file.system,
        base=base,
        axes=axes,
        workloads=tuple(file.workloads),
        technology=file.technology or entry.technology,
        objectives=tuple(file.objectives),
        limits=file.limits,
        source=str(path),
    )


def _validated(values: dict[str, Any], path: Path) -> SweepFile:
    with refused_in_one_line(str(path), kind="a sweep"):
        # JSON mode keeps strict types and still turns tables into dataclasses; dates become text.
        return _FILE.validate_json(json.dumps(values, default=str))


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Axes by dotted field, whether the file quotes ``"engine.rows"`` or nests tables."""
    flat = []
    for name, value in values.items():
        if isinstance(value, dict):
            flat += _flat(value, f"{prefix}{name}.")
        else:
            flat.append((f"{prefix}{name}", value))
    return flat
