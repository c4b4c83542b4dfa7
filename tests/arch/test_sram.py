"""arch/sram.py: interpolation against held-back CACTI runs, shallow and wide memories, bridges."""

import csv
import itertools
import tomllib
from math import log
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tools import cacti_table

from dovetail.arch.sram import FIELDS, interpolate, sram_cost, sram_nodes
from dovetail.errors import ConfigError

FOLDER = Path(__file__).resolve().parents[2] / "arch" / "sram"
ROWS = list(csv.DictReader((FOLDER / "cacti7.csv").read_text().splitlines()))
ABOUT = tomllib.loads((FOLDER / "cacti7.toml").read_text())
BRIDGES = tomllib.loads((FOLDER / "bridges.toml").read_text())
LEAST = {24: 128, 48: 256, 64: 256, 192: 1024, 384: 2048}  # capacity that both widths around reach


def held_back() -> list[dict[str, str]]:
    return [row for row in ROWS if row["held_back"] == "1"]


def key(row: dict[str, str]) -> tuple[int, int, int]:
    return int(row["capacity_bytes"]), int(row["word_bits"]), int(row["node_nm"])


@pytest.mark.parametrize("field", FIELDS)
def test_stated_error_is_the_largest_against_held_back_runs(field: str) -> None:
    errors = [
        abs(interpolate(*key(row))[field] / float(row[field]) - 1)
        for row in held_back()
        if int(row["capacity_bytes"]) >= LEAST[int(row["word_bits"])]
    ]
    assert len(errors) > 110
    assert max(errors) <= ABOUT["uncertainty"][field] < max(errors) + 0.03


def test_held_back_runs_are_not_on_the_grid() -> None:
    grid = {key(row) for row in ROWS if row["held_back"] == "0"}
    assert not grid & {key(row) for row in held_back()}
    assert {c for c, _, _ in map(key, held_back())} == set(cacti_table.HELD_BACK_CAPACITIES)


@pytest.mark.parametrize("field", FIELDS)
def test_what_is_too_shallow_for_the_grid_is_never_priced_below_cacti_s_own(field: str) -> None:
    shallow = [
        row for row in held_back() if int(row["capacity_bytes"]) < LEAST[int(row["word_bits"])]
    ]
    assert len(shallow) == 2 * 4  # 96 B at 24 bits and 1.5 KiB at 384, at each node
    for row in shallow:
        assert 0.9 < interpolate(*key(row))[field] / float(row[field]) < 1.5, row


def test_is_cacti_s_own_on_the_grid() -> None:
    for row in ROWS[:: len(ROWS) // 40]:
        if row["held_back"] == "0":
            cost = sram_cost(*key(row))
            for field in FIELDS:
                assert getattr(cost, field).value == pytest.approx(float(row[field]), rel=1e-9)


def test_half_way_in_the_logarithm_is_the_geometric_mean() -> None:
    macros = {key(row): row for row in ROWS}
    ends = [float(macros[capacity, 64, 45]["area_um2"]) for capacity in (4096, 8192)]
    middle = interpolate(round(4096 * 2**0.5), 64, 45)["area_um2"]
    assert middle == pytest.approx((ends[0] * ends[1]) ** 0.5, rel=1e-4)


@given(
    capacity=st.integers(64, 2**21), width=st.integers(8, 1024), node=st.sampled_from(sram_nodes())
)
def test_a_larger_memory_costs_more(capacity: int, width: int, node: int) -> None:
    small, large = sram_cost(capacity, width, node), sram_cost(2 * capacity, width, node)
    for field in ("leakage_nw", "area_um2", "access_ns"):
        assert getattr(large, field).value >= getattr(small, field).value * (1 - 1e-9)
    # CACTI changes its organisation at some sizes: 11 % less energy is its largest step back.
    for field in ("read_pj", "write_pj"):
        assert getattr(large, field).value >= getattr(small, field).value * 0.88


def test_a_shallow_memory_is_the_smallest_of_its_width() -> None:
    assert {key(row)[0] for row in ROWS if row["word_bits"] == "1024"} >= {4096}
    assert sram_cost(1024, 1024, 45).area_um2.value == sram_cost(4096, 1024, 45).area_um2.value
    assert sram_cost(6, 4, 45).area_um2.value == sram_cost(64, 8, 45).area_um2.value


def test_a_wide_memory_is_several_side_by_side() -> None:
    wide, one = sram_cost(65536, 4096, 45), sram_cost(16384, 1024, 45)
    for field in ("read_pj", "write_pj", "leakage_nw", "area_um2"):
        assert getattr(wide, field).value == pytest.approx(4 * getattr(one, field).value)
    assert wide.access_ns.value == one.access_ns.value
    assert "4 macros, together 65536 bytes with 4096-bit words at 45 nm" in wide.read_pj.source


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((4096, 64, 28), r"^no SRAM figures for node_nm=28; the nodes are 7, 22, 32, 45, 65, 130$"),
        ((2**23, 64, 45), r"^an SRAM macro of 8388608 bytes is larger than the table's 4194304; "
         r"use a smaller buffer or several$"),
        ((0, 64, 45), r"^a memory of 0 bytes with 64-bit words is empty; give it at least one "
         r"word$"),
    ],
)  # fmt: skip
def test_refuses(arguments: tuple[int, int, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        sram_cost(*arguments)


# Stillmaker and Baas, Integration 58 (2017): delay (cubic in the supply) and energy (quadratic).
DELAY = {
    "130": (-76.65, 334.9, -493.4, 275.8),
    "65": (-53.3, 230.4, -333.9, 178.6),
    "32": (-1047, 2982, -2797, 873.5),
    "20": (0, 34.63, -66.37, 41.15),
    "7": (-28.58, 76.6, -70.26, 24.69),
}
ENERGY = {
    "130": (7.171, -6.709, 2.904),
    "65": (3.755, -4.398, 1.975),
    "32": (0.8367, -0.4341, 0.1701),
    "20": (0.373, -0.1582, 0.04104),
    "7": (0.1776, -0.09097, 0.02447),
}


def polynomial(coefficients: tuple[float, ...], vdd: float) -> float:
    value = 0.0
    for coefficient in coefficients:
        value = value * vdd + coefficient
    return value


def at_22(at_20: float, at_32: float) -> float:
    return at_20 * (at_32 / at_20) ** (log(22 / 20) / log(32 / 20))


def test_coefficients_give_the_corrigendum_s_example() -> None:
    assert polynomial(ENERGY["32"], 0.9) == pytest.approx(0.4571, abs=1e-4)
    assert polynomial(ENERGY["65"], 1.3) == pytest.approx(2.604, abs=1e-3)


def test_bridges_are_the_published_factors() -> None:
    for table, field in ((ENERGY, "read_pj"), (ENERGY, "write_pj"), (DELAY, "access_ns")):
        from_22 = at_22(polynomial(table["20"], 0.8), polynomial(table["32"], 0.8))
        want = polynomial(table["7"], 0.7) / from_22
        assert BRIDGES["7"][field]["value"] == pytest.approx(want, rel=5e-3)
        want = polynomial(table["130"], 1.3) / polynomial(table["65"], 1.1)
        want *= (1.8 / 1.3) ** 2 if table is ENERGY else 1
        assert BRIDGES["130"][field]["value"] == pytest.approx(want, rel=5e-3)
    assert BRIDGES["7"]["area_um2"]["value"] == pytest.approx(0.027 / 0.092, rel=5e-3)
    assert BRIDGES["7"]["area_um2"]["low"] == pytest.approx(at_22(0.28, 0.13), rel=5e-3)
    assert BRIDGES["7"]["area_um2"]["high"] == pytest.approx(0.027 / (146 * 0.022**2), rel=0.03)
    for node, picowatts in (("7", 51.1588), ("130", 5.3266820)):
        want = picowatts / 14353.185
        assert BRIDGES[node]["leakage_nw"]["value"] == pytest.approx(want, rel=5e-3)


def test_bounds_at_130_nm_hold_openram_s_macro_of_sky130() -> None:
    """github.com/VLSIDA/sky130_sram_macros: sky130_sram_2kbyte_1rw1r_32x512_8, TT, 1.8 V, 25 C."""
    ours = sram_cost(2048, 32, 130)
    published = {
        "read_pj": (2.707 + 2.420) / 2 * 5.156,  # mW, of ones and of zeros, over a period in ns
        "write_pj": (2.554 + 2.793) / 2 * 5.156,
        "leakage_nw": 1379.8,
        "area_um2": 683.1 * 416.54,
        "access_ns": 2.5,
    }
    for field, value in published.items():
        figure = getattr(ours, field)
        assert figure.range.low < value < figure.range.high, field


@pytest.mark.parametrize("node", sram_nodes())
def test_every_figure_says_where_it_comes_from(node: int) -> None:
    scaled = str(node) in BRIDGES
    for capacity, width in itertools.product((100, 5000, 2**21), (8, 48, 1500)):
        for field in FIELDS:
            figure = getattr(sram_cost(capacity, width, node), field)
            assert figure.node_nm == node
            assert figure.source.startswith("scaled from" if scaled else "CACTI 7.0"), field
            assert cacti_table.WHEEL_SHA256 in figure.source
            value, low, high = figure.range
            assert 0 < low < value < high


def test_the_source_names_the_wheel_that_the_tool_takes() -> None:
    assert cacti_table.WHEEL_SHA256 in ABOUT["source"]
    assert cacti_table.WHEEL.split("-py3")[0] in ABOUT["source"]
