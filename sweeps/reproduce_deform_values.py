"""Rows 11 to 14 of CoDeNet's list: values to the bit, the line buffer's rows, errors of offsets."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.deform import ZERO, DeformEngineConfig
from dovetail.arch.deform_call import DeformCall
from dovetail.models.deform.deform_conv import deform_conv
from dovetail.models.deform.engine_call import CallOperands, LayerOperands, run_call
from dovetail.models.deform.image_offsets import recorded_offsets
from dovetail.models.deform.offsets import round_half_up, square_offsets
from dovetail.models.deform.public_line_buffer import public_square_windows
from dovetail.models.deform.random_call import random_call_operands
from dovetail.models.m3vit.image import photograph
from dovetail.sweeps.reproduction import Figure, ReproductionRow, figure_row

BOUND = 7
_DEPTHWISE = DeformCall(
    height=32, width=32, in_channels=64, out_channels=64, pointwise=False, deform=True
)
_POINTWISE = DeformCall(height=32, width=32, in_channels=64, out_channels=16, depthwise=False)
_SIDE = 64


def rows(published: Figure) -> list[ReproductionRow]:
    """Compute rows 11 to 14; ``published`` is the whole of ``published/deformable-conv.toml``."""
    vectors, buffer = published["vectors"], published["line_buffer"]
    return [
        figure_row(
            published,
            vectors,
            what=vectors["authors_what"],
            ours=None,
            why=vectors["authors_why"],
        ),
        figure_row(
            published,
            vectors,
            what=vectors["own_what"],
            ours=depthwise_mismatches(largest=1, smallest=1),
            why=vectors["own_why"],
        ),
        figure_row(published, published["pointwise"], ours=pointwise_mismatches()),
        figure_row(
            published,
            buffer,
            what=buffer["exact_what"],
            ours=depthwise_mismatches(largest=BOUND),
            why=buffer["exact_why"],
        ),
        figure_row(
            published,
            buffer,
            what=buffer["public_what"],
            ours=depthwise_mismatches(largest=BOUND - 1, public_lead=True),
            why=buffer["public_why"],
        ),
        figure_row(published, published["public_taps"], ours=public_taps_lost(BOUND)),
        *_accuracy(published),
    ]


def depthwise_mismatches(*, largest: int, smallest: int = 0, public_lead: bool = False) -> int:
    """Outputs of the engine's reference that the floating-point operator does not give.

    Parameters
    ----------
    largest, smallest : int
        Square offsets are drawn between them.
    public_lead : bool
        Through the public code's line buffer.
    """
    rng = np.random.default_rng(0)
    operands = random_call_operands(_DEPTHWISE, bound=BOUND, rng=rng)
    offsets = rng.integers(smallest, largest, (32, 32), dtype=np.uint8, endpoint=True)
    layer = operands.depthwise
    assert layer is not None
    operands = CallOperands(image=operands.image, depthwise=layer, offsets=offsets)
    config = DeformEngineConfig(bound=BOUND, lead="public" if public_lead else "exact")
    got = run_call(_DEPTHWISE, operands, config=config)
    # Of q instead of q - 128, for which padding is zero.
    x = operands.image.astype(np.float64).transpose(2, 0, 1)[None] - ZERO
    weights = layer.weights.astype(np.float64)[:, None]
    moved = square_offsets(offsets[None].astype(np.float64))
    sums = deform_conv(x, weights, moved, groups=64, padding=(1, 1))[0]
    sums += ZERO * weights.sum(axis=(1, 2, 3))[:, None, None]
    return int((_requantised(sums.transpose(1, 2, 0), layer) != got).sum())


def pointwise_mismatches() -> int:
    """Outputs of the reference's 1x1 convolution that a product of matrices does not give."""
    operands = random_call_operands(_POINTWISE, bound=BOUND, rng=np.random.default_rng(0))
    layer = operands.pointwise
    assert layer is not None
    got = run_call(_POINTWISE, operands, config=DeformEngineConfig(bound=BOUND))
    sums = np.tensordot(operands.image.astype(np.float64), layer.weights.astype(np.float64), (2, 1))
    return int((_requantised(sums, layer) != got).sum())


def public_taps_lost(offset: int) -> float:
    """Part of all taps inside the map that the public code's line buffer reads in a wrong row."""
    row = np.broadcast_to(np.arange(_SIDE, dtype=np.int8)[:, None], (_SIDE, _SIDE))
    offsets = np.full((_SIDE, _SIDE), offset, dtype=np.uint8)
    found = public_square_windows(row[..., None], offsets, bound=BOUND)[..., 0]
    tap = np.arange(9)[:, None, None]
    wanted = row + offset * (tap // 3 - 1)
    column = np.arange(_SIDE) + offset * (tap % 3 - 1)
    inside = (wanted >= 0) & (wanted < _SIDE) & (column >= 0) & (column < _SIDE)
    return float((found != wanted)[inside].mean())


def offset_errors() -> dict[str, float]:
    """Relative L2 change of a depthwise output by rounding offsets, and by bounding them."""
    x = photograph(_SIDE, _SIDE).astype(np.float64).transpose(2, 0, 1)[None]
    weights = np.random.default_rng(0).standard_normal((3, 1, 3, 3))
    s = recorded_offsets(512)[-1][None].astype(np.float64)
    changed = {"plain": s, "round": round_half_up(s), "bound": np.clip(s, 0, BOUND)}
    outputs = {
        name: deform_conv(x, weights, square_offsets(values), groups=3, padding=(1, 1))
        for name, values in changed.items()
    }
    plain = outputs.pop("plain")
    size = np.linalg.norm(plain)
    return {name: float(np.linalg.norm(y - plain) / size) for name, y in outputs.items()}


def _requantised(sums: NDArray[np.floating], layer: LayerOperands) -> NDArray[np.int64]:
    """Bytes of real sums that hold integers: floor(x + 1/2), written without shifts."""
    scaled = np.floor(sums * layer.scale / 65536 + 0.5)
    return np.clip(scaled + layer.bias - 128, -128, 127).astype(np.int64)


def _accuracy(published: Figure) -> Iterator[ReproductionRow]:
    figure = published["accuracy"]
    for label, value in zip(figure["labels"], figure["values"], strict=True):
        yield figure_row(published, figure, what=f"accuracy: {label}", value=value, ours=None)
    figure = published["operator_error"]
    for label, ours in zip(figure["labels"], offset_errors().values(), strict=True):
        yield figure_row(published, figure, what=f"{figure['what']} {label}", ours=ours)
