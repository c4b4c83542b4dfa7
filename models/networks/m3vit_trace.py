"""The trace of an M3ViT encoder, which carries the experts and scores of every token."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dovetail.errors import TraceError
from dovetail.models.m3vit.config import CONFIGS, M3vitConfig, on_tokens
from dovetail.models.m3vit.encoder import encode
from dovetail.models.m3vit.image import PHOTOGRAPH, photograph
from dovetail.models.m3vit.routing import Routing, drawn_routing
from dovetail.models.m3vit.weights import seeded_weights
from dovetail.models.networks.m3vit_operators import operators
from dovetail.models.trace import Phase, Trace

DRAWN = MappingProxyType({"balanced": 0.0, "skewed": 1.0, "same": math.inf})
"""Ending of a network's name to the skew of its drawn routing; without one it is a real one."""
M3VIT = tuple(name + end for name in CONFIGS for end in ("", *(f"-{kind}" for kind in DRAWN)))
"""Names of the networks that :func:`named_trace` knows."""

_COUNT = "experts"
_NOTES = (
    "modelled: every linear layer, gate, expert and both attention products, as GEMMs of true "
    "shape; an expert's rows are the tokens in its queue, and one without tokens does not run",
    "modelled: the encoder for one image and one task; the task's decoder is not part of it",
    "not modelled: norm, softmax, activation function, residual, weighted sum, position and bias "
    "are counted as scalar operations",
    "data: experts (how many), and for each MoE block <block>.experts, int16 of shape (tokens, k), "
    "best score first, and <block>.scores, float32 of the same shape",
)


def m3vit_trace(
    config: M3vitConfig,
    routing: Mapping[int, Routing],
    *,
    name: str | None = None,
    notes: tuple[str, ...] = (),
) -> Trace:
    """Make the trace of ``config`` with the experts that ``routing`` gives for each MoE block."""
    data: dict[str, NDArray[Any]] = {}
    if routing:
        data[_COUNT] = np.array([config.experts], np.int16)
    for layer, one in sorted(routing.items()):
        data[f"{layer}.experts"] = one.experts
        data[f"{layer}.scores"] = one.scores
    return Trace(
        network=name or config.name,
        phase="prefill",
        batch=1,
        seq=config.tokens,
        ops=operators(config, routing),
        notes=(*_NOTES, *notes),
        data=data,
    )


def routing_of(trace: Trace) -> dict[int, Routing]:
    """The routing that a trace carries, by MoE block; empty for a network without experts."""
    if _COUNT not in trace.data:
        return {}
    count = int(trace.data[_COUNT][0])
    try:
        return {
            int(name.split(".")[0]): Routing(
                experts=array, scores=trace.data[name.replace(".experts", ".scores")], count=count
            )
            for name, array in trace.data.items()
            if name.endswith(".experts")
        }
    except KeyError as error:
        raise TraceError(
            f"{trace.network}: the trace has no data {error}, the scores of its experts; "
            f"make it again with `dovetail trace`"
        ) from None


def real_trace(
    config: M3vitConfig, *, task: str | None = None, seed: int = 0, name: str | None = None
) -> Trace:
    """Route the packaged photograph through the whole encoder with seeded weights.

    Parameters
    ----------
    config : M3vitConfig
    task : str or None
        Whose gates are used; the data set's first where None.
    seed : int
        Of the weights.
    name : str or None
        Of the network in the trace.
    """
    data = config.dataset
    which = data.tasks[config.task(task)]
    result = encode(
        config, seeded_weights(config, seed=seed), photograph(data.height, data.width), task=which
    )
    note = (
        f"routing: from the forward pass of {PHOTOGRAPH} at {data.height} x {data.width} for task "
        f"{which}, with random weights of seed {seed}; trained weights cannot be had, and trained "
        f"gates are balanced by a loss, which these are not"
    )
    return m3vit_trace(config, result.routing, name=name, notes=(note,))


def drawn_trace(
    config: M3vitConfig, *, skew: float, seed: int = 0, name: str | None = None
) -> Trace:
    """Draw the routing of each MoE block, as :func:`drawn_routing` does."""
    routing = {
        layer: drawn_routing(
            config.tokens,
            experts=config.experts,
            top_k=config.top_k,
            skew=skew,
            seed=seed * config.layers + layer,
        )
        for layer in config.moe_layers
    }
    note = f"routing: drawn with popularity 1 / rank^{skew:g}, seed {seed}"
    return m3vit_trace(config, routing, name=name, notes=(note,))


def named_trace(name: str, *, phase: Phase, batch: int, seq: int | None) -> Trace:
    """Make the trace of one of :data:`M3VIT`.

    Parameters
    ----------
    name : str
    phase, batch : str, int
        Must be ``prefill`` and 1.
    seq : int or None
        Tokens of one of the three data sets; None for the network's usual one.
    """
    for field, value, must in (("phase", phase, "prefill"), ("batch", batch, 1)):
        if value != must:
            raise TraceError(
                f"{name}: {field}={value!r} must be {must!r}, since the encoder runs one image at "
                f"a time; leave {field} out"
            )
    config = named_config(name)
    if seq is not None and seq != config.tokens:
        config = on_tokens(config, seq)
    if name in CONFIGS:
        return real_trace(config)
    return drawn_trace(config, skew=DRAWN[name.rpartition("-")[2]], name=name)


def config_of(trace: Trace) -> M3vitConfig:
    """The architecture of the network that a trace names, on the data set it has tokens of.

    Raises
    ------
    TraceError
        Where the trace is not of an M3ViT network or carries no routing.
    """
    name = trace.network
    if name not in M3VIT or _COUNT not in trace.data:
        raise TraceError(
            f"network {name!r} has no routing of experts; the networks that have are "
            f"{', '.join(M3VIT)}"
        )
    return on_tokens(named_config(name), trace.seq)


def named_config(name: str) -> M3vitConfig:
    """The architecture of one of :data:`M3VIT`, on its usual data set."""
    base = name if name in CONFIGS else name.rpartition("-")[0]
    if base not in CONFIGS:
        raise TraceError(
            f"no M3ViT network named {name!r}; the networks are {', '.join(CONFIGS)}, and with "
            f"drawn routing {', '.join(f'{base}-{kind}' for base in CONFIGS for kind in DRAWN)}"
        )
    return CONFIGS[base]
