"""models/deform/deform_conv.py."""

import warnings
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from dovetail.errors import ShapeError, TraceError
from dovetail.models.deform.deform_conv import bilinear, deform_conv, output_size


def onnx_deform_conv(
    x: NDArray[np.float64],
    weights: NDArray[np.float64],
    offsets: NDArray[np.float64],
    *,
    groups: int,
    offset_groups: int,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
) -> NDArray[np.float64]:
    node = helper.make_node(
        "DeformConv",
        ["x", "w", "o"],
        ["y"],
        group=groups,
        offset_group=offset_groups,
        strides=stride,
        pads=(*padding, *padding),
        dilations=dilation,
        kernel_shape=weights.shape[2:],
    )
    values = [helper.make_tensor_value_info(n, TensorProto.DOUBLE, None) for n in "xwoy"]
    graph = helper.make_graph([node], "one", values[:3], values[3:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)])
    y: NDArray[np.float64]
    (y,) = ReferenceEvaluator(model).run(None, {"x": x, "w": weights, "o": offsets})
    return y


@st.composite
def convolutions(draw: st.DrawFn) -> dict[str, object]:
    """Operands and attributes; offsets reach twice the image's size beyond its border."""
    groups, offset_groups = draw(st.sampled_from([(1, 1), (2, 1), (1, 2), (2, 4), (4, 2)]))
    channels = 4
    kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    attributes = {
        name: (draw(st.integers(least, most)), draw(st.integers(least, most)))
        for name, least, most in (("stride", 1, 2), ("padding", 0, 3), ("dilation", 1, 2))
    }
    # The reference divides by the size less one, so a side of one pixel is beyond it.
    size = (draw(st.integers(5, 7)), draw(st.integers(5, 7)))
    out = output_size(size, kernel, **attributes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    reach = draw(st.sampled_from([0.5, 3.0, 20.0]))
    shape = (1, 2 * offset_groups * kernel[0] * kernel[1], *out)
    offsets = rng.uniform(-reach, reach, shape)
    whole = rng.random(shape) < 0.3  # places exactly on a pixel, or exactly on the border
    return {
        "x": rng.standard_normal((1, channels, *size)),
        "weights": rng.standard_normal((4, channels // groups, *kernel)),
        "offsets": np.where(whole, np.round(offsets), offsets),
        "groups": groups,
        "offset_groups": offset_groups,
        **attributes,
    }


@settings(max_examples=25)
@given(case=convolutions())
def test_it_equals_the_reference_of_onnx(case: dict[str, object]) -> None:
    expected = onnx_deform_conv(**case)  # type: ignore[arg-type]
    got = deform_conv(**case)  # type: ignore[arg-type]
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)


def test_images_of_a_batch_have_offsets_of_their_own() -> None:
    rng = np.random.default_rng(1)
    x, offsets = rng.standard_normal((2, 2, 5, 6)), rng.uniform(-2, 2, (2, 18, 3, 4))
    weights = rng.standard_normal((3, 2, 3, 3))
    both = deform_conv(x, weights, offsets)
    for image in range(2):
        one = slice(image, image + 1)
        np.testing.assert_array_equal(both[one], deform_conv(x[one], weights, offsets[one]))


@pytest.mark.parametrize("stride", [1, 2])
def test_whole_offsets_pick_pixels(stride: int) -> None:
    """Offsets that move every tap by (1, -2): a plain convolution of the moved image."""
    rng = np.random.default_rng(2)
    x = np.zeros((1, 2, 12, 12))
    x[:, :, 4:8, 4:8] = rng.standard_normal((1, 2, 4, 4))
    weights = rng.standard_normal((3, 2, 3, 3))
    out = output_size((12, 12), (3, 3), stride=(stride,) * 2, padding=(1, 1), dilation=(1, 1))
    offsets = np.zeros((1, 18, *out))
    offsets[:, 0::2], offsets[:, 1::2] = 1, -2
    moved = np.roll(x, (-1, 2), axis=(2, 3))
    padded = np.pad(moved, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    plain = np.einsum("nchwij,ocij->nohw", windows, weights)[:, :, ::stride, ::stride]
    got = deform_conv(x, weights, offsets, stride=(stride,) * 2, padding=(1, 1))
    np.testing.assert_allclose(got, plain, atol=1e-12)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (-1.0, 0.0),
        (-0.75, 0.25 * 2),
        (0.0, 2.0),
        (1.0, 4.0),
        (1.5, 0.5 * 4),
        (2.0, 0.0),
        (1e300, 0.0),
        (-1e300, 0.0),
    ],
)
def test_a_sample_fades_over_the_pixel_beyond_the_border(place: float, value: float) -> None:
    column = np.array([[[2.0], [4.0]]])
    got = bilinear(column, np.array([place]), np.array([0.0]))
    np.testing.assert_allclose(got, [[value]])


def test_a_single_row_which_the_reference_of_onnx_cannot_take() -> None:
    x = np.arange(1.0, 4.0).reshape(1, 1, 1, 3)
    weights, offsets = np.ones((1, 1, 1, 1)), np.zeros((1, 2, 1, 3))
    offsets[0, 1] = 0.5
    np.testing.assert_allclose(deform_conv(x, weights, offsets)[0, 0, 0], [1.5, 2.5, 1.5])
    with warnings.catch_warnings(), pytest.raises(ValueError, match="NaN"):
        warnings.simplefilter("ignore", RuntimeWarning)
        onnx_deform_conv(
            x,
            weights,
            offsets,
            groups=1,
            offset_groups=1,
            stride=(1, 1),
            padding=(0, 0),
            dilation=(1, 1),
        )


def refusals() -> Iterator[tuple[dict[str, object], type[Exception], str]]:
    fine: dict[str, object] = {
        "x": np.zeros((1, 4, 5, 5)),
        "weights": np.zeros((2, 4, 3, 3)),
        "offsets": np.zeros((1, 18, 3, 3)),
    }
    bad = np.zeros((1, 18, 3, 3))
    bad[0, 3, 1, 2] = np.nan
    yield (
        fine | {"offsets": bad},
        TraceError,
        r"offsets\[0, 3, 1, 2\] = nan; every offset must be a finite number, so correct what made "
        r"it",
    )
    yield (
        fine | {"offsets": np.zeros((1, 9, 3, 3))},
        ShapeError,
        r"offsets have shape \(1, 9, 3, 3\); they must be \(1, 18, 3, 3\)",
    )
    yield (
        fine | {"groups": 3},
        ShapeError,
        r"x has 4 channels and weights the shape \(2, 4, 3, 3\); with groups=3 weights must be "
        r"\(a multiple of 3, channels / 3, ...\)",
    )
    yield (
        fine | {"offset_groups": 3},
        ShapeError,
        "offset_groups=3 must divide the 4 channels; change it",
    )
    yield (
        fine | {"dilation": (3, 3)},
        ShapeError,
        "the output would be -1 x -1; the kernel must fit the padded image, so use more padding "
        "or less dilation",
    )


@pytest.mark.parametrize(("case", "error", "message"), list(refusals()))
def test_what_does_not_fit_is_refused(
    case: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{message}$"):
        deform_conv(**case)  # type: ignore[arg-type]
