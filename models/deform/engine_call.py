"""Reference of one engine call: 1x1 convolution, requantiser, 3x3 depthwise, requantiser.

Products are taken of the bytes as they are stored, q - 128, so a sum is ``sum q w - 128 sum w``;
padding is stored as -128 too, which keeps the second term a constant of the output channel.  Who
makes the biases takes it away there.

Source: arXiv 2006.08357, section 4.2, and github.com/hqjenny/CoDeNet, ``hls/top``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.deform import TAPS, WEIGHT_BITS, DeformEngineConfig
from dovetail.arch.deform_call import DeformCall
from dovetail.errors import ConfigError, ShapeError
from dovetail.models.deform.public_line_buffer import public_square_windows
from dovetail.models.deform.requantise import requantise
from dovetail.models.deform.windows import square_windows

Windows = Callable[..., NDArray[np.int8]]


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerOperands:
    """Weights of a convolution and its requantiser.

    Attributes
    ----------
    weights : int8
        Shape (out_channels, in_channels) of the 1x1 convolution, (out_channels, 3, 3) of the 3x3
        depthwise one, (out_channels, in_channels, 3, 3) of a full one; each -8 to 7.
    scale, bias : int16, shape (out_channels,)
    """

    weights: NDArray[np.int8]
    scale: NDArray[np.int16]
    bias: NDArray[np.int16]


@dataclass(frozen=True, kw_only=True, eq=False)
class CallOperands:
    """Data of one call; channels as the network has them, without padding.

    Attributes
    ----------
    image : int8, shape (height, width, in_channels)
        Activations as they are stored, q - 128.
    pointwise, depthwise : LayerOperands or None
        Of the convolutions that the call runs.
    offsets : uint8, shape (out_height, out_width), or None
        Square offset of each output pixel, 0 to N; of a call with ``deform``.
    """

    image: NDArray[np.int8]
    pointwise: LayerOperands | None = None
    depthwise: LayerOperands | None = None
    offsets: NDArray[np.uint8] | None = None


def run_call(
    call: DeformCall, operands: CallOperands, *, config: DeformEngineConfig
) -> NDArray[np.int8]:
    """Compute what the engine writes, without the padded channels.

    Parameters
    ----------
    call : DeformCall
    operands : CallOperands
    config : DeformEngineConfig
        Its ``bound`` limits the offsets; its ``lead`` chooses the line buffer.

    Returns
    -------
    int8, shape (out_height, out_width, out_channels)

    Raises
    ------
    ShapeError
        Where an operand is missing, superfluous, or not of its shape, type or range.
    ConfigError
        Where an offset is larger than the engine's bound.
    """
    check_operands(call, operands, bound=config.bound)
    windows: Windows = square_windows
    if config.lead == "public":
        windows = partial(public_square_windows, bound=config.bound)
    values = operands.image.copy()
    if operands.pointwise is not None:
        layer = operands.pointwise
        sums = values.astype(np.int64) @ layer.weights.astype(np.int64).T
        values = requantise(sums, layer.scale, layer.bias, relu=call.relu1)
    if operands.depthwise is not None:
        layer = operands.depthwise
        offsets = operands.offsets
        if offsets is None:
            offsets = np.ones((call.out_height, call.out_width), dtype=np.uint8)
        taps = windows(values, offsets, stride=call.stride).astype(np.int64)
        if call.full:
            weights = layer.weights.reshape(*layer.weights.shape[:2], TAPS).astype(np.int64)
            sums = np.einsum("tyxi,oit->yxo", taps, weights, optimize=True)
        else:
            weights = layer.weights.reshape(-1, TAPS).astype(np.int64)
            sums = np.einsum("tyxc,ct->yxc", taps, weights)
        values = requantise(sums, layer.scale, layer.bias, relu=call.relu3)
    return values


def check_operands(call: DeformCall, operands: CallOperands, *, bound: int) -> None:
    """Raise where ``operands`` are not those of ``call``; see :func:`run_call`."""
    _check_array(operands.image, "image", np.int8, (call.height, call.width, call.in_channels))
    window = (call.in_channels, 3, 3) if call.full else (3, 3)
    for name, layer, shape in (
        ("pointwise", operands.pointwise, (call.out_channels, call.in_channels)),
        ("depthwise", operands.depthwise, (call.out_channels, *window)),
    ):
        _check_presence(f"{name} operands", layer is not None, name, getattr(call, name))
        if layer is not None:
            _check_array(layer.weights, f"{name} weights", np.int8, shape)
            _check_array(layer.scale, f"{name} scale", np.int16, shape[:1])
            _check_array(layer.bias, f"{name} bias", np.int16, shape[:1])
            _check_weight_range(layer.weights, name)
    offsets = operands.offsets
    _check_presence("offsets", offsets is not None, "deform", call.deform)
    if offsets is not None:
        _check_array(offsets, "offsets", np.uint8, (call.out_height, call.out_width))
        if offsets.max() > bound:
            row, column = np.unravel_index(offsets.argmax(), offsets.shape)
            raise ConfigError(
                f"offsets[{row}, {column}] = {offsets.max()} must be from 0 to the engine's bound "
                f"of {bound}; clamp the offsets, or use an engine with a larger bound"
            )


def _check_presence(what: str, given: bool, flag: str, wanted: bool) -> None:
    if wanted and not given:
        raise ShapeError(f"{what} are missing; a call with {flag} needs them; give them")
    if given and not wanted:
        raise ShapeError(f"{what} are given; a call without {flag} takes none; leave them out")


def _check_array(
    array: NDArray[np.generic], name: str, dtype: type[np.generic], shape: tuple[int, ...]
) -> None:
    if array.dtype != dtype or array.shape != shape:
        raise ShapeError(
            f"{name} is {array.dtype} of shape {array.shape}; it must be "
            f"{np.dtype(dtype)} of shape {shape}; change it"
        )


def _check_weight_range(weights: NDArray[np.int8], name: str) -> None:
    low, high = -(1 << (WEIGHT_BITS - 1)), (1 << (WEIGHT_BITS - 1)) - 1
    if weights.min() < low or weights.max() > high:
        raise ShapeError(
            f"{name} weights go from {weights.min()} to {weights.max()}; they must be from {low} "
            f"to {high} to fit {WEIGHT_BITS} bits; quantise them"
        )
