"""arch/engine.py."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from dovetail.arch.cores import CORES
from dovetail.arch.engine import GemmEngineConfig

VALUES: dict[str, Any] = {"rows": 8, "cols": 8}
ENGINE = GemmEngineConfig(**VALUES)


def message(**values: Any) -> str:
    """What pydantic says of one wrong field."""
    with pytest.raises(ValidationError) as caught:
        GemmEngineConfig(**(VALUES | values))
    (problem,) = caught.value.errors()
    return str(problem["msg"]).removeprefix("Value error, ")


SIZES = (
    "rows",
    "cols",
    "max_group",
    "activation_buffer_bytes",
    "weight_buffer_bytes",
    "scale_buffer_bytes",
    "accumulator_buffer_bytes",
    "port_bits",
    "dram_latency_cycles",
    "clock_mhz",
)


@pytest.mark.parametrize("field", SIZES)
@pytest.mark.parametrize("value", [0, -1])
def test_refuses_sizes_that_are_not_positive(field: str, value: int) -> None:
    assert message(**{field: value}) == "Input should be greater than 0"


@pytest.mark.parametrize("field", SIZES)
def test_refuses_what_is_no_number(field: str) -> None:
    assert message(**{field: "8"}) in (
        "Input should be a valid integer",
        "Input should be a valid number",
    )
    if field != "clock_mhz":
        assert message(**{field: 8.5}) == "Input should be a valid integer"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_refuses_a_clock_that_is_not_finite(value: float) -> None:
    assert message(clock_mhz=value) == "Input should be a finite number"


@pytest.mark.parametrize(
    ("field", "value", "limit"),
    [
        ("rows", 257, 256),
        ("cols", 257, 256),
        ("dram_latency_cycles", 4097, 4096),
        ("clock_mhz", 10001, 10000),
    ],
)
def test_refuses_sizes_beyond_the_limit(field: str, value: int, limit: int) -> None:
    assert message(**{field: value}) == f"Input should be less than or equal to {limit}"


def test_refuses_an_unknown_core_and_an_unknown_field() -> None:
    *names, last = (repr(core) for core in CORES)
    assert message(core="fp8") == f"Input should be {', '.join(names)} or {last}"
    assert message(colums=8) == "Unexpected keyword argument"


def test_asks_for_what_is_missing() -> None:
    with pytest.raises(ValidationError) as caught:
        GemmEngineConfig(rows=8)  # type: ignore[call-arg]
    (problem,) = caught.value.errors()
    assert (problem["loc"], problem["msg"]) == (("cols",), "Field required")


@pytest.mark.parametrize(
    ("values", "want"),
    [
        ({"max_group": 48}, "max_group=48 must be a power of two up to 1024; set it to 64"),
        ({"max_group": 2048}, "max_group=2048 must be a power of two up to 1024; set it to 1024"),
        ({"port_bits": 100}, "port_bits=100 must be a power of two from 8 to 4096; set it to 128"),
        ({"port_bits": 4}, "port_bits=4 must be a power of two from 8 to 4096; set it to 8"),
        (
            {"port_bits": 8192},
            "port_bits=8192 must be a power of two from 8 to 4096; set it to 4096",
        ),
        (
            {"activation_buffer_bytes": 128},
            "activation_buffer_bytes=128 cannot hold two rows of 1024 bits (the wider of array "
            "word and port); set it to at least 256",
        ),
        (
            {"weight_buffer_bytes": 255},
            "weight_buffer_bytes=255 cannot hold two rows of 1024 bits (the wider of array word "
            "and port); set it to at least 256",
        ),
        (
            {"scale_buffer_bytes": 1, "port_bits": 64},
            "scale_buffer_bytes=1 cannot hold two rows of 128 bits (the wider of array word and "
            "port); set it to at least 32",
        ),
        (
            {"accumulator_buffer_bytes": 767},
            "accumulator_buffer_bytes=767 cannot hold two tiles of rows=8 x cols=8 accumulators "
            "of 48 bits; set it to at least 768",
        ),
    ],
)
def test_says_what_was_wrong_the_rule_and_what_to_change(values: dict[str, Any], want: str) -> None:
    assert message(**values) == want


@pytest.mark.parametrize("name", ["activation", "weight", "scale", "accumulator"])
@pytest.mark.parametrize(("rows", "cols", "port_bits"), [(8, 8, 64), (5, 3, 1024), (1, 1, 8)])
@pytest.mark.parametrize("core", ["mixpe_w4a8", "int8"])
def test_the_size_that_an_error_asks_for_is_the_least_that_works(
    name: str, rows: int, cols: int, port_bits: int, core: str
) -> None:
    values = {"core": core, "rows": rows, "cols": cols, "port_bits": port_bits}
    field = f"{name}_buffer_bytes"
    least = int(message(**values, **{field: 1}).rsplit(" ", 1)[1])
    GemmEngineConfig(**values, **{field: least})
    assert message(**values, **{field: least - 1})


def test_equal_designs_have_equal_ids() -> None:
    assert ENGINE.design_id == GemmEngineConfig(rows=8, cols=8).design_id
    assert ENGINE.design_id != replace(ENGINE, clock_mhz=250.0).design_id
    assert len(ENGINE.design_id) == 12


@pytest.mark.parametrize(
    ("rows", "cols", "rows_padded", "cols_padded"), [(1, 1, 1, 2), (9, 5, 16, 8), (32, 32, 32, 32)]
)
def test_padding(rows: int, cols: int, rows_padded: int, cols_padded: int) -> None:
    config = GemmEngineConfig(rows=rows, cols=cols)
    assert (config.rows_padded, config.cols_padded) == (rows_padded, cols_padded)
    assert config.peak_macs_per_cycle == rows * cols
    assert config.drain_cycles == max(2, rows)


def test_scratchpads_of_an_odd_array() -> None:
    # 9 rows are padded to 16, 5 columns to 8; a port of 64 bits.
    config = GemmEngineConfig(rows=9, cols=5, port_bits=64, max_group=32)
    activation, weight, scale = config.activation, config.weight, config.scale
    assert activation.slice_bits == activation.word_bits == activation.row_bits == 128
    assert (activation.beats_per_row, activation.slices_per_row) == (2, 1)
    assert activation.half_rows == 262144 // 2 // 16
    # A word is one k of 8 weights, a row one beat of two such words.
    assert (weight.slice_bits, weight.word_bits, weight.row_bits) == (32, 32, 64)
    assert (weight.words_per_row, weight.slices_per_row, weight.slices_per_word) == (2, 2, 1)
    # The INT8 core reads two nibble planes at once.
    baseline = replace(config, core="int8").weight
    assert (baseline.word_bits, baseline.slices_per_word) == (64, 2)
    assert (scale.slice_bits, scale.row_bits) == (128, 128)
    assert config.accumulator_half_rows == 131072 * 8 // (5 * 48) // 2
    assert config.accumulator_half_tiles == config.accumulator_half_rows // 9
    assert config.output_row_bits == 8 * 16


@pytest.mark.parametrize("max_group", [1, 2, 32, 128, 1024])
def test_accumulators_hold_the_longest_group_exactly(max_group: int) -> None:
    config = GemmEngineConfig(rows=8, cols=8, max_group=max_group)
    # Extremes of INT8 times a signed or unsigned nibble: -128 x 15 and -128 x -8.
    least, most = -128 * 15 * max_group, 128 * 8 * max_group
    assert -(1 << (config.pe_accumulator_bits - 1)) <= least
    assert most < 1 << (config.pe_accumulator_bits - 1)
    assert least < -(1 << (config.pe_accumulator_bits - 2))  # and no bit more than needed
    assert -(1 << (config.group_sum_bits - 1)) <= -128 * max_group
    assert -128 * max_group < -(1 << (config.group_sum_bits - 2))


def test_the_baseline_sums_the_longest_k() -> None:
    config = GemmEngineConfig(core="int8", rows=8, cols=8)
    assert 128 * 128 * (1 << 16) < 1 << (config.pe_accumulator_bits - 1)
