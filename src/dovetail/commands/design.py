"""Options with which commands choose a design: a preset or a file, and changed fields."""

from __future__ import annotations

import tomllib
from copy import deepcopy
from pathlib import Path
from typing import Annotated, Any

import typer

from dovetail.errors import ConfigError, did_you_mean
from dovetail.systems import System, resolve

SystemName = Annotated[str, typer.Argument(metavar="SYSTEM", help="a system: see `dovetail list`")]
Preset = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="P",
        help="a preset, or a .toml file that holds a design; the system's default unless given",
    ),
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="change a field, such as engine.rows=16"),
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON for machines")]


def chosen_design(system: System, preset: str | None, changes: list[str] | None) -> Any:
    """The design of ``preset`` (the system's default where None) with ``changes`` applied."""
    preset = preset or system.default_preset
    if preset.endswith(".toml"):
        values, source = _read(Path(preset)), preset
        design = resolve(system.design)(values, source=source)
    else:
        source = f"preset {preset}"
        design = resolve(system.preset)(preset)
    if not changes:
        return design
    values = with_changes(design.to_dict(), changes)
    return resolve(system.design)(values, source=f"{source} with --set {' '.join(changes)}")


def with_changes(values: dict[str, Any], changes: list[str]) -> dict[str, Any]:
    """``values``, plain data, with each ``FIELD=VALUE`` applied."""
    changed = deepcopy(values)
    for change in changes:
        _apply(changed, change)
    return changed


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); correct the path") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}; correct that place") from None


def _apply(values: dict[str, Any], change: str) -> None:
    from dovetail.sweeps.axes import field_names

    name, equals, text = change.partition("=")
    if not name or not equals:
        raise ConfigError(
            f"--set {change}: must be FIELD=VALUE, such as engine.rows=16; correct it"
        )
    known = tuple(field_names(values))
    if name not in known:
        raise ConfigError(
            f"--set {change}: no field named {name!r}; {did_you_mean(name, known)}"
            f"the fields are {', '.join(known)}"
        )
    *parents, last = name.split(".")
    for parent in parents:
        values = values[parent]
    try:
        values[last] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        values[last] = text  # a word such as int8 needs no quotes
