"""arch/m3vit/linear_layer.py: registers of a layer are those of its GEMM, whatever the tokens."""

from dataclasses import replace

import pytest

from dovetail.arch.chained import ChainedEngineConfig, describe_link
from dovetail.arch.gemm import Gemm, TileMapping
from dovetail.arch.m3vit.formats import ATTENTION_BIAS, BIAS, FixedFormat
from dovetail.arch.m3vit.linear_layer import LinearLayer
from dovetail.errors import ConfigError

ENGINE = ChainedEngineConfig(
    cols=4,
    lut_k=4,
    max_group=16,
    port_bits=64,
    activation_buffer_bytes=1024,
    weight_buffer_bytes=4096,
    scale_buffer_bytes=512,
    accumulator_buffer_bytes=4096,
)
LAYER = LinearLayer(engine=ENGINE, outputs=10, inputs=24, most_rows=30, tile_rows=4)


@pytest.mark.parametrize(("bias", "shift"), [(BIAS, 36 - 11), (ATTENTION_BIAS, 36 - 9), (None, 0)])
@pytest.mark.parametrize("rows", [4, 5, 30])
def test_registers_of_fewer_rows(rows: int, bias: FixedFormat | None, shift: int) -> None:
    layer = replace(LAYER, bias=bias, gelu=bias is BIAS)
    found = layer.at(rows, activation_address=7, weight_address=100, output_address=900, tag=1)
    # 10 outputs are three blocks of columns, each of six steps of 4 x 4 weights of 16 bits.
    weights = 3 * 6 * 4
    biases = 3 * 2 if bias else 0  # a beat of four lanes for each of two groups
    assert (layer.weight_beats, layer.bias_beats) == (weights, biases)
    whole = describe_link(
        ENGINE,
        Gemm(m=rows, n=10, k=24, weight_format="int16_bias" if bias else "int16", group=16),
        TileMapping(tile_m=4, tile_n=3, tile_k=2),
        activation_address=7,
        weight_address=100,
        scale_address=100 + weights,
        output_address=900,
        output_shift=14,
        bias_shift=shift,
        gelu=bias is BIAS,
        tag=1,
    )
    assert found == whole


def test_a_layer_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^tile_m=9 x tile_n=30 needs 270 array tiles "):
        _ = replace(LAYER, outputs=120, tile_rows=9).registers
