"""Random operands of an engine call, for lockstep runs, certificates and tests."""

from __future__ import annotations

import numpy as np

from dovetail.arch.deform_call import DeformCall
from dovetail.models.deform.engine_call import CallOperands, LayerOperands

_SPREAD = 72  # of quantised outputs around their middle, so that few are clamped


def random_call_operands(call: DeformCall, *, bound: int, rng: np.random.Generator) -> CallOperands:
    """Draw operands whose results spread over the whole range of a byte.

    Scales are set from the standard deviation of a sum of that many products, some of them
    negative, and biases move the middle of the outputs to that of the range.
    """
    pointwise = depthwise = offsets = None
    if call.pointwise:
        shape: tuple[int, ...] = (call.out_channels, call.in_channels)
        pointwise = _layer(shape, rng=rng)
    if call.depthwise:
        window = (call.in_channels, 3, 3) if call.full else (3, 3)
        depthwise = _layer((call.out_channels, *window), rng=rng)
    if call.deform:
        size = (call.out_height, call.out_width)
        offsets = rng.integers(0, bound, size=size, dtype=np.uint8, endpoint=True)
    image = rng.integers(-128, 127, (call.height, call.width, call.in_channels), endpoint=True)
    return CallOperands(
        image=image.astype(np.int8), pointwise=pointwise, depthwise=depthwise, offsets=offsets
    )


def _layer(shape: tuple[int, ...], *, rng: np.random.Generator) -> LayerOperands:
    channels, terms = shape[0], int(np.prod(shape[1:]))
    deviation = 74 * 4.6 * np.sqrt(terms)  # of uniform bytes times uniform 4-bit weights
    scale = np.rint(65536 * _SPREAD / deviation * rng.uniform(0.3, 1.0, channels))
    scale *= rng.choice([-1, 1], size=channels, p=[0.2, 0.8])
    return LayerOperands(
        weights=rng.integers(-8, 7, shape, endpoint=True).astype(np.int8),
        scale=np.clip(scale, -32768, 32767).astype(np.int16),
        bias=rng.integers(64, 192, channels).astype(np.int16),
    )
