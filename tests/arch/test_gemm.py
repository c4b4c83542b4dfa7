"""arch/gemm.py and arch/descriptor.py."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.arch.cores import Core
from dovetail.arch.descriptor import describe, registers
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.gemm import SMALLEST_TILE, Gemm, TileMapping, mapping_problem, tile_rows
from dovetail.arch.spad import SpadShape
from dovetail.errors import ConfigError

ENGINE = GemmEngineConfig(
    rows=8,
    cols=4,
    max_group=32,
    activation_buffer_bytes=1024,
    weight_buffer_bytes=512,
    scale_buffer_bytes=64,
    accumulator_buffer_bytes=12 * 8 * 4 * 5,
    port_bits=64,
)
GEMM = Gemm(m=20, n=10, k=70, group=32)


@pytest.mark.parametrize("name", ["m", "n", "k"])
@pytest.mark.parametrize("value", [0, -3, 2.0, True, "4", None, float("nan"), (1 << 20) + 1])
def test_refuses_shapes_that_are_no_count(name: str, value: Any) -> None:
    values: dict[str, Any] = {"m": 1, "n": 1, "k": 1, name: value}
    limit = 65536 if name == "k" else 1048576
    with pytest.raises(ConfigError) as caught:
        Gemm(**values)
    assert str(caught.value) == (
        f"{name}={value!r} must be a whole number from 1 to {limit}; change the shape of the GEMM"
    )


@pytest.mark.parametrize("group", [0, -32, 68, 31, 2.0, None])
def test_refuses_a_group_that_is_no_power_of_two(group: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        Gemm(m=1, n=1, k=1, group=group)
    assert str(caught.value) == (
        f"group={group!r} must be a power of two of steps of 1 to 16 k; set it to 32, 64 or 128"
    )


@pytest.mark.parametrize(("lut_k", "group", "least"), [(1, 48, 32), (4, 48, 32), (3, 64, 48)])
def test_refuses_a_group_that_is_not_a_power_of_two_of_steps(
    lut_k: int, group: int, least: int
) -> None:
    core: Core = "mixpe_w4a8" if lut_k == 1 else "lut_int8"
    engine = GemmEngineConfig(core=core, lut_k=lut_k, rows=2, cols=4)
    gemm = Gemm(m=1, n=1, k=1, group=group)
    of = f" of lut_k={lut_k}" if lut_k > 1 else ""
    problem = f"group={group} must be a power of two{of}; set it to {least}"
    assert mapping_problem(engine, gemm, SMALLEST_TILE) == problem


def test_macs() -> None:
    assert GEMM.macs == 20 * 10 * 70


@settings(max_examples=300)
@given(st.integers(0, 5), st.integers(1, 40), st.integers(1, 200), st.sampled_from([1, 2]))
def test_tile_rows_is_the_most_of_all_tiles(
    row_log2: int, tile: int, total: int, slices: int
) -> None:
    spad = SpadShape(slice_bits=8, word_bits=8, row_bits=8 << row_log2, half_rows=4, beat_bits=8)
    most = 0
    for first in range(0, total, tile):
        last = min(first + tile, total)
        touched = {index >> row_log2 for index in range(first * slices, last * slices)}
        most = max(most, len(touched))
    assert tile_rows(spad, tile=tile, total=total, slices=slices) == most


@pytest.mark.parametrize("core", ["mixpe_w4a8", "int8"])
@pytest.mark.parametrize("weight_format", ["int4", "uint4_zero", "int8"])
def test_a_mapping_fits_where_its_bytes_do(core: Any, weight_format: Any) -> None:
    """Against buffers laid out slice by slice; k tiles here begin on rows of each scratchpad."""
    config = replace(ENGINE, core=core)
    gemm = replace(GEMM, weight_format=weight_format)
    verdicts = set()
    for m, n, k in product(range(1, 4), range(1, 4), range(1, 4)):
        length = min(k * 32, 70)
        activations = m * length * 8
        # Two k of four weights share a beat's row of 64 bits with two more; rows are not split.
        weight_bits = 8 if weight_format == "int8" else 4
        weights = n * -(-length * 4 * weight_bits // 64) * 8
        scales = 0 if weight_format == "int8" else n * min(k, 3) * 8
        fits = (
            activations <= 1024 // 2
            and weights <= 512 // 2
            and scales <= 64 // 2
            and m * n * 8 * 4 * 6 <= 12 * 8 * 4 * 5 // 2
        )
        for order in ("m_outer", "n_outer"):
            mapping = TileMapping(tile_m=m, tile_n=n, tile_k=k, order=order)
            assert (mapping_problem(config, gemm, mapping) is None) == fits, mapping
        verdicts.add(fits)
    assert verdicts == {True, False}


@pytest.mark.parametrize(
    ("values", "want"),
    [
        ({"tile_m": 0}, "tile_m=0 must be from 1 to 3 for this GEMM; change tile_m"),
        ({"tile_m": 4}, "tile_m=4 must be from 1 to 3 for this GEMM; change tile_m"),
        ({"tile_n": -1}, "tile_n=-1 must be from 1 to 3 for this GEMM; change tile_n"),
        ({"tile_k": 9}, "tile_k=9 must be from 1 to 3 for this GEMM; change tile_k"),
        ({"order": "k_outer"}, "order='k_outer' must be m_outer or n_outer; change order"),
        (
            {"tile_m": 3, "tile_n": 3},
            "tile_m=3 x tile_n=3 needs 9 array tiles of accumulators; half of "
            "accumulator_buffer_bytes=1920 holds 5; make the tile smaller",
        ),
        (
            {"tile_m": 3, "tile_k": 3},
            "the tile needs 3 blocks of 70 rows of activations; half of "
            "activation_buffer_bytes=1024 holds 64 rows; make the tile smaller",
        ),
        (
            {"tile_n": 3, "tile_k": 2},
            "the tile needs 3 blocks of 16 rows of weights; half of weight_buffer_bytes=512 "
            "holds 32 rows; make the tile smaller",
        ),
    ],
)
def test_says_why_a_mapping_does_not_fit(values: dict[str, Any], want: str) -> None:
    mapping = replace(SMALLEST_TILE, **values)
    assert mapping_problem(ENGINE, GEMM, mapping) == want
    with pytest.raises(ConfigError) as caught:
        describe(ENGINE, GEMM, mapping)
    assert str(caught.value) == want


def test_says_that_scales_do_not_fit() -> None:
    config = replace(ENGINE, scale_buffer_bytes=16)
    assert mapping_problem(config, GEMM, replace(SMALLEST_TILE, tile_k=2)) == (
        "the tile needs 1 blocks of 2 rows of scales; half of scale_buffer_bytes=16 holds 1 rows; "
        "make the tile smaller"
    )
    int8 = replace(GEMM, weight_format="int8")
    assert mapping_problem(config, int8, SMALLEST_TILE) is None


@pytest.mark.parametrize(
    ("values", "want"),
    [
        ({"output_shift": -1}, "output_shift=-1 must be from 0 to 47; change output_shift"),
        ({"output_shift": 48}, "output_shift=48 must be from 0 to 47; change output_shift"),
        ({"weight_shift": -1}, "weight_shift=-1 must be from 0 to 15; change weight_shift"),
        ({"weight_shift": 16}, "weight_shift=16 must be from 0 to 15; change weight_shift"),
    ],
)
def test_refuses_shifts_that_no_register_holds(values: dict[str, int], want: str) -> None:
    with pytest.raises(ConfigError) as caught:
        describe(ENGINE, GEMM, SMALLEST_TILE, **values)
    assert str(caught.value) == want


def test_refuses_a_group_that_the_engine_cannot_sum() -> None:
    with pytest.raises(ConfigError) as caught:
        describe(ENGINE, replace(GEMM, group=64), SMALLEST_TILE)
    assert str(caught.value) == (
        "group=64 exceeds the engine's max_group=32; use a shorter group or build a larger engine"
    )


def test_registers_by_hand() -> None:
    mapping = TileMapping(tile_m=2, tile_n=1, tile_k=1, order="n_outer")
    gemm = replace(GEMM, weight_format="uint4_zero")
    found = describe(ENGINE, gemm, mapping, output_shift=9, weight_shift=3)
    # 20 rows are blocks of 8, 8 and 4; 10 columns of 4, 4 and 2; 70 k are groups of 32, 32 and 6.
    # A beat of 64 bits is one k of 8 activations, 4 k of 4 INT4 weights, one group of 4 lanes, and
    # one row of 4 results.
    assert registers(ENGINE, found) == {
        "m_blocks": 3,
        "n_blocks": 3,
        "groups": 3,
        "rows_last": 4,
        "cols_last": 2,
        "k": 70,
        "tile_m": 2,
        "tile_n": 1,
        "tile_k": 1,
        "group_log2": 5,
        "n_outer": 1,
        "unscaled": 0,
        "signed": 0,
        "planes": 1,
        "levels": 0,
        "output_shift": 9,
        "weight_shift": 3,
        "activation_block_beats": 70,
        "weight_block_beats": 18,
        "scale_block_beats": 3,
        "output_tile_beats": 8,
        "activation_tile_beats": 140,
        "weight_tile_beats": 18,
        "scale_tile_beats": 3,
        "output_column_beats": 24,
        "output_tile_m_beats": 16,
        "output_tile_n_beats": 24,
        "activation_address": 0,
        "weight_address": 3 * 70,
        "scale_address": 3 * 70 + 3 * 18,
        "output_address": 3 * 70 + 3 * 18 + 3 * 3,
    }


def test_int8_weights_have_two_planes_and_no_scales() -> None:
    registers = describe(ENGINE, replace(GEMM, weight_format="int8"), SMALLEST_TILE)
    assert (registers.unscaled, registers.signed) == (1, 0)
    assert registers.weight_block_beats == 35
    assert registers.scale_block_beats == registers.scale_tile_beats == 0
    assert registers.output_address == registers.scale_address
