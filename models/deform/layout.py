"""How operands and results of an engine call lie in DRAM, beat by beat, little end first.

Maps are NHWC with ``lanes`` channels, a byte each, in a beat.  What a call reads lies one section
after the other in the order of :data:`dovetail.arch.deform.SECTIONS`.  Channels beyond the call's
are zero activations (-128) and zero weights, scales and biases, so whatever is computed for them is
-128 again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.deform import TAPS, ZERO, DeformEngineConfig
from dovetail.arch.deform_call import DeformCall
from dovetail.models.deform.engine_call import CallOperands, LayerOperands


def pack_operands(
    call: DeformCall, operands: CallOperands, config: DeformEngineConfig
) -> NDArray[np.uint8]:
    """DRAM image of all that ``call`` reads.

    Returns
    -------
    uint8, shape (beats * lanes,)
        Up to the descriptor's ``output_address``.
    """
    lanes = config.lanes
    channels = call.out_groups(lanes) * lanes
    parts = []
    if operands.pointwise is not None:
        parts.append(_pointwise_weights(operands.pointwise.weights, lanes))
        parts.append(_quant(operands.pointwise, channels, lanes))
    if operands.depthwise is not None:
        pack = _full_weights if call.full else _depthwise_weights
        parts.append(pack(operands.depthwise.weights, channels, lanes))
        parts.append(_quant(operands.depthwise, channels, lanes))
    if operands.offsets is not None:
        parts.append(_whole_beats(operands.offsets.reshape(-1), lanes))
    parts.append(pack_map(operands.image, lanes).reshape(-1))
    return np.concatenate(parts)


def pack_map(image: NDArray[np.int8], lanes: int) -> NDArray[np.uint8]:
    """A feature map as beats.

    Parameters
    ----------
    image : int8, shape (height, width, channels)
    lanes : int

    Returns
    -------
    uint8, shape (height * width * groups, lanes)
    """
    extra = -image.shape[2] % lanes
    padded = np.pad(image, ((0, 0), (0, 0), (0, extra)), constant_values=ZERO)
    return np.ascontiguousarray(padded).view(np.uint8).reshape(-1, lanes)


def unpack_map(
    beats: NDArray[np.uint8], *, height: int, width: int, channels: int
) -> NDArray[np.int8]:
    """The inverse of :func:`pack_map`, without the padded channels.

    Parameters
    ----------
    beats : uint8, any shape, of whole pixels

    Returns
    -------
    int8, shape (height, width, channels)
    """
    image = np.ascontiguousarray(beats).view(np.int8).reshape(height, width, -1)
    return image[:, :, :channels]


def _pointwise_weights(weights: NDArray[np.int8], lanes: int) -> NDArray[np.uint8]:
    """Words of one output and one input group, input groups first; output lanes slowest within."""
    out_channels, in_channels = weights.shape
    padded = np.pad(weights, ((0, -out_channels % lanes), (0, -in_channels % lanes)))
    groups = padded.reshape(padded.shape[0] // lanes, lanes, -1, lanes)
    return _nibbles(groups.transpose(0, 2, 1, 3).reshape(-1))


def _depthwise_weights(weights: NDArray[np.int8], channels: int, lanes: int) -> NDArray[np.uint8]:
    """A word of whole beats for each group of channels; taps slowest within."""
    padded = np.pad(weights.reshape(-1, TAPS), ((0, channels - weights.shape[0]), (0, 0)))
    groups = padded.reshape(-1, lanes, TAPS).transpose(0, 2, 1).reshape(channels // lanes, -1)
    return np.concatenate([_whole_beats(_nibbles(group), lanes) for group in groups])


def _full_weights(weights: NDArray[np.int8], channels: int, lanes: int) -> NDArray[np.uint8]:
    """Words as of the 1x1 convolution; in each output lane the taps, input lanes fastest."""
    inputs = weights.shape[1]
    extra = ((0, channels - weights.shape[0]), (0, -inputs % lanes), (0, 0))
    padded = np.pad(weights.reshape(*weights.shape[:2], TAPS), extra)
    groups = padded.reshape(channels // lanes, lanes, -1, lanes, TAPS)
    return _nibbles(groups.transpose(0, 2, 1, 4, 3).reshape(-1))


def _quant(layer: LayerOperands, channels: int, lanes: int) -> NDArray[np.uint8]:
    """For each group of channels ``lanes`` scales, then ``lanes`` biases."""
    both = np.stack([layer.scale, layer.bias])
    padded = np.pad(both, ((0, 0), (0, channels - both.shape[1])))
    groups = padded.reshape(2, -1, lanes).transpose(1, 0, 2)
    return groups.astype("<i2").reshape(-1).view(np.uint8)


def _nibbles(values: NDArray[np.int8]) -> NDArray[np.uint8]:
    pairs = (values & 15).astype(np.uint8).reshape(-1, 2)
    packed: NDArray[np.uint8] = (pairs[:, 0] | pairs[:, 1] * np.uint8(16)).astype(np.uint8)
    return packed


def _whole_beats(values: NDArray[np.uint8], lanes: int) -> NDArray[np.uint8]:
    return np.pad(values, (0, -values.size % lanes))
