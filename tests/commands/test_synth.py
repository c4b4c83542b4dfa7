"""src/dovetail/commands/synth*.py: choosing, refusing, and the fields that scripts rely on."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from dovetail import systems
from dovetail.arch.devices import devices
from dovetail.arch.engine import GemmEngineConfig
from dovetail.cli import app
from dovetail.rtl.gemm.pe_column import PeColumn
from dovetail.rtl.leaf import Leaf
from dovetail.rtl.mixpe.pe import MixpePe
from dovetail.tests.rtl.liberty import liberty

Invoke = Callable[..., Result]
PE = "mixpe.pe_w4a8"


def array(engine: GemmEngineConfig) -> PeColumn:
    """Instead of an engine: one column of its PEs."""
    return PeColumn(pe=Leaf("pe", MixpePe(sum_bits=engine.pe_accumulator_bits)), rows=engine.rows)


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Invoke:
    small = replace(
        systems.system("mixpe"),
        name="small",
        component="dovetail.tests.commands.test_synth:array",
        default_preset="w4a8-8x8",
        units=(),
    )
    monkeypatch.setattr(systems, "_SYSTEMS", dict(systems._SYSTEMS))
    systems.register(small)
    monkeypatch.setenv("COLUMNS", "80")
    return lambda *words: CliRunner().invoke(app, ["synth", *words])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (f"{PE}", r"^neither of --liberty and --fpga given; synthesis is either .*: give one$"),
        (f"{PE} --fpga xcup --liberty x.lib", r"^both of --liberty and --fpga given; synthesis"),
        (f"{PE} --fpga virtex", r"^--fpga virtex: the families are xcup, xc7; choose one$"),
        (f"{PE} --fpga xcup --device vu9p", r"^no device named 'vu9p'; the devices are zu3eg, "),
        (f"{PE} --fpga xc7 --device zu3eg", r"^--device zu3eg is of family xcup, not xc7; give -"),
        (
            f"{PE} --liberty x.lib --device zu3eg --uram",
            r"^--device, --uram belong to --fpga; leave them out, or give --fpga$",
        ),
        (
            f"{PE} --fpga xcup --activity zero",
            r"^--activity belongs to --liberty; leave it out, or give --liberty$",
        ),
        (f"{PE} --liberty x.lib --activity all", r"^--activity all: must be one of real, random, "),
        (
            "tpu --fpga xcup",
            r"^no system or unit named 'tpu'; the systems are .*mixpe, small; the ",
        ),
        (f"{PE} --fpga xcup --preset w4a8-8x8", r"^--preset and --set choose a system's design, "),
        (f"{PE} --fpga xcup --set group=8", r"^--preset and --set choose a system's design, and m"),
        ("mixpe --fpga xcup --size 8", r"^--size belongs to a unit, and mixpe is a system; use --"),
        (f"{PE} --fpga xcup --size long", r"^--size long: max_group of unit mixpe\.pe_w4a8 must b"),
        (f"{PE} --fpga xcup --size 3", r"^--size 3: max_group=3 must be a power of two up to 1024"),
        ("int8.pe --fpga xcup --size 8", r"^--size 8: unit int8\.pe comes in one size; leave --si"),
        ("gemm.register_bit --fpga xc7 --uram", r"^xc7 has no UltraRAM; leave it out$"),
    ],
)
def test_refuses_in_one_line(invoke: Invoke, words: str, message: str) -> None:
    result = invoke(*words.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    assert re.match(message, result.stderr.removeprefix("error: ").rstrip("\n")), result.stderr


def test_an_unreadable_library_is_refused(invoke: Invoke) -> None:
    liberty("nangate45_typ.lib.gz")  # skips without OpenSTA
    result = invoke(PE, "--liberty", "nowhere.lib", "--activity", "uniform")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: cannot read Liberty file nowhere.lib: No such file")


def test_a_system_on_an_fpga(invoke: Invoke) -> None:
    words = ("small", "--set", "engine.rows=2", "--fpga", "xcup")
    data = json.loads(invoke(*words, "--json").stdout)
    fields = {"lut", "ff", "carry", "dsp", "bram36", "uram"}
    assert fields <= set(data)
    assert (data["system"], data["rows"], data["family"]) == ("small", 2, "xcup")
    parts = {part["name"]: part for part in data["modules"]}
    assert {name: part["instances"] for name, part in parts.items()} == {"engine": 1, "pe": 2}
    for field in fields:
        assert data[field] == sum(p["instances"] * p["resources"][field] for p in parts.values())
    assert set(data["devices"]) == set(devices())
    assert data["devices"]["zu3eg"]["share"]["lut"] == pytest.approx(data["lut"] / 70_560)
    assert data["devices"]["zu3eg"]["overflow"] == {}
    assert re.fullmatch(r"[0-9a-f]{64}", data["provenance"]["rtl_sha256"])


def test_the_table_fits_eighty_columns_and_says_what_is_missing(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dovetail.arch.devices as known

    tiny = replace(known.device("zu3eg"), limits={**known.device("zu3eg").limits, "lut": 40})
    monkeypatch.setattr(known, "device", lambda name: tiny)
    text = invoke("gemm.accumulate", "--fpga", "xcup", "--device", "zu3eg").stdout
    assert re.search(r"^XCZU3EG \(Ultra96\): lacks [\d,]+ LUT$", text, re.MULTILINE)
    assert max(len(line) for line in text.splitlines()) <= 80


def test_a_unit_in_a_library(invoke: Invoke) -> None:
    library = liberty("nangate45_typ.lib.gz")
    words = ("gemm.register_bit", "--liberty", str(library))
    data = json.loads(invoke(*words, "--json").stdout)
    assert {"area_um2", "fmax_mhz", "energy_pj_per_op", "leakage_nw", "cells"} <= set(data)
    assert data["meets_clock"] and data["clock_mhz"] == 500
    assert list(data["provenance"]["liberty_sha256"]) == [Path(library).name]
    random = json.loads(invoke(*words, "--json", "--activity", "random").stdout)
    assert random["origin"] != data["origin"]
    assert random["area_um2"] == data["area_um2"]
    text = invoke(*words, "--activity", "zero").stdout
    assert "leakage" in text and max(len(line) for line in text.splitlines()) <= 80


def test_what_misses_its_clock_is_said(invoke: Invoke) -> None:
    library = str(liberty("nangate45_typ.lib.gz"))
    words = ("gemm.accumulate", "--liberty", library, "--clock-mhz", "9000")
    result = invoke(*words, "--activity", "uniform")
    assert result.exit_code == 1
    assert re.search(r"does not meet 9000 MHz: slack -", result.stderr)


def test_a_system_in_a_library(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    library = str(liberty("nangate45_typ.lib.gz"))
    words: Any = ("small", "--preset", "int8-8x8", "--liberty", library, "--activity", "uniform")
    data = json.loads(invoke(*words, "--json").stdout)
    assert {"area_um2", "fmax_mhz", "energy_pj_per_op", "leakage_nw", "cells"} <= set(data)
    units = {unit["unit"]: unit for unit in data["units"]}
    assert units["int8.pe"]["count"] == 64
    for field in ("area_um2", "leakage_nw", "cells"):
        total = sum(unit["count"] * unit[field] for unit in units.values())
        assert data[field] == pytest.approx(total)
    spads = {memory["component"]: memory["bits"] for memory in data["memories"]}
    assert spads["activation_spad"] == 8 * 8192
    assert any("not counted" in line for line in data["notes"])
