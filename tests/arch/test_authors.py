"""arch/authors.py and its packaged data."""

import tomllib
from copy import deepcopy
from importlib.resources import files

import pytest
from pydantic import TypeAdapter, ValidationError

from dovetail.arch.authors import AuthorsModel, authors_model
from dovetail.errors import ConfigError

# The source prints its CACTI rows per bit with three digits.
BUFFER_PJ_PER_BIT = {
    "weight": (0.0330, 0.0397),
    "activation": (0.0347, 0.0486),
    "output": (0.00922, 0.0130),
}


@pytest.mark.parametrize("name", BUFFER_PJ_PER_BIT)
def test_buffers_cost_what_the_source_prints(name: str) -> None:
    buffer = authors_model().buffers[name]
    read, write = BUFFER_PJ_PER_BIT[name]
    assert buffer.read_pj_per_bit == pytest.approx(read, rel=2e-3)
    assert buffer.write_pj_per_bit == pytest.approx(write, rel=2e-3)


def test_dram_costs_what_the_source_prints() -> None:
    model = authors_model()
    dram = model.dram["reported"]
    assert dram.read_pj_per_bit == pytest.approx(0.629, abs=5e-4)
    assert dram.write_pj_per_bit == pytest.approx(0.766, abs=5e-4)
    assert dram.static_mw / model.platform.clock_mhz == pytest.approx(0.969, abs=5e-4)


def test_half_a_buffer_is_for_the_tile_in_use() -> None:
    assert authors_model().buffers["weight"].half_bits == 64 * 1024 * 8


@pytest.mark.parametrize(
    ("pe", "bits", "factor"), [("8/4", 2, 2), ("8/4", 4, 2), ("8/4", 6, 1), ("16/8", 8, 2)]
)
def test_narrow_operands_multiply_the_rate_down_to_the_narrowest(
    pe: str, bits: int, factor: int
) -> None:
    assert authors_model().pe[pe].factor(bits) == factor


def test_an_unknown_design_is_named_with_the_known_ones() -> None:
    with pytest.raises(
        ConfigError,
        match=r"^no design named 'tender' in the authors' model; the designs are mixpe-w4a8, ",
    ):
        authors_model().design("tender")


def test_a_design_must_name_a_known_pe() -> None:
    path = files("dovetail.arch") / "presets" / "authors" / "mixpe.toml"
    values = deepcopy(tomllib.loads(path.read_text()))
    values["designs"]["ant"]["pe"] = "8/2"
    with pytest.raises(
        ValidationError, match=r"designs\.ant: pe='8/2' must be one of 8/4, 16/8, 16/16"
    ):
        TypeAdapter(AuthorsModel).validate_python(values)
