"""Weights of an M3ViT encoder: seeded random ones, since no trained ones can be had.

The M3ViT authors published no checkpoint that a package ships, and Edge-MoE's archive lacks the
expert files.  So matrices are normal with variance 1 / inputs, which keeps activations at the size
that trained networks have; what depends on training (accuracy, the statistics of routing) cannot
be measured with them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dovetail.models.m3vit.config import CHANNELS, EMBEDDING, PATCH, M3vitConfig

Matrix = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Linear:
    """A layer ``y = w x + b``; ``weight`` is (outputs, inputs), ``bias`` (outputs,)."""

    weight: Matrix
    bias: Matrix


@dataclass(frozen=True, kw_only=True, eq=False)
class Norm:
    """Scale and shift of a layer norm, both (width,)."""

    gamma: Matrix
    beta: Matrix


@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """One encoder block; ``experts`` and ``gates`` are empty in a dense one.

    Attributes
    ----------
    norm1, norm2 : Norm
        Before attention and before the MLP or the experts.
    query, key, value, output : Linear
    mlp : tuple of Linear
        The two layers of a dense block; empty where there are experts.
    experts : tuple of (Linear, Linear)
    gates : tuple of float32 arrays, shape (experts, gate inputs)
        One for each task, or one alone where the gate is task-conditioned; no biases.
    """

    norm1: Norm
    norm2: Norm
    query: Linear
    key: Linear
    value: Linear
    output: Linear
    mlp: tuple[Linear, ...]
    experts: tuple[tuple[Linear, Linear], ...]
    gates: tuple[Matrix, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Weights:
    """Everything the encoder multiplies with.

    Attributes
    ----------
    patch : Linear
        From the 768 values of a patch (channel, row, column).
    class_token : float32, shape (hidden,)
    positions : float32, shape (tokens, hidden)
    blocks : tuple of Block
    task_embedding : tuple of Linear
        The two layers that make a task's embedding from its one-hot code; empty for ``multi``.
    """

    patch: Linear
    class_token: Matrix
    positions: Matrix
    blocks: tuple[Block, ...]
    task_embedding: tuple[Linear, ...]


def seeded_weights(config: M3vitConfig, *, seed: int = 0) -> Weights:
    """Draw weights; the same seed and configuration give the same ones."""
    draw = _Draw(np.random.default_rng(seed))
    c = config.hidden
    moe = set(config.moe_layers)
    return Weights(
        patch=draw.linear(c, CHANNELS * PATCH * PATCH),
        class_token=draw.normal((c,), 0.5),
        positions=draw.normal((config.tokens, c), 0.5),
        blocks=tuple(_block(draw, config, layer in moe) for layer in range(config.layers)),
        task_embedding=(
            (
                draw.linear(EMBEDDING, len(config.dataset.tasks)),
                draw.linear(EMBEDDING, EMBEDDING),
            )
            if config.gate == "conditioned"
            else ()
        ),
    )


def _block(draw: _Draw, config: M3vitConfig, moe: bool) -> Block:
    c = config.hidden
    gates = len(config.dataset.tasks) if config.gate == "multi" else 1
    return Block(
        norm1=draw.norm(c),
        norm2=draw.norm(c),
        query=draw.linear(c, c),
        key=draw.linear(c, c),
        value=draw.linear(c, c),
        output=draw.linear(c, c),
        mlp=() if moe else (draw.linear(config.mlp, c), draw.linear(c, config.mlp)),
        experts=tuple(
            (draw.linear(config.expert_hidden, c), draw.linear(c, config.expert_hidden))
            for _ in range(config.experts if moe else 0)
        ),
        gates=tuple(
            draw.normal((config.experts, config.gate_inputs), config.gate_inputs**-0.5)
            for _ in range(gates if moe else 0)
        ),
    )


@dataclass(frozen=True)
class _Draw:
    rng: np.random.Generator

    def normal(self, shape: tuple[int, ...], deviation: float) -> Matrix:
        values: Matrix = self.rng.standard_normal(shape, dtype=np.float32) * np.float32(deviation)
        return values

    def linear(self, outputs: int, inputs: int) -> Linear:
        return Linear(
            weight=self.normal((outputs, inputs), inputs**-0.5), bias=self.normal((outputs,), 0.02)
        )

    def norm(self, width: int) -> Norm:
        return Norm(
            gamma=1 + self.normal((width,), 0.1),
            beta=self.normal((width,), 0.1),
        )
