"""The W4A8 reference GEMM, both orders of dequantisation, against one plain integer product."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.engine import SCALE_BITS, ZERO_BITS
from dovetail.models.mpgemm import GemmOperands, accumulate_after_group, accumulate_before_loop

Order = Literal["after the group", "before the loop"]
Kind = Literal["random", "edge"]

SEED = 13
GROUPS = (32, 64, 128)
# (m, n, k): one, a power of two and one more, whole groups and short last ones.
SHAPES = ((1, 1, 1), (3, 2, 31), (16, 16, 128), (17, 5, 129), (8, 33, 200), (2, 9, 1025))
_LAST_SCALE = (1 << SCALE_BITS) - 1
_LAST_ZERO = (1 << ZERO_BITS) - 1
# Dequantised to INT8 ahead of the loop, a weight is exact while 15 * scale stays below 128.
_LAST_EXACT_INT8_SCALE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What was compared: ``values`` accumulators, of which ``mismatches`` were wrong."""

    values: int
    mismatches: int


def compare_with_integers(order: Order, kind: Kind) -> Comparison:
    """Run the reference in ``order`` and compare every accumulator with the plain product."""
    values = mismatches = 0
    last_scale = _LAST_SCALE if order == "after the group" else _LAST_EXACT_INT8_SCALE
    for operands in _cases(kind, last_scale):
        if order == "after the group":
            ours = accumulate_after_group(operands)
        else:
            ours = accumulate_before_loop(operands, weight_shift=0)
        plain = _plain_product(operands)
        values += plain.size
        mismatches += int(np.count_nonzero(ours != plain))
    return Comparison(values=values, mismatches=mismatches)


def _plain_product(operands: GemmOperands) -> NDArray[np.int64]:
    """``A @ ((codes - zero) * scale).T`` in int64: no groups, no corrections, nothing rounded."""
    assert operands.scale is not None and operands.zero is not None
    k = operands.weights.shape[1]
    scale = np.repeat(operands.scale, operands.group, axis=1)[:, :k]
    zero = np.repeat(operands.zero, operands.group, axis=1)[:, :k]
    weights = (operands.weights.astype(np.int64) - zero) * scale
    return operands.activations.astype(np.int64) @ weights.T


def _cases(kind: Kind, last_scale: int) -> Iterator[GemmOperands]:
    """Yield GEMMs whose values are drawn from the whole range, or from its ends alone."""
    rng = np.random.default_rng(SEED)

    def draw(low: int, high: int, size: tuple[int, int]) -> NDArray[np.int64]:
        if kind == "edge":
            return rng.choice(np.array([low, high], dtype=np.int64), size)
        return rng.integers(low, high, size, endpoint=True, dtype=np.int64)

    for shape, group, zero_point in product(SHAPES, GROUPS, (False, True)):
        m, n, k = shape
        groups = -(-k // group)
        first_code, last_zero = (0, _LAST_ZERO) if zero_point else (-8, 0)
        yield GemmOperands(
            activations=draw(-128, 127, (m, k)).astype(np.int8),
            weights=draw(first_code, first_code + 15, (n, k)).astype(np.int8),
            scale=draw(0, last_scale, (n, groups)),
            zero=draw(0, last_zero, (n, groups)),
            group=group,
        )
    if kind == "edge":
        yield from _every_pair(last_scale)


def _every_pair(last_scale: int) -> Iterator[GemmOperands]:
    """Yield every activation against every weight code, at the ends of scale and zero point."""
    for zero_point, last_zero in ((False, 0), (True, _LAST_ZERO)):
        first_code = 0 if zero_point else -8
        for scale, zero in product((0, 1, last_scale), sorted({0, last_zero})):
            yield GemmOperands(
                activations=np.arange(-128, 128, dtype=np.int8)[:, None],
                weights=np.arange(first_code, first_code + 16, dtype=np.int8)[:, None],
                scale=np.full((16, 1), scale, dtype=np.int64),
                zero=np.full((16, 1), zero, dtype=np.int64),
                group=GROUPS[0],
            )
