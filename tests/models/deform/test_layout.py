"""models/deform/layout.py."""

from dataclasses import replace

import numpy as np
import pytest

from dovetail.arch.deform import SECTIONS, DeformEngineConfig
from dovetail.arch.deform_call import DeformCall, describe_call
from dovetail.models.deform.engine_call import run_call
from dovetail.models.deform.layout import pack_map, pack_operands, unpack_map
from dovetail.models.deform.random_call import random_call_operands

SIXTEEN = DeformEngineConfig()
FOUR = DeformEngineConfig(lanes=4)
CALL = DeformCall(height=5, width=3, in_channels=19, out_channels=21, stride=2, deform=True)


def signed(nibble: int) -> int:
    return nibble - 16 if nibble > 7 else nibble


@pytest.mark.parametrize("config", [SIXTEEN, FOUR], ids=["16 lanes", "4 lanes"])
@pytest.mark.parametrize(
    "call",
    [
        CALL,
        DeformCall(height=2, width=2, in_channels=33, out_channels=5, depthwise=False),
        DeformCall(height=3, width=3, in_channels=17, out_channels=17, pointwise=False),
    ],
    ids=["both", "pointwise", "depthwise"],
)
def test_every_value_lies_where_the_registers_say(
    call: DeformCall, config: DeformEngineConfig
) -> None:
    """Each value fetched byte by byte at an address computed from the descriptor alone."""
    operands = random_call_operands(call, bound=7, rng=np.random.default_rng(1))
    d = describe_call(config, call)
    lanes = config.lanes
    image = pack_operands(call, operands, config)
    assert image.size == d.output_address * lanes
    assert sum(getattr(d, f"{section}_beats") for section in SECTIONS) == d.output_address

    def byte(beat: int, index: int) -> int:
        return int(image[beat * lanes + index])

    def nibble(beat: int, index: int) -> int:
        return signed(byte(beat, index // 2) >> 4 * (index % 2) & 15)

    def word(beat: int, index: int) -> int:
        return int.from_bytes(bytes([byte(beat, 2 * index), byte(beat, 2 * index + 1)]), "little")

    for (r, c, k), value in np.ndenumerate(operands.image):
        beat = d.feature_address + (r * call.width + c) * d.in_groups + k // lanes
        assert byte(beat, k % lanes) == int(value) % 256
    if operands.pointwise:
        for (out, k), value in np.ndenumerate(operands.pointwise.weights):
            at = (out // lanes * d.in_groups + k // lanes) * lanes * lanes
            at += out % lanes * lanes + k % lanes
            assert nibble(d.weight1_address, at) == value
    if operands.depthwise:
        for (k, i, j), value in np.ndenumerate(operands.depthwise.weights):
            beat = d.weight3_address + k // lanes * 5
            assert nibble(beat, (3 * i + j) * lanes + k % lanes) == value
    for name, layer in (("quant1", operands.pointwise), ("quant3", operands.depthwise)):
        for k in range(call.out_channels if layer else 0):
            assert layer is not None
            beat = getattr(d, f"{name}_address") + k // lanes * 4
            assert word(beat, k % lanes) == int(layer.scale[k]) % 65536
            assert word(beat, lanes + k % lanes) == int(layer.bias[k]) % 65536
    if operands.offsets is not None:
        for pixel, value in enumerate(operands.offsets.reshape(-1)):
            assert byte(d.offset_address, pixel) == value


def test_weights_of_a_full_core_lie_where_its_words_are() -> None:
    config = DeformEngineConfig(lanes=4, core="full")
    call = DeformCall(height=2, width=2, in_channels=6, out_channels=9, pointwise=False, full=True)
    operands = random_call_operands(call, bound=7, rng=np.random.default_rng(1))
    d = describe_call(config, call)
    image = pack_operands(call, operands, config)
    assert image.size == d.output_address * 4
    assert operands.depthwise is not None
    nibbles = np.stack([image & 15, image >> 4], axis=1).reshape(-1)
    for (out, k, i, j), value in np.ndenumerate(operands.depthwise.weights):
        # Words of 4 outputs, 9 taps and 4 inputs; two input groups for each of three output groups.
        word = out // 4 * 2 + k // 4
        at = word * 144 + out % 4 * 36 + (3 * i + j) * 4 + k % 4
        assert signed(int(nibbles[d.weight3_address * 8 + at])) == value


def test_a_map_comes_back_and_its_padding_is_zero_activations() -> None:
    image = np.random.default_rng(2).integers(-128, 128, (3, 4, 21)).astype(np.int8)
    beats = pack_map(image, 16)
    assert beats.shape == (3 * 4 * 2, 16)
    assert (beats[1::2, 5:] == 128).all()
    np.testing.assert_array_equal(unpack_map(beats, height=3, width=4, channels=21), image)


def test_padded_channels_compute_zero_and_leave_the_others_alone() -> None:
    """The call with its channels padded by hand, run by the reference."""
    operands = random_call_operands(CALL, bound=7, rng=np.random.default_rng(3))
    d = describe_call(SIXTEEN, CALL)
    image = pack_operands(CALL, operands, SIXTEEN)

    def section(name: str, dtype: str) -> np.ndarray:
        first, beats = getattr(d, f"{name}_address"), getattr(d, f"{name}_beats")
        return image[first * 16 : (first + beats) * 16].view(dtype)

    quant1 = section("quant1", "<i2").reshape(2, 2, 16)
    quant3 = section("quant3", "<i2").reshape(2, 2, 16)
    padded = replace(
        operands,
        image=section("feature", "i1").reshape(5, 3, 32),
        pointwise=replace(
            operands.pointwise,
            weights=np.pad(operands.pointwise.weights, ((0, 11), (0, 13))),  # type: ignore[union-attr]
            scale=quant1[:, 0].reshape(-1),
            bias=quant1[:, 1].reshape(-1),
        ),
        depthwise=replace(
            operands.depthwise,
            weights=np.pad(operands.depthwise.weights, ((0, 11), (0, 0), (0, 0))),  # type: ignore[union-attr]
            scale=quant3[:, 0].reshape(-1),
            bias=quant3[:, 1].reshape(-1),
        ),
    )
    out = run_call(replace(CALL, in_channels=32, out_channels=32), padded, config=SIXTEEN)
    assert (out[:, :, 21:] == -128).all()
    np.testing.assert_array_equal(out[:, :, :21], run_call(CALL, operands, config=SIXTEEN))
