"""arch/lut.py and its presets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dovetail.arch.gemm import SMALLEST_TILE, Gemm, mapping_problem
from dovetail.arch.lut import lut_design, preset, presets
from dovetail.errors import ConfigError

ENGINE: dict[str, Any] = {"core": "lut_int8", "rows": 2, "cols": 8, "lut_k": 4}


@pytest.mark.parametrize("name", presets())
def test_presets_load_and_survive_plain_data(name: str) -> None:
    design = preset(name)
    again = lut_design(json.loads(json.dumps(design.to_dict())))
    assert again == design
    assert again.design_id == design.design_id
    gemm = Gemm(
        m=1000,
        n=1000,
        k=4096,
        weight_format=design.weight_format,
        group=design.group,
        bits=design.weight_bits if design.engine.spec.bit_serial else None,
    )
    assert mapping_problem(design.engine, gemm, SMALLEST_TILE) is None


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_the_paper_s_array_has_512_lanes(bits: int) -> None:
    """Section 4.2: M2 N64 K4, 512 one-bit MACs."""
    design = preset(f"w{bits}a8-m2n64k4")
    assert design.weight_bits == bits
    engine = design.engine
    assert (engine.rows, engine.cols, engine.lut_k) == (2, 64, 4)
    assert engine.peak_macs_per_cycle == 512


def test_the_format_of_weights_is_the_core_s() -> None:
    def form(core: str, bits: int, levels: str, lut_k: int) -> str:
        engine = ENGINE | {"core": core, "lut_k": lut_k}
        return lut_design({"engine": engine, "weight_bits": bits, "levels": levels}).weight_format

    assert form("lut_int8", 3, "odd", 4) == "odd"
    assert form("lut_int8", 2, "twos_complement", 4) == "twos_complement"
    assert form("mixpe_w4a8", 4, "twos_complement", 1) == "int4"
    assert form("mixpe_w4a8", 4, "zero_point", 1) == "uint4_zero"
    assert form("fp16", 16, "odd", 1) == "fp16"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight_bits": 0}, "weight_bits"),
        ({"weight_bits": 9}, "weight_bits=9 must be from 1 to 8 for core=lut_int8; change weight"),
        ({"group": 96}, "group=96 must be a power of two of steps of lut_k=4, up to max_group=128"),
        ({"group": 256}, "group=256 must be a power of two of steps of lut_k=4"),
        ({"group": 2}, "group=2 must be a power of two of steps of lut_k=4"),
        ({"levels": "even"}, "levels"),
        (
            {"levels": "zero_point", "weight_bits": 5},
            "levels=zero_point with weight_bits=5 exceeds the engine's zero_bits=4; set engine.zer",
        ),
        ({"engine": ENGINE | {"lut_k": 0}}, "lut_k=0 must be from 2 to 8"),
        ({"engine": ENGINE | {"lut_k": 9}}, "lut_k=9 must be from 2 to 8"),
        (
            {"engine": ENGINE | {"core": "mixpe_w4a8", "lut_k": 1}},
            "weight_bits=2 must be 4 for core=mixpe_w4a8; change weight_bits",
        ),
        (
            {"engine": ENGINE | {"core": "mixpe_w4a8", "lut_k": 1}, "weight_bits": 4},
            "levels=odd does not go with core=mixpe_w4a8; use twos_complement or zero_point",
        ),
        (
            {"engine": ENGINE | {"core": "fp16", "lut_k": 1}},
            "weight_bits=2 must be 16 for core=fp16; change weight_bits",
        ),
        ({"packed": True}, "packed"),
    ],
)
def test_bad_designs_are_refused_in_one_line(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as info:
        lut_design({"engine": ENGINE, **change}, source="mine.toml")
    assert message in str(info.value) and "\n" not in str(info.value)
    assert str(info.value).startswith("mine.toml")


def test_a_name_that_is_no_preset() -> None:
    with pytest.raises(ConfigError, match=r"^no preset named 'w9a8'; the presets are .*w2a8-m2n64"):
        preset("w9a8")
