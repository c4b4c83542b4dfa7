"""How operands and results of a GEMM lie in DRAM, beat by beat, little end first.

Every block of ``rows`` activation rows or ``cols`` output channels is contiguous and starts a new
scratchpad row; within it follow the k (for scales, the groups), one slice each.  A slice of weights
is one nibble of ``cols`` channels, of which an INT8 weight takes two, its low nibbles and then its
high ones; FP16 weights are a slice each.  Rows, columns and k beyond the GEMM are zero.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.engine import OUTPUT_BITS, SCALE_BITS, GemmEngineConfig, SpadShape
from dovetail.arch.gemm import Descriptor
from dovetail.models.mpgemm import GemmOperands

Word = TypeVar("Word", np.uint8, np.uint16)


def pack_operands(
    operands: GemmOperands, config: GemmEngineConfig, descriptor: Descriptor
) -> NDArray[np.uint8]:
    """DRAM image of all operands, from beat 0 to ``output_address``.

    Returns
    -------
    uint8, shape (output_address * port_bits / 8,)
    """
    spec = config.spec
    activations = _blocks(_bits(operands.activations), config.rows, config.rows_padded)
    weights = _blocks(_bits(operands.weights), config.cols, config.cols_padded)
    if spec.slice_bits == 4:
        planes = [weights & 15] + ([weights >> 4] if descriptor.unscaled else [])
        weights = np.stack(planes, axis=2).reshape(weights.shape[0], -1, config.cols_padded)
    parts = [
        _to_rows(
            _to_bytes(activations, spec.activation_bits),
            config.activation,
            descriptor.activation_block_beats,
        ),
        _to_rows(_to_bytes(weights, spec.slice_bits), config.weight, descriptor.weight_block_beats),
    ]
    if operands.scale is not None and operands.zero is not None:
        lane = (operands.scale | operands.zero << SCALE_BITS).astype(np.uint16)
        lanes = _blocks(lane, config.cols, config.cols_padded)
        parts.append(_to_rows(_to_bytes(lanes, 16), config.scale, descriptor.scale_block_beats))
    return np.concatenate(parts)


def output_beats(descriptor: Descriptor) -> int:
    """Beats that the results take from ``output_address`` on."""
    return descriptor.m_blocks * descriptor.n_blocks * descriptor.output_tile_beats


def output_bytes(config: GemmEngineConfig, descriptor: Descriptor) -> NDArray[np.int64]:
    """Byte of the low half of each result within the results' beats.

    Returns
    -------
    int64, shape (m, n)
    """
    rows, cols = config.rows, config.cols
    m = np.arange((descriptor.m_blocks - 1) * rows + descriptor.rows_last)[:, None]
    n = np.arange((descriptor.n_blocks - 1) * cols + descriptor.cols_last)[None, :]
    tile = (n // cols) * descriptor.m_blocks + m // rows
    lane = (m % rows) * config.cols_padded + n % cols
    return tile * descriptor.output_tile_beats * (config.port_bits // 8) + lane * (OUTPUT_BITS // 8)


def unpack_outputs(
    image: NDArray[np.uint8], config: GemmEngineConfig, descriptor: Descriptor
) -> NDArray[np.int16]:
    """Results from the beats that the engine wrote: int16 of shape (m, n)."""
    at = output_bytes(config, descriptor)
    return (image[at] | image[at + 1].astype(np.uint16) << 8).astype(np.uint16).view(np.int16)


def _bits(matrix: NDArray[Any]) -> NDArray[Any]:
    """Bit patterns of operands: bytes or halfwords, of integers or floating point."""
    return matrix.view(f"u{matrix.itemsize}")


def _to_bytes(lanes: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Bytes of lanes of 4, 8 or 16 bits; two nibbles of a slice share a byte."""
    if bits == 4:
        nibbles = lanes & 15
        return (nibbles[:, :, 0::2] | nibbles[:, :, 1::2] << 4).astype(np.uint8)
    return lanes.astype(f"<u{bits // 8}").view(np.uint8)


def _blocks(matrix: NDArray[Word], block: int, padded: int) -> NDArray[Word]:
    """Cut rows into blocks and turn each: (rows, k) to (blocks, k, padded), zeros beyond."""
    rows, k = matrix.shape
    count = -(-rows // block)
    filled = np.zeros((count * block, k), dtype=matrix.dtype)
    filled[:rows] = matrix
    turned = np.zeros((count, k, padded), dtype=matrix.dtype)
    turned[:, :, :block] = filled.reshape(count, block, k).transpose(0, 2, 1)
    return turned


def _to_rows(slices: NDArray[np.uint8], spad: SpadShape, block_beats: int) -> NDArray[np.uint8]:
    """Lay the slices of each block one after the other and fill its last scratchpad row."""
    blocks = slices.shape[0]
    image = np.zeros((blocks, block_beats * spad.beat_bits // 8), dtype=np.uint8)
    data = slices.reshape(blocks, -1)
    image[:, : data.shape[1]] = data
    return image.reshape(-1)
