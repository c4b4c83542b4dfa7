"""The reference LUT GEMM of integers, for every width of weights, against one plain product."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.engine import SCALE_BITS
from dovetail.models.lut.formats import Levels, LutFormat
from dovetail.models.lut.mpgemm import accumulate_lut
from dovetail.models.mpgemm import GemmOperands

Kind = Literal["random", "edge"]
Activations = Literal["int8", "int16"]

SEED = 41
# (m, n, k): one, a power of two and one more, whole steps and short last ones.
SHAPES = ((1, 1, 1), (3, 2, 31), (16, 16, 64), (17, 5, 65), (2, 33, 129))
LUT_K = (2, 3, 4, 8)
_STEPS_OF_GROUP = 8
_LAST_SCALE = (1 << SCALE_BITS) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What was compared: ``values`` accumulators, of which ``mismatches`` were wrong."""

    values: int
    mismatches: int


def compare_with_integers(
    weight_bits: Sequence[int], activations: Activations, kind: Kind
) -> Comparison:
    """Look up and multiply the same operands, with every choice of levels, and compare.

    Parameters
    ----------
    weight_bits : sequence of int
    activations : str
        ``int8`` or ``int16``.
    kind : str
        Operands from the whole range (``random``), or from its ends alone (``edge``).
    """
    values = mismatches = 0
    for bits, levels, lut_k in product(weight_bits, get_args(Levels), LUT_K):
        form = LutFormat(weight_bits=bits, levels=levels, lut_k=lut_k)
        for operands in _cases(form, activations, kind):
            ours, plain = accumulate_lut(operands, form), _plain_product(operands, form)
            values += plain.size
            mismatches += int(np.count_nonzero(ours != plain))
    return Comparison(values=values, mismatches=mismatches)


def _plain_product(operands: GemmOperands, form: LutFormat) -> NDArray[np.int64]:
    """``A @ W.T`` in int64, W being twice the weights: no groups, no planes, no tables."""
    assert operands.scale is not None and operands.zero is not None
    k = operands.weights.shape[1]
    codes = operands.weights.astype(np.int64)
    most = (1 << form.weight_bits) - 1
    centre: Any = {"odd": most, "twos_complement": most + 1}.get(form.levels)
    if centre is None:
        centre = 2 * np.repeat(operands.zero, operands.group, axis=1)[:, :k]
    scale = np.repeat(operands.scale, operands.group, axis=1)[:, :k]
    weights: NDArray[np.int64] = scale * (2 * codes - centre)
    return operands.activations.astype(np.int64) @ weights.T


def _cases(form: LutFormat, activations: Activations, kind: Kind) -> Iterator[GemmOperands]:
    rng = np.random.default_rng(SEED)

    def draw(low: int, high: int, size: tuple[int, int]) -> NDArray[np.int64]:
        if kind == "edge":
            return rng.choice(np.array([low, high], dtype=np.int64), size)
        return rng.integers(low, high, size, endpoint=True, dtype=np.int64)

    group = form.lut_k * _STEPS_OF_GROUP
    most = (1 << form.weight_bits) - 1
    limits = np.iinfo(activations)
    for m, n, k in SHAPES:
        groups = -(-k // group)
        yield GemmOperands(
            activations=draw(limits.min, limits.max, (m, k)).astype(activations),
            weights=draw(0, most, (n, k)).astype(np.uint8),
            scale=draw(0, _LAST_SCALE, (n, groups)),
            zero=draw(0, most, (n, groups)),
            group=group,
        )
