"""The gate of an MoE layer: softmax over all experts, of which the best k are kept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dovetail.models.m3vit.routing import Routing
from dovetail.models.m3vit.weights import Linear, Matrix


def top_k_experts(logits: NDArray[np.generic], k: int) -> NDArray[np.int64]:
    """Indices of the ``k`` largest of each row, largest first; equal ones in ascending order.

    Parameters
    ----------
    logits : numbers, shape (tokens, experts)

    Returns
    -------
    int64, shape (tokens, k)
    """
    # A stable sort of the mirrored rows, read backwards, puts the lowest index first.
    order = np.argsort(logits[:, ::-1], axis=1, kind="stable")[:, ::-1]
    best: NDArray[np.int64] = logits.shape[1] - 1 - order[:, :k]
    return best


def softmax(x: Matrix) -> Matrix:
    """Softmax of each row."""
    exponential = np.exp(x - x.max(axis=-1, keepdims=True))
    result: Matrix = exponential / exponential.sum(axis=-1, keepdims=True)
    return result


def route(x: Matrix, gate: Matrix, k: int) -> Routing:
    """Choose the experts of each token.

    Parameters
    ----------
    x : float32, shape (tokens, gate inputs)
    gate : float32, shape (experts, gate inputs)
    k : int
    """
    logits = x @ gate.T
    chosen = top_k_experts(logits, k)
    scores = np.take_along_axis(softmax(logits), chosen, axis=1)
    return Routing(experts=chosen.astype(np.int16), scores=scores, count=len(gate))


def task_embedding(layers: tuple[Linear, ...], task: int) -> Matrix:
    """ReLU of each layer on the task's one-hot code: what a task-conditioned gate sees beside x.

    Returns
    -------
    float32, shape (64,)
    """
    first, second = layers
    hidden = np.maximum(first.weight[:, task] + first.bias, 0)
    result: Matrix = np.maximum(second.weight @ hidden + second.bias, 0)
    return result
