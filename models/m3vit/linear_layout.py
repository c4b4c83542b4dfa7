"""How a linear layer's weights and biases, and a map's tokens, lie in DRAM for a chained engine."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.chained import ChainedEngineConfig
from dovetail.arch.descriptor import Descriptor, describe
from dovetail.arch.gemm import SMALLEST_TILE, Gemm
from dovetail.models.gemm_layout import pack_operands
from dovetail.models.m3vit.fixed import Integers
from dovetail.models.mpgemm import GemmOperands

__all__ = ["LayerImage", "layer_gemm", "pack_layer", "read_rows", "result_words"]

Words = NDArray[np.int32]


class LayerImage(NamedTuple):
    """Whole beats of a layer's weights, and of its biases, which may be none."""

    weights: NDArray[np.uint8]
    biases: NDArray[np.uint8]


def layer_gemm(rows: int, outputs: int, inputs: int, *, group: int, biased: bool = True) -> Gemm:
    """The GEMM of a layer on ``rows`` tokens."""
    return Gemm(
        m=rows,
        n=outputs,
        k=inputs,
        weight_format="int16_bias" if biased else "int16",
        group=group,
    )


def pack_layer(
    config: ChainedEngineConfig, weight: Integers, bias: Integers | None, *, group: int
) -> LayerImage:
    """A layer's operands, to lie at any two addresses.

    Parameters
    ----------
    config : ChainedEngineConfig
    weight : int64, shape (outputs, inputs)
    bias : int64, shape (outputs,), optional
    group : int
        Length of a group along the inputs; the bias comes with the first.
    """
    outputs, inputs = weight.shape
    gemm = layer_gemm(1, outputs, inputs, group=group, biased=bias is not None)
    operands = GemmOperands(
        activations=np.zeros((1, inputs), np.int32),
        weights=weight.astype(np.int16),
        scale=None,
        zero=None,
        group=group,
        bias=bias,
    )
    descriptor = describe(config, gemm, SMALLEST_TILE)
    image = pack_operands(operands, config, descriptor)
    beat_bytes = config.port_bits // 8
    weights = slice(descriptor.weight_address * beat_bytes, descriptor.scale_address * beat_bytes)
    return LayerImage(image[weights], image[descriptor.scale_address * beat_bytes :])


def read_rows(
    memory: NDArray[np.uint8], config: ChainedEngineConfig, descriptor: Descriptor
) -> Integers:
    """Activations that a GEMM of a chain reads, with what fills its last step: int64 (m, ...)."""
    beat_bytes = config.port_bits // 8
    row_bytes = descriptor.activation_block_beats * beat_bytes
    first = descriptor.activation_address * beat_bytes
    data = memory[first : first + descriptor.m_blocks * row_bytes]
    return data.view("<i4").reshape(descriptor.m_blocks, -1).astype(np.int64)


def result_words(results: Integers, config: ChainedEngineConfig) -> Words:
    """Rows of results as the engine writes them, each block of ``cols`` filled up with zeros.

    Parameters
    ----------
    results : int64, shape (m, n)
    config : ChainedEngineConfig

    Returns
    -------
    int32, shape (m, blocks * cols_padded)
    """
    rows, outputs = results.shape
    blocks = -(-outputs // config.cols)
    filled = np.zeros((rows, blocks * config.cols), np.int32)
    filled[:, :outputs] = results
    words = np.zeros((rows, blocks, config.cols_padded), np.int32)
    words[:, :, : config.cols] = filled.reshape(rows, blocks, config.cols)
    return words.reshape(rows, -1)
