"""The trace of a CoDeNet: its operators, and the square offsets of its deformable convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from dovetail.errors import TraceError
from dovetail.models.conv_ops import ConvOp
from dovetail.models.deform.image_offsets import image_offsets, recorded_offsets
from dovetail.models.deform.offset_traces import Distribution, synthetic_offsets
from dovetail.models.networks.codenet import (
    CODENETS,
    VARIANTS,
    CodenetConfig,
    codenet_layers,
)
from dovetail.models.networks.other_work import ACTIVATION_OPERATIONS
from dovetail.models.trace import Op, OtherOp, Phase, Trace

POOL_COMPARISONS = 8  # of the nine values under a 3x3 maximum

_SYNTHETIC: dict[str, Distribution] = {
    f"codenet-c-{distribution}": distribution for distribution in get_args(Distribution)
}
CODENET_NAMES = (*CODENETS, *_SYNTHETIC, *VARIANTS)
"""``codenet-c`` has offsets of a photograph, ``codenet-c-gamma`` drawn ones of seed 0."""


def named_codenet(
    name: str, *, phase: Phase = "prefill", batch: int | None = None, seq: int | None = None
) -> Trace:
    """Make the trace of one of :data:`CODENET_NAMES`; there is one image and no sequence."""
    for field, asked, fixed in (("phase", phase, "prefill"), ("batch", batch, 1), ("seq", seq, 1)):
        if asked not in (None, fixed):
            raise TraceError(
                f"{name}: {field}={asked!r} must be {fixed!r}, since the network sees one image "
                f"at a time; leave {field} out"
            )
    if name in _SYNTHETIC:
        return synthetic_trace(CODENETS["codenet-c"], distribution=_SYNTHETIC[name], seed=0)
    config = (CODENETS | VARIANTS)[name]
    return codenet_trace(
        config,
        recorded_offsets(config.image) if config.offsets != "none" else (),
        source="of a photograph that ships with matplotlib, recorded; the generator is untrained "
        "and its values take the published histogram",
    )


def image_trace(config: CodenetConfig, path: Path, *, seed: int = 0) -> Trace:
    """The trace for an image file, through a real network and an untrained offset generator."""
    return codenet_trace(
        config,
        image_offsets(path, size=config.image, seed=seed),
        source=f"of the image {path.name}, seed {seed}; the generator is untrained and its values "
        f"take the published histogram",
    )


def codenet_of_image(name: str, path: Path) -> Trace:
    """The trace of a configuration by name, for an image file.

    Raises
    ------
    TraceError
        Where the network takes no image, or the file is none.
    ToolError
        Where a package that makes feature maps is not installed.
    """
    if name not in CODENETS:
        raise TraceError(
            f"network {name!r} takes no image; the networks that do are {', '.join(CODENETS)}"
        )
    return image_trace(CODENETS[name], path)


def synthetic_trace(config: CodenetConfig, *, distribution: Distribution, seed: int) -> Trace:
    """The trace with independent offsets drawn from a distribution."""
    rng = np.random.default_rng(seed)
    sizes = [op.out_height for op in _convolutions(config) if op.deform]
    offsets = [
        synthetic_offsets((size, size), distribution=distribution, rng=rng) for size in sizes
    ]
    source = f"drawn from a {distribution} distribution, seed {seed}"
    name = f"{config.name}-{distribution}"
    return codenet_trace(config, offsets, source=source, name=name)


def codenet_trace(
    config: CodenetConfig,
    offsets: Sequence[NDArray[np.float32]],
    *,
    source: str,
    name: str | None = None,
) -> Trace:
    """List what ``config`` computes.

    Parameters
    ----------
    config : CodenetConfig
    offsets : sequence of float32 arrays, shape (height, width) each
        Square offsets of the deformable convolutions, in program order.
    source : str
        Where they come from, for the notes.
    name : str or None
        Of the trace, where it is not the configuration's.
    """
    layers = codenet_layers(config)
    ops: list[Op] = [layer.op for layer in layers]
    if config.stem == "maxpool":
        size, channels = config.image // 4, config.channels[0]
        comparisons = POOL_COMPARISONS * size * size * channels
        ops.insert(1, OtherOp(name="maxpool", layer=0, kind="pool", operations=comparisons))
    activations = sum(
        layer.op.out_height * layer.op.out_width * layer.op.out_channels
        for layer in layers
        if isinstance(layer.op, ConvOp) and layer.op.groups == 1 and layer.batch_norm
    )
    ops.append(
        OtherOp(
            name="activation",
            layer=-1,
            kind="activation",
            operations=activations * ACTIVATION_OPERATIONS["relu"],
        )
    )
    deformable = [op for op in _convolutions(config) if op.deform]
    return Trace(
        network=name or config.name,
        phase="prefill",
        batch=1,
        seq=1,
        ops=tuple(ops),
        notes=(
            "modelled: every convolution with its true shape; batch normalisation is folded",
            f"offsets: {source}; no trained weights of this network can be had",
            "not modelled: decoding of the heads (peak test and top 100); ReLU costs no time",
        ),
        data={
            f"{op.layer}.{op.name}.s": array for op, array in zip(deformable, offsets, strict=True)
        },
    )


def _convolutions(config: CodenetConfig) -> list[ConvOp]:
    return [layer.op for layer in codenet_layers(config) if isinstance(layer.op, ConvOp)]
