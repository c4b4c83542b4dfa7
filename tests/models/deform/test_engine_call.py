"""models/deform/engine_call.py, windows.py and public_line_buffer.py."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from dovetail.arch.deform import DeformEngineConfig
from dovetail.arch.deform_call import DeformCall
from dovetail.errors import ConfigError, ShapeError
from dovetail.models.deform.engine_call import CallOperands, run_call
from dovetail.models.deform.public_line_buffer import public_square_windows
from dovetail.models.deform.random_call import random_call_operands
from dovetail.models.deform.windows import square_windows

ENGINE = DeformEngineConfig()


def byte(total: int, scale: int, bias: int) -> int:
    """The requantiser in plain integers: round half up, add, move the zero point, clamp."""
    q = (total * scale + 32768) // 65536 + bias
    return max(-128, min(127, q - 128))


def slow_call(call: DeformCall, operands: CallOperands) -> NDArray[np.int8]:
    """The call pixel by pixel, a dictionary for the map: what is not in it is padding."""
    pixels = {
        (r, c): [int(v) for v in operands.image[r, c]]
        for r in range(call.height)
        for c in range(call.width)
    }
    if operands.pointwise:
        layer = operands.pointwise
        rows = layer.weights.tolist()
        for key, values in pixels.items():
            totals = [sum(w * v for w, v in zip(row, values, strict=True)) for row in rows]
            pixels[key] = [
                byte(t, int(s), int(b))
                for t, s, b in zip(totals, layer.scale, layer.bias, strict=True)
            ]
    if operands.depthwise is None:
        return np.array(
            [[pixels[r, c] for c in range(call.width)] for r in range(call.height)], dtype=np.int8
        )
    layer = operands.depthwise
    out = np.empty((call.out_height, call.out_width, call.out_channels), dtype=np.int8)
    for r, c, k in np.ndindex(*out.shape):
        s = 1 if operands.offsets is None else int(operands.offsets[r, c])
        total = 0
        for i in range(3):
            for j in range(3):
                where = (call.stride * r + s * (i - 1), call.stride * c + s * (j - 1))
                values = pixels.get(where, [-128] * call.in_channels)
                if call.full:
                    weights = layer.weights[k, :, i, j].tolist()
                    total += sum(w * v for w, v in zip(weights, values, strict=True))
                else:
                    total += int(layer.weights[k, i, j]) * (values[k] if where in pixels else -128)
        out[r, c, k] = byte(total, int(layer.scale[k]), int(layer.bias[k]))
    return out


CALLS = {
    "both": DeformCall(height=5, width=7, in_channels=3, out_channels=17),
    "deform": DeformCall(height=9, width=8, in_channels=4, out_channels=5, deform=True),
    "stride": DeformCall(height=9, width=6, in_channels=5, out_channels=3, stride=2),
    "deform stride": DeformCall(
        height=8, width=9, in_channels=2, out_channels=3, stride=2, deform=True
    ),
    "pointwise": DeformCall(height=3, width=4, in_channels=33, out_channels=9, depthwise=False),
    "depthwise": DeformCall(
        height=4, width=3, in_channels=6, out_channels=6, pointwise=False, relu3=False
    ),
    "full": DeformCall(
        height=7,
        width=5,
        in_channels=3,
        out_channels=4,
        pointwise=False,
        full=True,
        stride=2,
        deform=True,
    ),
    "one pixel": DeformCall(height=1, width=1, in_channels=1, out_channels=1, deform=True),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize("seed", range(3))
def test_a_call_equals_the_same_sums_pixel_by_pixel(call: DeformCall, seed: int) -> None:
    operands = random_call_operands(call, bound=7, rng=np.random.default_rng(seed))
    np.testing.assert_array_equal(
        run_call(call, operands, config=ENGINE), slow_call(call, operands)
    )


def test_random_operands_spread_over_the_range_of_a_byte() -> None:
    call = DeformCall(height=24, width=24, in_channels=64, out_channels=32, deform=True)
    out = run_call(
        call, random_call_operands(call, bound=7, rng=np.random.default_rng(1)), config=ENGINE
    )
    assert np.mean((out > -128) & (out < 127)) > 0.9
    assert np.unique(out).size > 200


@pytest.mark.parametrize("stride", [1, 2])
def test_an_offset_of_one_is_a_plain_integer_convolution(stride: int) -> None:
    """Against sums of shifted, padded maps, as any convolution is computed."""
    call = DeformCall(
        height=11,
        width=10,
        in_channels=12,
        out_channels=12,
        pointwise=False,
        deform=True,
        stride=stride,  # type: ignore[arg-type]
    )
    operands = random_call_operands(call, bound=7, rng=np.random.default_rng(2))
    offsets = np.ones((call.out_height, call.out_width), dtype=np.uint8)
    layer = operands.depthwise
    assert layer is not None
    padded = np.pad(operands.image.astype(int), ((1, 1), (1, 1), (0, 0)), constant_values=-128)
    total = sum(
        padded[i : i + 11, j : j + 10] * layer.weights[:, i, j].astype(int)
        for i in range(3)
        for j in range(3)
    )
    q = np.floor_divide(total * layer.scale.astype(int) + 32768, 65536) + layer.bias
    expected = np.clip(q - 128, -128, 127)[::stride, ::stride]
    deformed = run_call(call, replace(operands, offsets=offsets), config=ENGINE)
    np.testing.assert_array_equal(deformed, expected)
    plain = run_call(replace(call, deform=False), replace(operands, offsets=None), config=ENGINE)
    np.testing.assert_array_equal(plain, expected)


def test_an_offset_of_zero_reads_the_centre_nine_times() -> None:
    call = DeformCall(
        height=4, width=5, in_channels=3, out_channels=3, pointwise=False, deform=True
    )
    operands = random_call_operands(call, bound=7, rng=np.random.default_rng(3))
    layer = operands.depthwise
    assert layer is not None
    operands = replace(operands, offsets=np.zeros((4, 5), dtype=np.uint8))
    total = operands.image.astype(int) * layer.weights.sum(axis=(1, 2), dtype=int)
    q = np.floor_divide(total * layer.scale.astype(int) + 32768, 65536) + layer.bias
    np.testing.assert_array_equal(
        run_call(call, operands, config=ENGINE), np.clip(q - 128, -128, 127)
    )


@pytest.mark.parametrize("relu", [False, True])
def test_relu_changes_nothing_that_the_clamp_does_not(relu: bool) -> None:
    call = DeformCall(height=6, width=6, in_channels=8, out_channels=8, relu1=False, relu3=False)
    operands = random_call_operands(call, bound=7, rng=np.random.default_rng(4))
    out = run_call(replace(call, relu1=relu, relu3=relu), operands, config=ENGINE)
    assert (out == -128).any()
    np.testing.assert_array_equal(out, slow_call(call, operands))


DEEP = DeformCall(height=24, width=20, in_channels=4, out_channels=4, pointwise=False, deform=True)


def public_and_exact(s: int) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    operands = random_call_operands(DEEP, bound=7, rng=np.random.default_rng(5))
    operands = replace(operands, offsets=np.full((24, 20), s, dtype=np.uint8))
    public = run_call(DEEP, operands, config=replace(ENGINE, lead="public"))
    exact = run_call(DEEP, operands, config=ENGINE)
    np.testing.assert_array_equal(exact, slow_call(DEEP, operands))
    return public, exact


@pytest.mark.parametrize("s", range(7))
def test_the_public_line_buffer_is_exact_below_its_bound(s: int) -> None:
    public, exact = public_and_exact(s)
    np.testing.assert_array_equal(public, exact)


def test_the_public_line_buffer_fails_at_its_bound() -> None:
    """Where row r - 7 is in the image and row r + 8 has come: rows 7 to 15 of 24."""
    public, exact = public_and_exact(7)
    wrong = (public != exact).any(axis=2)
    assert wrong[7:16].mean() > 0.9
    assert not wrong[:7].any()
    assert not wrong[16:].any()


def test_the_public_line_buffer_spoils_what_is_left_of_the_centre() -> None:
    """One tap at a time: only those of row r - 7 at columns c - 7 and c return row r + 8."""
    image = np.arange(24 * 20, dtype=np.int64).reshape(24, 20, 1) % 251 - 128
    image = image.astype(np.int8)

    offsets = np.full((24, 20), 7, dtype=np.uint8)
    taps = public_square_windows(image, offsets, bound=7)[..., 0]
    right = square_windows(image, offsets)[..., 0]
    for tap in range(9):
        expected = right[tap].copy()
        if tap in (0, 1):
            reach = 7 if tap == 0 else 0
            expected[7:16, reach:] = image[15:24, : 20 - reach, 0]
        np.testing.assert_array_equal(taps[tap], expected)


def changed(**fields: object) -> CallOperands:
    call = CALLS["deform"]
    operands = random_call_operands(call, bound=7, rng=np.random.default_rng(6))
    return replace(operands, **fields)  # type: ignore[arg-type]


def test_an_offset_beyond_the_bound_is_refused() -> None:
    offsets = np.zeros((9, 8), dtype=np.uint8)
    offsets[4, 2] = 8
    with pytest.raises(
        ConfigError,
        match=r"^offsets\[4, 2\] = 8 must be from 0 to the engine's bound of 7; clamp the offsets, "
        r"or use an engine with a larger bound$",
    ):
        run_call(CALLS["deform"], changed(offsets=offsets), config=ENGINE)
    run_call(CALLS["deform"], changed(offsets=offsets), config=replace(ENGINE, bound=8))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"offsets": None},
            "offsets are missing; a call with deform needs them; give them",
        ),
        (
            {"depthwise": None},
            "depthwise operands are missing; a call with depthwise needs them; give them",
        ),
        (
            {"image": np.zeros((9, 8, 5), dtype=np.int8)},
            r"image is int8 of shape \(9, 8, 5\); it must be int8 of shape \(9, 8, 4\); change it",
        ),
        (
            {"offsets": np.zeros((9, 8), dtype=np.float64)},
            r"offsets is float64 of shape \(9, 8\); it must be uint8 of shape \(9, 8\); change it",
        ),
    ],
)
def test_operands_that_are_not_the_calls_are_refused(
    fields: dict[str, object], message: str
) -> None:
    with pytest.raises(ShapeError, match=f"^{message}$"):
        run_call(CALLS["deform"], changed(**fields), config=ENGINE)


def test_operands_that_a_call_does_not_take_are_refused() -> None:
    with pytest.raises(
        ShapeError,
        match="^offsets are given; a call without deform takes none; leave them out$",
    ):
        run_call(replace(CALLS["deform"], deform=False), changed(), config=ENGINE)


def test_weights_beyond_four_bits_are_refused() -> None:
    layer = changed().pointwise
    assert layer is not None
    weights = layer.weights.copy()
    weights[0, 0], weights[1, 1] = 8, -8
    with pytest.raises(
        ShapeError,
        match=r"^pointwise weights go from -8 to 8; they must be from -8 to 7 to fit 4 bits; "
        r"quantise them$",
    ):
        run_call(CALLS["deform"], changed(pointwise=replace(layer, weights=weights)), config=ENGINE)
