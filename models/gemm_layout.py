"""How operands and results of a GEMM lie in DRAM, beat by beat, little end first.

Every block of ``rows`` activation rows or ``cols`` output channels is contiguous and starts a new
scratchpad row; within it follow the k (for scales, the groups), one slice each.  A slice of weights
is one nibble of ``cols`` channels, of which an INT8 weight takes two, its low nibbles and then its
high ones; FP16 weights are a slice each.  Rows, columns and k beyond the GEMM are zero.

Where an engine takes steps of ``lut_k`` k, a slice has those of one row or channel side by side,
filled up to a power of two; of bit-serial weights it has one bit of each, and a step has as many
slices as weights have bits, the lowest first.  For symmetric tables the low bits of a step's plane
come inverted where its highest bit is set; for full ones the highest plane comes inverted, which
makes two's complement of codes.  An engine that loads tables has those of each step instead
of its activations: all entries side by side; of 8-bit entries followed by 7 bits of exponent, a bit
that says not a number, and the first entry of the exact table in 24 bits.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.descriptor import Descriptor
from dovetail.arch.engine import SCALE_BITS, GemmEngineConfig
from dovetail.arch.number_formats import FP16
from dovetail.arch.spad import SpadShape, power_of_two
from dovetail.models.lut.mpgemm import activation_numbers
from dovetail.models.lut.tables import (
    fp16_tables,
    integer_tables,
    quantize_fp16_tables,
    quantize_integer_tables,
)
from dovetail.models.lut.weights import (
    bit_planes,
    bits_of_indices,
    check_codes,
    invert_beforehand,
    step_indices,
)
from dovetail.models.mpgemm import GemmOperands

Word = TypeVar("Word", np.uint8, np.uint16, np.uint32)


def pack_operands(
    operands: GemmOperands, config: GemmEngineConfig, descriptor: Descriptor
) -> NDArray[np.uint8]:
    """DRAM image of all operands, from beat 0 to ``output_address``.

    Returns
    -------
    uint8, shape (output_address * port_bits / 8,)
    """
    spec = config.spec
    if config.tables == "loaded":
        activations, a_bits = _tables(operands, config), 1
    else:
        activations = _by_step(_bits(operands.activations), config.lut_k)
        a_bits = spec.activation_bits
    a_slices = _to_bytes(_blocks(activations, config.rows, config.rows_padded), a_bits)
    weights = _weight_slices(operands, config, descriptor)
    w_slices = _to_bytes(_blocks(weights, config.cols, config.cols_padded), spec.slice_bits)
    parts = [
        _to_rows(a_slices, config.activation, descriptor.activation_block_beats),
        _to_rows(w_slices, config.weight, descriptor.weight_block_beats),
    ]
    lanes = _scale_lanes(operands)
    if lanes is not None:
        bits = config.scale_lane_bits
        lanes = lanes.astype(f"u{bits // 8}")[:, :, None]
        s_slices = _to_bytes(_blocks(lanes, config.cols, config.cols_padded), bits)
        parts.append(_to_rows(s_slices, config.scale, descriptor.scale_block_beats))
    return np.concatenate(parts)


def _scale_lanes(operands: GemmOperands) -> NDArray[np.int64] | None:
    """Each group's scale and zero point, or bias, in one number: (n, groups); None for neither."""
    if operands.bias is not None:
        lanes = np.zeros((len(operands.bias), operands.groups), dtype=np.int64)
        lanes[:, 0] = operands.bias
        return lanes
    if operands.scale is not None and operands.zero is not None:
        return operands.scale | operands.zero << SCALE_BITS
    return None


def _tables(operands: GemmOperands, config: GemmEngineConfig) -> NDArray[np.uint8]:
    """Tables of all steps, bit by bit: (m, steps, activation_step_bits)."""
    if config.spec.floating:
        bits = fp16_tables(activation_numbers(operands.activations), config.lut_k)
        tables = bits.astype(np.int64)
        quantize = quantize_fp16_tables(bits)
        exponent = quantize.exponent - FP16.least_exponent
    else:
        tables = integer_tables(operands.activations, config.lut_k)
        quantize = quantize_integer_tables(tables)
        exponent = quantize.exponent
    fields = [_bit_fields(tables, config.table_entry_bits)]
    if config.table == "int8":
        trailer = exponent | (~quantize.finite).astype(np.int64) << 7
        fields = [
            _bit_fields(quantize.entries.astype(np.int64), 8),
            _bit_fields(trailer[:, :, None], 8),
            _bit_fields(tables[:, :, :1], 24),
        ]
    image = np.concatenate(fields, axis=2)
    padding = config.activation_step_bits - image.shape[2]
    return np.pad(image, ((0, 0), (0, 0), (0, padding)))


def _bit_fields(values: NDArray[np.int64], bits: int) -> NDArray[np.uint8]:
    """Bits of each value, the lowest first: (m, steps, values) to (m, steps, values * bits)."""
    spread = values[:, :, :, None] >> np.arange(bits) & 1
    return spread.reshape(*values.shape[:2], -1).astype(np.uint8)


def _weight_slices(
    operands: GemmOperands, config: GemmEngineConfig, descriptor: Descriptor
) -> NDArray[Any]:
    """Weights cut into what the scratchpads address: (n, slices, lanes of ``slice_bits``)."""
    if config.spec.unit == "mac":
        return _by_step(_bits(operands.weights), config.lut_k)
    if not config.spec.bit_serial:
        weights = _bits(operands.weights)[:, :, None]
        if config.spec.slice_bits == 4:
            nibbles = [weights & 15] + ([weights >> 4] if descriptor.unscaled else [])
            weights = np.concatenate(nibbles, axis=2).reshape(len(weights), -1, 1)
        return weights
    planes = bit_planes(check_codes(operands.weights, descriptor.planes), descriptor.planes)
    if config.spec.unit == "full_table":
        planes[-1] ^= 1  # two's complement
    indices = step_indices(planes, config.lut_k)
    if config.spec.unit == "lookup":
        indices = invert_beforehand(indices, config.lut_k)
    # Of each step all its planes.
    slices = indices.transpose(1, 2, 0).reshape(len(operands.weights), -1)
    bits = bits_of_indices(slices, config.lut_k, slices.shape[1] * config.lut_k)
    return _by_step(bits, config.lut_k)


def output_beats(descriptor: Descriptor) -> int:
    """Beats that the results take from ``output_address`` on."""
    return descriptor.m_blocks * descriptor.n_blocks * descriptor.output_tile_beats


def output_bytes(config: GemmEngineConfig, descriptor: Descriptor) -> NDArray[np.int64]:
    """First byte of each result within the results' beats.

    Returns
    -------
    int64, shape (m, n)
    """
    rows, cols = config.rows, config.cols
    m = np.arange((descriptor.m_blocks - 1) * rows + descriptor.rows_last)[:, None]
    n = np.arange((descriptor.n_blocks - 1) * cols + descriptor.cols_last)[None, :]
    tile = (n // cols) * descriptor.m_blocks + m // rows
    lane = (m % rows) * config.cols_padded + n % cols
    bits = config.spec.output_bits
    return tile * descriptor.output_tile_beats * (config.port_bits // 8) + lane * (bits // 8)


def unpack_outputs(
    image: NDArray[np.uint8], config: GemmEngineConfig, descriptor: Descriptor
) -> NDArray[np.int16] | NDArray[np.int32]:
    """Results from the beats that the engine wrote: int16, or int32, of shape (m, n)."""
    at = output_bytes(config, descriptor)
    result_bytes = config.spec.output_bits // 8
    picked = image[at[:, :, None] + np.arange(result_bytes)]
    results: NDArray[np.int16] | NDArray[np.int32] = picked.view(f"<i{result_bytes}")[:, :, 0]
    return results


def _bits(matrix: NDArray[Any]) -> NDArray[Any]:
    """Bit patterns of operands: bytes or halfwords, of integers or floating point."""
    return matrix.view(f"u{matrix.itemsize}")


def _to_bytes(lanes: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Bytes of slices (blocks, slices, lanes) of 1, 4, 8, 16 or 32 bits, little end first."""
    if bits == 1:
        return np.packbits(lanes.astype(np.uint8), axis=2, bitorder="little")
    if bits == 4:
        nibbles = lanes & 15
        return (nibbles[:, :, 0::2] | nibbles[:, :, 1::2] << 4).astype(np.uint8)
    return lanes.astype(f"<u{bits // 8}").view(np.uint8)


def _by_step(matrix: NDArray[Word], lut_k: int) -> NDArray[Word]:
    """Cut k into steps, filled up with zeros to a power of two: (rows, k) to (rows, steps, ...)."""
    rows, k = matrix.shape
    steps = -(-k // lut_k)
    filled = np.zeros((rows, steps * lut_k), dtype=matrix.dtype)
    filled[:, :k] = matrix
    padded = np.zeros((rows, steps, power_of_two(lut_k)), dtype=matrix.dtype)
    padded[:, :, :lut_k] = filled.reshape(rows, steps, lut_k)
    return padded


def _blocks(matrix: NDArray[Word], block: int, padded: int) -> NDArray[Word]:
    """Cut rows into blocks and turn each, zeros beyond.

    Of (rows, slices, lanes) it makes (blocks, slices, padded * lanes), the lanes of a row together.
    """
    rows, slices, lanes = matrix.shape
    count = -(-rows // block)
    filled = np.zeros((count * block, slices, lanes), dtype=matrix.dtype)
    filled[:rows] = matrix
    turned = np.zeros((count, slices, padded, lanes), dtype=matrix.dtype)
    turned[:, :, :block] = filled.reshape(count, block, slices, lanes).transpose(0, 2, 1, 3)
    return turned.reshape(count, slices, padded * lanes)


def _to_rows(slices: NDArray[np.uint8], spad: SpadShape, block_beats: int) -> NDArray[np.uint8]:
    """Lay the slices of each block one after the other and fill its last scratchpad row."""
    blocks = slices.shape[0]
    image = np.zeros((blocks, block_beats * spad.beat_bits // 8), dtype=np.uint8)
    data = slices.reshape(blocks, -1)
    image[:, : data.shape[1]] = data
    return image.reshape(-1)
