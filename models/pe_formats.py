"""A linear layer in the number formats of a PE, apart from what rounding its operands costs.

Where weights are quantised, the formats are those of the hardware: a scale of a group is a 12-bit
integer in units of its output channel's base, activations have a scale a token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.number_formats import FP16, FP32
from dovetail.errors import ConfigError
from dovetail.models.floating import to_float
from dovetail.models.mpgemm import GemmOperands
from dovetail.models.mpgemm_floating import accumulate_after_group, accumulate_before_loop
from dovetail.models.quantize import (
    QuantizedWeights,
    dequantize_to_int8,
    natural_weight_shift,
    quantize_activations,
    quantize_weights,
)

Float = NDArray[np.float64]
Operand = Literal["int4", "int8", "fp16"]
Order = Literal["after", "before", "never"]
Sums = Literal["exact", "fp32", "fp16"]

FP16_WEIGHT_SHIFT = 12
"""Weights dequantised to FP16 are up to 15 * 4095 / 2**12, so that their sums stay in range as
those of codes do.  The least is 2**-12, a normal number, so that a smaller shift rounds alike.
"""

_PAIRS = (
    ("int4", "int4"),
    ("int4", "int8"),
    ("int4", "fp16"),
    ("int8", "int8"),
    ("fp16", "fp16"),
)


class LayerFormat(Protocol):
    """Number formats that a linear layer can be computed in; hashable."""

    def multiply(self, a: NDArray[np.floating], w: NDArray[np.floating]) -> Product:
        """Multiply ``a`` of shape (m, k) by ``w`` of shape (n, k) in these formats."""


@dataclass(frozen=True, kw_only=True)
class PeFormat:
    """What a PE multiplies and how it adds.

    Attributes
    ----------
    weights, activations : str
        ``int4``, ``int8`` or ``fp16``.  INT4 weights have a scale a group, INT8 ones one an output
        channel, integer activations one a token.
    order : str
        Of INT4 weights: dequantised ``after`` the sum of a group, which multiplies codes, or
        ``before`` the product, rounded to the format of the activations (to INT8 for integers).
        ``never`` for other weights.
    group : int
        Length of a quantisation group and of a sum in a PE.  An integer sum is exact, so that it
        says nothing of INT8 weights.
    zero_point : bool
        INT4 weights are 0..15 with a zero point a group; else -8..7.
    sums : str
        ``exact`` for integers; ``fp32`` or ``fp16``, the format of a PE's sum.  Sums of groups are
        added in FP32.
    """

    weights: Operand
    activations: Operand
    order: Order
    group: int = 128
    zero_point: bool = False
    sums: Sums = "exact"

    def __post_init__(self) -> None:
        floating = self.activations == "fp16"
        if floating != (self.sums != "exact"):
            raise ConfigError(
                f"sums={self.sums!r} must be {'fp32 or fp16' if floating else 'exact'} where "
                f"activations={self.activations!r}; change sums"
            )
        if (self.weights == "int4") != (self.order != "never"):
            rule = "after or before" if self.weights == "int4" else "never"
            raise ConfigError(
                f"order={self.order!r} must be {rule} where weights={self.weights!r}; change order"
            )
        if self.zero_point and self.weights != "int4":
            raise ConfigError(
                f"zero_point=True needs weights='int4', not {self.weights!r}; change one of them"
            )
        if (self.weights, self.activations) not in _PAIRS:
            raise ConfigError(
                f"no PE here multiplies weights={self.weights!r} by "
                f"activations={self.activations!r}; it takes "
                f"{', '.join(f'{weight} x {activation}' for weight, activation in _PAIRS)}"
            )

    def multiply(self, a: NDArray[np.floating], w: NDArray[np.floating]) -> Product:
        """Multiply real operands; see :func:`multiply`."""
        return multiply(a, w, self)


@dataclass(frozen=True, kw_only=True, eq=False)
class Product:
    """The product of a linear layer in a format, without bias.

    Attributes
    ----------
    result : float64, shape (m, n)
        As the hardware computes it.
    of_operands : float64, shape (m, n)
        Exact arithmetic on the same quantised operands; ``result`` itself where nothing is lost.
    """

    result: Float
    of_operands: Float


def multiply(a: NDArray[np.floating], w: NDArray[np.floating], pe: PeFormat) -> Product:
    """Multiply real operands in the format of ``pe``.

    Scales of tokens and bases of channels are applied to the sums without rounding, since the
    hardware leaves them to the operator that follows.

    Parameters
    ----------
    a : float, shape (m, k)
    w : float, shape (n, k)
    """
    return (_floating if pe.activations == "fp16" else _integer)(a, w, pe)


def _integer(a: NDArray[np.floating], w: NDArray[np.floating], pe: PeFormat) -> Product:
    activations = quantize_activations(a, bits=4 if pe.activations == "int4" else 8)

    def product(integers: NDArray[np.integer], step: Float) -> Float:
        # float64 holds every partial sum exactly: below 127 * 15 * 4095 * 2^16 < 2^39.
        sums = activations.codes.astype(np.float64) @ integers.astype(np.float64).T
        return np.asarray(activations.scale[:, None] * sums * step)

    if pe.weights == "int8":
        per_channel = quantize_activations(w)  # a row of weights, too, has one symmetric scale
        exact = product(per_channel.codes, per_channel.scale)
        return Product(result=exact, of_operands=exact)
    weights = quantize_weights(w, group=pe.group, zero_point=pe.zero_point)
    exact = product(weights.integers(), weights.base)
    if pe.order == "after":
        return Product(result=exact, of_operands=exact)
    shift = natural_weight_shift(pe.zero_point)
    int8 = dequantize_to_int8(
        weights.codes, weights.scale, weights.zero, group=pe.group, weight_shift=shift
    )
    return Product(result=product(int8, weights.base * 2**shift), of_operands=exact)


def _floating(a: NDArray[np.floating], w: NDArray[np.floating], pe: PeFormat) -> Product:
    """The hardware's own reference (:mod:`dovetail.models.mpgemm_floating`) on real operands."""
    form = FP32 if pe.sums == "fp32" else FP16
    half = a.astype(np.float16)
    wide = half.astype(np.float64)
    if pe.weights == "fp16":
        weights = w.astype(np.float16)
        operands = _fp16_operands(half, weights.view(np.uint16), None, pe)
        sums = to_float(accumulate_before_loop(operands, form, weight_shift=0), FP32)
        return Product(result=sums, of_operands=wide @ weights.astype(np.float64).T)
    quantized = quantize_weights(w, group=pe.group, zero_point=pe.zero_point)
    exact = wide @ quantized.dequantize().T
    operands = _fp16_operands(half, quantized.codes, quantized, pe)
    if pe.order == "after":
        bits, step = accumulate_after_group(operands, form), quantized.base
    else:
        bits = accumulate_before_loop(operands, form, weight_shift=FP16_WEIGHT_SHIFT)
        step = quantized.base * 2**FP16_WEIGHT_SHIFT
    return Product(result=to_float(bits, FP32) * step, of_operands=exact)


def _fp16_operands(
    a: NDArray[np.float16],
    weights: NDArray[np.int8] | NDArray[np.uint16],
    quantized: QuantizedWeights | None,
    pe: PeFormat,
) -> GemmOperands:
    return GemmOperands(
        activations=a.view(np.uint16),
        weights=weights,
        scale=None if quantized is None else quantized.scale.astype(np.int64),
        zero=None if quantized is None else quantized.zero.astype(np.int64),
        group=pe.group,
    )
