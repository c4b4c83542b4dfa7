"""Operators of an M3ViT encoder in program order, experts with the queues that a routing gives."""

from __future__ import annotations

from collections.abc import Mapping

from dovetail.errors import TraceError
from dovetail.models.m3vit.config import CHANNELS, PATCH, M3vitConfig
from dovetail.models.m3vit.routing import Routing
from dovetail.models.networks.other_work import (
    ACTIVATION_OPERATIONS,
    layer_norm_operations,
    softmax_operations,
)
from dovetail.models.trace import GemmOp, OtherOp

GATE = "gate"
EXPERT_LAYERS = ("expert_fc1", "expert_fc2")


def check_routing(config: M3vitConfig, routing: Mapping[int, Routing]) -> None:
    """Refuse a routing that is not one of ``config``'s for each of its MoE blocks."""
    if tuple(sorted(routing)) != config.moe_layers:
        raise TraceError(
            f"{config.name}: routing is of blocks {sorted(routing)}; it must be of "
            f"{list(config.moe_layers)}: correct it"
        )
    for layer, one in routing.items():
        for name, got, want in (
            ("experts", one.count, config.experts),
            ("k", one.top_k, config.top_k),
            ("tokens", one.tokens, config.tokens),
        ):
            if got != want:
                raise TraceError(
                    f"{config.name}: the routing of block {layer} has {name}={got}, the network "
                    f"{want}; make the routing for this network"
                )


def operators(config: M3vitConfig, routing: Mapping[int, Routing]) -> tuple[GemmOp | OtherOp, ...]:
    """List what the encoder computes for one image and one task.

    The layers of expert e are ``expert_fc1_e`` and ``expert_fc2_e``, of as many rows as its queue
    has tokens; an expert that no token goes to does not appear.
    """
    check_routing(config, routing)
    builder = _Builder(config)
    patches = config.dataset.patches
    builder.linear("patch_embedding", m=patches, n=config.hidden, k=CHANNELS * PATCH * PATCH)
    builder.other("position_embedding", "embedding", config.tokens * config.hidden)
    for builder.layer in range(config.layers):
        builder.attention()
        builder.norm("ffn_norm")
        if builder.layer in routing:
            builder.experts(routing[builder.layer])
        else:
            builder.feed_forward(("fc1", "fc2"), config.tokens, config.mlp)
        builder.residual("ffn")
    return tuple(builder.ops)


class _Builder:
    """Appends operators to ``ops`` in program order."""

    def __init__(self, config: M3vitConfig) -> None:
        self.config = config
        self.layer = -1
        self.ops: list[GemmOp | OtherOp] = []

    def attention(self) -> None:
        config = self.config
        n, c, heads, width = config.tokens, config.hidden, config.heads, config.head_dim
        self.norm("attention_norm")
        for name in ("q_proj", "k_proj", "v_proj"):
            self.linear(name, m=n, n=c, k=c)
        shape = {"layer": self.layer, "m": n, "count": heads}
        self.ops.append(
            GemmOp(name="attention_scores", n=n, k=width, weights="activation", **shape)
        )
        self.other("softmax", "softmax", n * heads * softmax_operations(n, masked=False))
        self.ops.append(
            GemmOp(name="attention_values", n=width, k=n, weights="activation", **shape)
        )
        self.linear("o_proj", m=n, n=c, k=c)
        self.residual("attention")

    def experts(self, routing: Routing) -> None:
        config = self.config
        n, e = config.tokens, config.experts
        self.ops.append(GemmOp(name=GATE, layer=self.layer, m=n, n=e, k=config.gate_inputs))
        softmax = n * softmax_operations(e, masked=False)
        self.other("gate_softmax", "softmax", softmax)
        lengths = routing.lengths.tolist()
        for expert in routing.metaqueue:
            names = (f"{EXPERT_LAYERS[0]}_{expert}", f"{EXPERT_LAYERS[1]}_{expert}")
            self.feed_forward(names, lengths[expert], config.expert_hidden)
        # Each expert's output is weighted and added.
        self.other("expert_sum", "mixture", 2 * sum(lengths) * config.hidden)

    def feed_forward(self, names: tuple[str, str], rows: int, hidden: int) -> None:
        c = self.config.hidden
        self.linear(names[0], m=rows, n=hidden, k=c)
        each = ACTIVATION_OPERATIONS["gelu"]
        self.other(f"{names[0]}_activation", "activation", rows * hidden * each)
        self.linear(names[1], m=rows, n=c, k=hidden)

    def linear(self, name: str, *, m: int, n: int, k: int) -> None:
        self.ops.append(GemmOp(name=name, layer=self.layer, m=m, n=n, k=k))
        self.other(f"{name}_bias", "bias", m * n)

    def norm(self, name: str) -> None:
        operations = self.config.tokens * layer_norm_operations(self.config.hidden)
        self.other(name, "norm", operations)

    def residual(self, name: str) -> None:
        self.other(f"{name}_residual", "residual", self.config.tokens * self.config.hidden)

    def other(self, name: str, kind: str, operations: int) -> None:
        self.ops.append(OtherOp(name=name, layer=self.layer, kind=kind, operations=operations))
