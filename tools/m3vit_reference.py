"""Make tests/models/data/m3vit_reference.npz: M3ViT-tiny on a random image, run by PyTorch.

Needs torch, which Dovetail itself does not; run ``PYTHONPATH=src python tools/m3vit_reference.py``
from the checkout where torch and pydantic are installed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from dovetail.models.m3vit.config import PATCH, TINY, M3vitConfig
from dovetail.models.m3vit.weights import Block, Linear, Norm, Weights, seeded_weights

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "tests" / "models" / "data" / "m3vit_reference.npz"
SEED = 7
EVERY = 8  # of the tokens whose states are kept
LAYERS = (0, 1, 2, 12)  # after the embedding, the first two blocks and the last one
CONDITIONED = replace(TINY, gate="conditioned")


def random_image(config: M3vitConfig, seed: int = SEED) -> Any:
    """uint8 noise of the data set's size, shape (height, width, 3)."""
    shape = (config.dataset.height, config.dataset.width, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@torch.no_grad()
def m3vit_reference(
    config: M3vitConfig, weights: Weights, image: Any, task: int
) -> tuple[list[Any], dict[int, tuple[Any, Any]]]:
    """Run the encoder with PyTorch's own operators, in float32.

    Returns
    -------
    hidden : list of float32 arrays, shape (tokens, hidden)
        After the embedding and after each block.
    routing : dict of int to (experts, scores)
        Of each MoE block, both of shape (tokens, k).
    """
    pixels = torch.tensor(image).permute(2, 0, 1)[None].float() / 256
    kernel = torch.tensor(weights.patch.weight).reshape(config.hidden, 3, PATCH, PATCH)
    grid = F.conv2d(pixels, kernel, torch.tensor(weights.patch.bias), stride=PATCH)
    x = grid.flatten(2).transpose(1, 2)
    x = torch.cat([torch.tensor(weights.class_token).expand(1, 1, -1), x], dim=1)
    x = x + torch.tensor(weights.positions)
    hidden, routing = [x[0].numpy()], {}
    for layer, block in enumerate(weights.blocks):
        x = x + _attention(_norm(x, block.norm1), block, config)
        y = _norm(x, block.norm2)
        if block.experts:
            seen = y if config.gate == "multi" else _beside(y, weights, task)
            gate = torch.tensor(block.gates[task if config.gate == "multi" else 0])
            scores, experts = (seen @ gate.T).softmax(dim=-1).topk(config.top_k, dim=-1)
            every = [_mlp(y, *pair) for pair in block.experts]  # all of them, on all tokens
            chosen = torch.stack(every, dim=2).gather(
                2, experts[..., None].expand(-1, -1, -1, config.hidden)
            )
            x = x + (scores[..., None] * chosen).sum(dim=2)
            routing[layer] = experts[0].numpy(), scores[0].numpy()
        else:
            x = x + _mlp(y, *block.mlp)
        hidden.append(x[0].numpy())
    return hidden, routing


def _linear(x: Any, layer: Linear) -> Any:
    return F.linear(x, torch.tensor(layer.weight), torch.tensor(layer.bias))


def _norm(x: Any, norm: Norm) -> Any:
    gamma, beta = torch.tensor(norm.gamma), torch.tensor(norm.beta)
    return F.layer_norm(x, (x.shape[-1],), gamma, beta, eps=1e-6)


def _mlp(x: Any, first: Linear, second: Linear) -> Any:
    return _linear(F.gelu(_linear(x, first)), second)


def _attention(x: Any, block: Block, config: M3vitConfig) -> Any:
    shape = (1, config.tokens, config.heads, config.head_dim)
    q, k, v = (
        _linear(x, layer).reshape(shape).transpose(1, 2)
        for layer in (block.query, block.key, block.value)
    )
    context = F.scaled_dot_product_attention(q, k, v)
    return _linear(context.transpose(1, 2).flatten(2), block.output)


def _beside(x: Any, weights: Weights, task: int) -> Any:
    embedding = F.one_hot(torch.tensor([task]), weights.task_embedding[0].weight.shape[1]).float()
    for layer in weights.task_embedding:
        embedding = F.relu(_linear(embedding, layer))
    return torch.cat([x, embedding[None].expand(1, x.shape[1], -1)], dim=-1)


def main() -> None:
    arrays = {}
    for config in (TINY, CONDITIONED):
        weights, image = seeded_weights(config, seed=SEED), random_image(config)
        for task in range(len(config.dataset.tasks)):
            hidden, routing = m3vit_reference(config, weights, image, task)
            name = f"{config.gate}:{task}"
            for layer in LAYERS:
                arrays[f"{name}:hidden:{layer}"] = hidden[layer][::EVERY]
            for layer, (experts, scores) in routing.items():
                arrays[f"{name}:experts:{layer}"] = experts.astype(np.int8)
                arrays[f"{name}:scores:{layer}"] = scores[::EVERY]
    np.savez_compressed(OUTPUT, made_with=np.array(f"torch {torch.__version__}"), **arrays)
    print(f"{OUTPUT.relative_to(ROOT)}: {OUTPUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
