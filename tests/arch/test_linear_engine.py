"""arch/engine.py and arch/descriptor.py where fixed-point weights have biases instead of scales."""

from typing import Any

import pytest
from pydantic import ValidationError

from dovetail.arch.descriptor import describe, register_names, registers
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.gemm import SMALLEST_TILE, Gemm, TileMapping
from dovetail.errors import ConfigError
from dovetail.tests.rtl.simulation import small_engine

# One token of 16 k a cycle, 16 output channels: words of 512 bits, of 4096 for weights.
LINEAR = GemmEngineConfig(
    core="linear_w16a32",
    rows=1,
    cols=16,
    lut_k=16,
    max_group=4096,
    port_bits=512,
    weight_buffer_bytes=262144,
)
MAPPING = TileMapping(tile_m=2, tile_n=1, tile_k=1)


def test_widths_by_hand() -> None:
    assert LINEAR.activation.word_bits == 16 * 32
    assert LINEAR.weight.word_bits == 16 * 16 * 16
    assert LINEAR.scale.word_bits == 16 * 16  # a bias of 16 bits a channel
    assert LINEAR.output_row_bits == 16 * 32
    # Products have 48 bits; sums are kept modulo 2^48, which holds every bit below 32 + 16.
    assert (LINEAR.pe_accumulator_bits, LINEAR.accumulator_bits) == (48, 48)
    assert LINEAR.peak_macs_per_cycle == 256
    # Scratchpad and input register 2, accumulator 1, one row, products and tree 3, bias 1, and the
    # addition to what is stored; the constants of docs/engine.md.
    assert LINEAR.result_latency_cycles == 1 + 3 + 3 + 1


def test_registers_by_hand() -> None:
    gemm = Gemm(m=5, n=40, k=3000, weight_format="int16_bias", group=4096)
    found = describe(LINEAR, gemm, MAPPING, output_shift=14, bias_shift=25, gelu=True)
    assert registers(LINEAR, found) == {
        "m_blocks": 5,
        "n_blocks": 3,
        "groups": 1,
        "rows_last": 1,
        "cols_last": 8,
        "k": 188,  # steps of 16, of which the last has 8
        "tile_m": 2,
        "tile_n": 1,
        "tile_k": 1,
        "group_log2": 8,
        "n_outer": 0,
        "unscaled": 0,
        "signed": 0,
        "planes": 1,
        "levels": 0,
        "output_shift": 14,
        "weight_shift": 0,
        "bias_shift": 25,
        "gelu": 1,
        "activation_block_beats": 188,
        "weight_block_beats": 188 * 8,
        "scale_block_beats": 1,
        "output_tile_beats": 1,
        "activation_tile_beats": 2 * 188,
        "weight_tile_beats": 188 * 8,
        "scale_tile_beats": 1,
        "output_column_beats": 5,
        "output_tile_m_beats": 2,
        "output_tile_n_beats": 5,
        "activation_address": 0,
        "weight_address": 5 * 188,
        "scale_address": 5 * 188 + 3 * 188 * 8,
        "output_address": 5 * 188 + 3 * 188 * 8 + 3,
    }


def test_other_engines_have_no_register_for_biases() -> None:
    assert {"bias_shift", "gelu"}.isdisjoint(register_names(small_engine()))


def test_weights_without_biases_load_none() -> None:
    gemm = Gemm(m=5, n=40, k=3000, weight_format="int16", group=4096)
    found = describe(LINEAR, gemm, MAPPING)
    assert (found.unscaled, found.scale_block_beats) == (1, 0)
    assert found.output_address == found.scale_address


@pytest.mark.parametrize(
    ("values", "want"),
    [
        ({"output_shift": 17}, "output_shift=17 must be from 0 to 16; change output_shift"),
        ({"bias_shift": 32}, "bias_shift=32 must be from 0 to 31; change bias_shift"),
        ({"bias_shift": -1}, "bias_shift=-1 must be from 0 to 31; change bias_shift"),
    ],
)
def test_refuses_shifts(values: dict[str, Any], want: str) -> None:
    gemm = Gemm(m=5, n=40, k=300, weight_format="int16_bias", group=512)
    with pytest.raises(ConfigError) as caught:
        describe(LINEAR, gemm, MAPPING, **values)
    assert str(caught.value) == want


@pytest.mark.parametrize("values", [{"bias_shift": 3}, {"gelu": True}])
def test_refuses_biases_on_other_cores(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        describe(small_engine(), Gemm(m=4, n=4, k=16, group=16), SMALLEST_TILE, **values)
    assert str(caught.value) == (
        "core=mixpe_w4a8 adds no bias and has no GELU; remove bias_shift and gelu"
    )


@pytest.mark.parametrize(
    ("values", "want"),
    [
        ({"lut_k": 17}, "lut_k=17 must be from 2 to 16 for core=linear_w16a32; set it to 4"),
        ({"max_group": 8192}, "max_group=8192 must be a power of two up to 4096; set it to 4096"),
    ],
)
def test_refuses_engines(values: dict[str, Any], want: str) -> None:
    shape: dict[str, Any] = {"rows": 1, "cols": 16, "lut_k": 16, "max_group": 4096, **values}
    with pytest.raises(ValidationError, match=want):
        GemmEngineConfig(core="linear_w16a32", **shape)
