"""arch/mixpe.py and its presets."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from dovetail.arch.gemm import SMALLEST_TILE, Gemm, mapping_problem
from dovetail.arch.mixpe import MixpeDesign, mixpe_design, preset, presets
from dovetail.errors import ConfigError

VALUES: dict[str, Any] = {"engine": {"rows": 8, "cols": 8}, "group": 32}


@pytest.mark.parametrize("name", presets())
def test_presets_load_and_survive_plain_data(name: str) -> None:
    design = preset(name)
    again = mixpe_design(json.loads(json.dumps(design.to_dict())))
    assert again == design
    assert again.design_id == design.design_id


@pytest.mark.parametrize("name", presets())
def test_presets_can_run_a_gemm_of_their_group(name: str) -> None:
    design = preset(name)
    gemm = Gemm(
        m=1000,
        n=1000,
        k=4096,
        weight_format=design.engine.spec.stored[0],
        group=design.group,
    )
    assert mapping_problem(design.engine, gemm, SMALLEST_TILE) is None


def test_presets_by_name() -> None:
    assert set(presets()) >= {"w4a8-8x8", "w4a8-32x32", "w4a8-64x64", "int8-8x8", "int8-32x32"}
    for name in presets():
        core, size = name.split("-")
        rows, cols = size.split("x")
        engine = preset(name).engine
        assert (engine.rows, engine.cols) == (int(rows), int(cols))
        assert engine.core == {"w4a8": "mixpe_w4a8", "w4a16": "mixpe_w4a16"}.get(core, core)


def test_presets_of_the_source() -> None:
    """Figures of the authors' simulator: 64 x 64 PEs, 500 MHz, 128/256/128 KiB, 1,024 bits."""
    engine = preset("w4a8-64x64").engine
    assert (engine.rows, engine.cols) == (64, 64)
    assert engine.clock_mhz == 500
    assert engine.port_bits == 1024
    assert engine.weight_buffer_bytes == 128 << 10
    assert engine.activation_buffer_bytes == 256 << 10
    assert engine.accumulator_buffer_bytes >= 128 << 10
    assert preset("w4a8-64x64").group == 128


def test_fp16_quantises_nothing() -> None:
    values = {"engine": {"core": "fp16", "rows": 8, "cols": 8}, "group": 32}
    for wrong in ({"kv_bits": 4}, {"zero_point": True}):
        with pytest.raises(ConfigError) as caught:
            mixpe_design(values | wrong, source="mine.toml")
        assert str(caught.value) == (
            "mine.toml: core=fp16 quantises nothing, so kv_bits=4 and zero_point=true do not apply "
            "to it; remove them or use another core"
        )


def test_names_the_presets_when_one_is_unknown() -> None:
    with pytest.raises(ConfigError) as caught:
        preset("w4a8-9x9")
    assert str(caught.value) == (
        f"no preset named 'w4a8-9x9'; did you mean w4a8-8x8? the presets are {', '.join(presets())}"
    )


def refused(values: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        mixpe_design(values, source="my.toml")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("values", "want"),
    [
        ({"engine": {"rows": 8}}, "my.toml: engine.cols is missing; add it"),
        ({"group": 32}, "my.toml: engine is missing; add it"),
        (
            VALUES | {"gruop": 32},
            "my.toml: gruop is not a field of a MixPE design; remove it, or correct its name",
        ),
        (
            VALUES | {"engine": {"rows": 0, "cols": 8}},
            "my.toml: engine.rows: 0 must be greater than 0; change it",
        ),
        (
            VALUES | {"engine": {"rows": -4, "cols": 8}},
            "my.toml: engine.rows: -4 must be greater than 0; change it",
        ),
        (
            VALUES | {"kv_bits": 5},
            "my.toml: kv_bits: 5 must be 4 or 8; change it",
        ),
        (
            VALUES | {"zero_point": 1},
            "my.toml: zero_point: 1 must be a valid boolean; change it",
        ),
        (
            VALUES | {"group": 48},
            "my.toml: group=48 must be a power of two up to max_group=128; "
            "use a shorter group or build a larger engine",
        ),
        (
            VALUES | {"group": 256},
            "my.toml: group=256 must be a power of two up to max_group=128; "
            "use a shorter group or build a larger engine",
        ),
        (
            VALUES | {"group": 0},
            "my.toml: group=0 must be a power of two up to max_group=128; "
            "use a shorter group or build a larger engine",
        ),
        (
            VALUES | {"engine": {"rows": 8, "cols": 8, "max_group": 100}},
            "my.toml: engine: max_group=100 must be a power of two up to 1024; set it to 128",
        ),
    ],
)
def test_names_file_field_rule_and_value(values: dict[str, Any], want: str) -> None:
    assert refused(values) == want


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_refuses_a_clock_that_is_not_finite(value: float) -> None:
    values = VALUES | {"engine": {"rows": 8, "cols": 8, "clock_mhz": value}}
    got = refused(values)
    assert got == f"my.toml: engine.clock_mhz: {value} must be a finite number; change it"


def test_tells_of_every_problem_at_once() -> None:
    got = refused({"engine": {"rows": 0, "colums": 8}})
    assert got == (
        "my.toml: engine.rows: 0 must be greater than 0; change it; "
        "my.toml: engine.cols is missing; add it; "
        "my.toml: engine.colums is not a field of a MixPE design; remove it, or correct its name"
    )


def test_ids_tell_designs_apart() -> None:
    design = mixpe_design(VALUES)
    assert isinstance(design, MixpeDesign)
    assert mixpe_design(VALUES).design_id == design.design_id
    others = [
        replace(design, group=64),
        replace(design, zero_point=True),
        replace(design, kv_bits=4),
        replace(design, engine=replace(design.engine, rows=9)),
    ]
    assert len({other.design_id for other in (design, *others)}) == 5
