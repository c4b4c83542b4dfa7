"""The M3ViT encoder in floating point: the network as published."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dovetail.errors import ShapeError
from dovetail.models.gelu import gelu
from dovetail.models.m3vit.config import CHANNELS, PATCH, M3vitConfig
from dovetail.models.m3vit.gate import route, softmax, task_embedding
from dovetail.models.m3vit.image import Pixels
from dovetail.models.m3vit.routing import Routing
from dovetail.models.m3vit.weights import Block, Linear, Matrix, Norm, Weights

NORM_EPSILON = 1e-6
PIXEL_SCALE = 256  # Edge-MoE's pixels are ufixed<8,0>: the byte is a fraction


@dataclass(frozen=True, kw_only=True, eq=False)
class EncoderResult:
    """What one forward pass gives.

    Attributes
    ----------
    hidden : tuple of arrays, shape (tokens, hidden)
        Token states after the embedding and after each block.
    routing : dict of int to Routing
        MoE block to the experts of each token.
    """

    hidden: tuple[Matrix, ...]
    routing: dict[int, Routing]

    @property
    def output(self) -> Matrix:
        """After the last block, where Edge-MoE's test bench compares."""
        return self.hidden[-1]


def patches(image: Pixels, config: M3vitConfig) -> NDArray[np.int64]:
    """Cut an image into rows of one patch each, values in the order channel, row, column.

    Parameters
    ----------
    image : uint8, shape (height, width, 3)

    Returns
    -------
    int64, shape (patches, 768)
    """
    data = config.dataset
    shape = (data.height, data.width, CHANNELS)
    if image.shape != shape or image.dtype != np.uint8:
        raise ShapeError(
            f"image is {image.dtype} of shape {image.shape}; {config.name} on {data.name} takes "
            f"uint8 of shape {shape}: resample it"
        )
    cells = image.reshape(data.height // PATCH, PATCH, data.width // PATCH, PATCH, CHANNELS)
    return cells.transpose(0, 2, 4, 1, 3).reshape(data.patches, -1).astype(np.int64)


def encode(
    config: M3vitConfig, weights: Weights, image: Pixels, *, task: str | None = None
) -> EncoderResult:
    """Run the encoder on one image for one task.

    Parameters
    ----------
    config : M3vitConfig
    weights : Weights
    image : uint8, shape (height, width, 3)
    task : str or None
        Task whose gates are used; the data set's first where None.
    """
    which = config.task(task)
    pixels = patches(image, config).astype(np.float32) / np.float32(PIXEL_SCALE)
    x = np.concatenate([weights.class_token[None], linear(pixels, weights.patch)])
    x = x + weights.positions
    hidden, routing = [x], {}
    embedding = task_embedding(weights.task_embedding, which) if weights.task_embedding else None
    for layer, block in enumerate(weights.blocks):
        x = x + _attention(layer_norm(x, block.norm1), block, config.heads)
        y = layer_norm(x, block.norm2)
        if block.experts:
            chosen = _route(y, block, config, which, embedding)
            routing[layer] = chosen
            x = x + mixture(y, block, chosen)
        else:
            x = x + feed_forward(y, block.mlp[0], block.mlp[1])
        hidden.append(x)
    return EncoderResult(hidden=tuple(hidden), routing=routing)


def linear(x: Matrix, layer: Linear) -> Matrix:
    """``x w^T + b``."""
    result: Matrix = x @ layer.weight.T + layer.bias
    return result


def layer_norm(x: Matrix, norm: Norm) -> Matrix:
    """Normalise each row to mean 0 and variance 1, scale and shift it."""
    centred = x - x.mean(axis=1, keepdims=True)
    variance = np.square(centred).mean(axis=1, keepdims=True)
    result: Matrix = centred / np.sqrt(variance + np.float32(NORM_EPSILON)) * norm.gamma + norm.beta
    return result


def feed_forward(x: Matrix, first: Linear, second: Linear) -> Matrix:
    """A dense MLP, or one expert."""
    return linear(gelu(linear(x, first)), second)


def mixture(x: Matrix, block: Block, chosen: Routing) -> Matrix:
    """Sum of the chosen experts, weighted by score, expert by expert in ascending order."""
    result = np.zeros_like(x)
    for expert in chosen.metaqueue:
        tokens, scores = chosen.queue(expert)
        result[tokens] += scores[:, None] * feed_forward(x[tokens], *block.experts[expert])
    return result


def _route(
    x: Matrix, block: Block, config: M3vitConfig, task: int, embedding: Matrix | None
) -> Routing:
    if embedding is None:
        return route(x, block.gates[task], config.top_k)
    beside = np.broadcast_to(embedding, (len(x), len(embedding)))
    return route(np.concatenate([x, beside], axis=1), block.gates[0], config.top_k)


def _attention(x: Matrix, block: Block, heads: int) -> Matrix:
    """Multi-head attention of all tokens, output projection included."""
    tokens, width = x.shape
    q, k, v = (
        linear(x, layer).reshape(tokens, heads, -1).transpose(1, 0, 2)
        for layer in (block.query, block.key, block.value)
    )
    scores = q @ k.transpose(0, 2, 1) / np.float32(math.sqrt(width // heads))
    context = (softmax(scores) @ v).transpose(1, 0, 2).reshape(tokens, width)
    return linear(context, block.output)
