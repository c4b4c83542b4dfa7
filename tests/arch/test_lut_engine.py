"""arch/engine.py and arch/gemm.py where steps have several k and weights come by bit planes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from dovetail.arch.cores import LUT_CORES
from dovetail.arch.descriptor import describe
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.gemm import SMALLEST_TILE, Gemm, mapping_problem
from dovetail.arch.units import core_units
from dovetail.errors import ConfigError

VALUES: dict[str, Any] = {"core": "lut_int8", "lut_k": 4, "rows": 2, "cols": 64}
ENGINE = GemmEngineConfig(**VALUES)
GEMM = Gemm(m=3, n=100, k=130, weight_format="odd", bits=3, group=32)


@pytest.mark.parametrize(
    ("values", "want"),
    [
        ({"lut_k": 1}, "lut_k=1 must be from 2 to 8 for core=lut_int8; set it to 4"),
        ({"lut_k": 0}, "lut_k=0 must be from 2 to 8 for core=lut_int8; set it to 4"),
        ({"lut_k": 9}, "lut_k=9 must be from 2 to 8 for core=lut_int8; set it to 4"),
        ({"core": "int8"}, "lut_k=4 must be 1 for core=int8; set it to 1"),
        (
            {"core": "int8", "lut_k": 1, "zero_bits": 8},
            "zero_bits=8 needs a bit-serial core; weights of core=int8 have 4 bits: remove "
            "zero_bits",
        ),
        (
            {"lut_k": 5, "max_group": 4},
            "max_group=4 is shorter than a step of lut_k=5; set it to at least 8",
        ),
        ({"zero_bits": 5}, "Input should be 4 or 8"),
    ],
)
def test_an_engine_says_what_was_wrong(values: dict[str, Any], want: str) -> None:
    with pytest.raises(ValidationError) as caught:
        GemmEngineConfig(**(VALUES | values))
    (problem,) = caught.value.errors()
    assert str(problem["msg"]).removeprefix("Value error, ") == want


@pytest.mark.parametrize("bits", [0, 9, -1, 2.0, True, None])
@pytest.mark.parametrize("weight_format", ["odd", "twos_complement", "zero_point"])
def test_a_gemm_refuses_other_than_1_to_8_bits(weight_format: Any, bits: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        replace(GEMM, weight_format=weight_format, bits=bits)
    assert str(caught.value) == (
        f"bits={bits!r} must be a whole number from 1 to 8 for weight_format={weight_format!r}; "
        f"change bits"
    )


@pytest.mark.parametrize(("weight_format", "has"), [("int4", 4), ("int8", 8), ("fp16", 16)])
def test_a_gemm_refuses_bits_beside_a_format_that_has_its_own(weight_format: Any, has: int) -> None:
    with pytest.raises(ConfigError) as caught:
        replace(GEMM, weight_format=weight_format)
    assert str(caught.value) == (
        f"bits=3 does not apply to weight_format={weight_format!r}, which has {has}; remove bits"
    )
    assert replace(GEMM, weight_format=weight_format, bits=None).weight_bits == has


def test_zero_points_need_lanes_that_hold_them() -> None:
    gemm = replace(GEMM, weight_format="zero_point", bits=5)
    assert mapping_problem(ENGINE, gemm, SMALLEST_TILE) == (
        "zero points of bits=5 do not fit zero_bits=4; set zero_bits to 8 or use fewer bits"
    )
    wide = replace(ENGINE, zero_bits=8)
    assert mapping_problem(wide, gemm, SMALLEST_TILE) is None
    assert (ENGINE.scale_lane_bits, wide.scale_lane_bits) == (16, 32)
    assert mapping_problem(ENGINE, replace(gemm, bits=4), SMALLEST_TILE) is None
    assert mapping_problem(ENGINE, replace(gemm, weight_format="odd"), SMALLEST_TILE) is None


def test_refuses_a_weight_format_of_another_core() -> None:
    assert mapping_problem(ENGINE, Gemm(m=1, n=1, k=1), SMALLEST_TILE) == (
        "weight_format='int4' must be one of odd, twos_complement, zero_point, int8 for "
        "core=lut_int8; change weight_format"
    )


@pytest.mark.parametrize(
    ("lut_k", "cols", "activation_bits", "weight_bits"),
    # Slices of a step fill up to powers of two, and a byte at least.
    [(4, 64, 2 * 32, 64 * 4), (3, 64, 2 * 32, 64 * 4), (5, 3, 2 * 64, 4 * 8), (2, 1, 2 * 16, 8)],
)
def test_scratchpads_hold_steps(
    lut_k: int, cols: int, activation_bits: int, weight_bits: int
) -> None:
    engine = replace(ENGINE, lut_k=lut_k, cols=cols)
    assert engine.activation.slice_bits == activation_bits
    assert engine.weight.slice_bits == weight_bits
    assert engine.peak_macs_per_cycle == 2 * cols * lut_k


def test_registers_by_hand() -> None:
    d = describe(ENGINE, GEMM, SMALLEST_TILE)
    # 130 k are 33 steps of 4, in groups of 8 steps; each step has 3 planes of 64 x 4 bits.  A row
    # of 1,024 bits holds 16 steps of 2 x 32 bits of activations, and 4 planes.
    assert (d.k, d.groups, d.group_log2, d.planes, d.levels) == (33, 5, 3, 3, 0)
    assert (d.activation_block_beats, d.weight_block_beats) == (3, 25)
    assert d.scale_block_beats == 5
    levels = {"odd": 0, "twos_complement": 1, "zero_point": 2}
    for weight_format, level in levels.items():
        gemm = replace(GEMM, weight_format=weight_format)  # type: ignore[arg-type]
        assert describe(ENGINE, gemm, SMALLEST_TILE).levels == level
    computed = describe(ENGINE, Gemm(m=3, n=100, k=130, weight_format="int8"), SMALLEST_TILE)
    assert (computed.planes, computed.levels, computed.unscaled) == (8, 1, 1)
    assert computed.weight_block_beats == 66


@pytest.mark.parametrize("core", LUT_CORES)
@pytest.mark.parametrize("max_group", [16, 128])
def test_accumulators_hold_the_longest_group_of_the_widest_weights(
    core: Any, max_group: int
) -> None:
    engine = GemmEngineConfig(core=core, lut_k=4, rows=2, cols=4, max_group=max_group)
    if engine.spec.floating:
        return
    largest = 1 << (engine.spec.activation_bits - 1)
    # The largest of 8 bits is 255 = 2 * 255 - 255.
    assert 255 * largest * max_group < 1 << (engine.pe_accumulator_bits - 1)
    assert largest * max_group <= 1 << (engine.group_sum_bits - 1)
    # q' - z' of 8 bits reaches 510; over the longest k, with the largest scale.
    assert 510 * largest * (1 << 16) * 4095 < 1 << (engine.accumulator_bits - 1)


def test_a_core_without_priced_units_is_refused_in_one_line() -> None:
    with pytest.raises(ConfigError) as caught:
        core_units(GemmEngineConfig(core="unpu_int8", lut_k=4, rows=2, cols=4))
    assert str(caught.value).startswith("core 'unpu_int8' has no price: its units are in no techno")
    assert "\n" not in str(caught.value)


def test_tables_that_do_not_fit_are_refused() -> None:
    """At 8 k of INT8 a step has 128 entries of 12 bits, which fill 2,048 bits."""
    loaded = {**VALUES, "lut_k": 8, "tables": "loaded", "activation_buffer_bytes": 1023}
    with pytest.raises(ValidationError) as caught:
        GemmEngineConfig(**loaded)
    (problem,) = caught.value.errors()
    assert str(problem["msg"]).removeprefix("Value error, ") == (
        "activation_buffer_bytes=1023 cannot hold two rows of 4096 bits (the wider of array word "
        "and port); set it to at least 1024"
    )
    engine = GemmEngineConfig(**{**loaded, "activation_buffer_bytes": 1024})
    gemm = Gemm(m=2, n=4, k=32, weight_format="odd", bits=1, group=32)
    assert mapping_problem(engine, gemm, SMALLEST_TILE) == (
        "the tile needs 1 blocks of 4 rows of activations; half of activation_buffer_bytes=1024 "
        "holds 1 rows; make the tile smaller"
    )
