"""src/dovetail/systems.py."""

import subprocess
import sys
from dataclasses import replace

import pytest

from dovetail import systems
from dovetail.errors import ConfigError
from dovetail.rtl.units import units

ENTRIES = systems.systems()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_part_exists(entry: systems.System) -> None:
    single = ("design", "preset", "presets", "component", "verilog", "verify")
    some = [
        getattr(entry, name) for name in ("simulate", "timeline", "certify", "error", "findings")
    ]
    paths = [getattr(entry, name) for name in single] + [path for path in some if path]
    for parts in (entry.accountings, entry.sweeps, entry.papers):
        paths += parts.values()
    for path in paths:
        assert callable(systems.resolve(path)), path


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_preset_is_a_design_and_comes_back_from_plain_data(entry: systems.System) -> None:
    for name in systems.resolve(entry.presets)():
        design = systems.resolve(entry.preset)(name)
        again = systems.resolve(entry.design)(design.to_dict(), source="again")
        assert again == design and again.design_id == design.design_id
        assert design.engine.clock_mhz > 0


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_sweep_goes_by_its_name(entry: systems.System) -> None:
    for name, path in entry.sweeps.items():
        sweep = systems.resolve(path)()
        assert (sweep.name, sweep.system) == (name, entry.name)


def test_every_paper_is_there_once_with_its_rows() -> None:
    of_systems = [name for entry in ENTRIES for name in entry.papers]
    assert len(set(of_systems)) == len(of_systems)
    assert set(of_systems) <= set(systems.papers())
    for path in systems.papers().values():
        assert callable(systems.resolve(path)), path


def test_every_unit_can_be_built_and_every_one_that_can_is_listed() -> None:
    assert sorted({name for entry in ENTRIES for name in entry.units}) == sorted(units())


def test_listing_the_systems_loads_none_of_them() -> None:
    code = (
        "import sys, dovetail.systems as s; s.systems(); "
        "print([m for m in sys.modules if m.split('.')[0] in ('numpy', 'pydantic', 'amaranth') "
        "or m.startswith('dovetail.arch')])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("simulate", "simulation of a network"),
        ("timeline", "timeline"),
        ("certify", "certificates"),
        ("error", "error of a network's output"),
    ],
)
def test_what_a_system_lacks_is_said_with_who_has_it(name: str, what: str) -> None:
    whole = systems.system("mixpe")
    assert systems.part(whole, name) is systems.resolve(getattr(whole, name))
    bare = replace(whole, **{name: None})
    with pytest.raises(
        ConfigError, match=rf"^system 'mixpe' has no {what}; those that have are .*mixpe"
    ):
        systems.part(bare, name)


def test_refuses_an_unknown_and_a_second_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systems, "_SYSTEMS", dict(systems._SYSTEMS))
    with pytest.raises(ConfigError, match=r"^no system named 'tpu'; the systems are .*mixpe"):
        systems.system("tpu")
    with pytest.raises(
        ConfigError, match=rf"^a system named '{ENTRIES[0].name}' is registered already; choose"
    ):
        systems.register(ENTRIES[0])
    systems.register(replace(ENTRIES[0], name="mine"))
    assert systems.system("mine").name == "mine"
