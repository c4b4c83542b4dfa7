"""The unified linear unit: dense layers, optional GELU, weighted accumulation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dovetail.arch.m3vit.formats import BIAS, FEATURE, WEIGHT, FixedFormat
from dovetail.models.m3vit.delta_gelu import delta_gelu
from dovetail.models.m3vit.fixed import Integers, product, to_fixed, wrap
from dovetail.models.m3vit.weights import Linear


class FixedLinear(NamedTuple):
    """A linear layer's integers.

    Attributes
    ----------
    weight : int64, shape (outputs, inputs)
    bias : int64, shape (outputs,)
    weight_format, bias_format : FixedFormat
    """

    weight: Integers
    bias: Integers
    weight_format: FixedFormat
    bias_format: FixedFormat


def fixed_layer(
    layer: Linear, *, weight: FixedFormat = WEIGHT, bias: FixedFormat = BIAS
) -> FixedLinear:
    """Convert a layer's weights and biases, truncating."""
    return FixedLinear(to_fixed(layer.weight, weight), to_fixed(layer.bias, bias), weight, bias)


def fixed_linear(
    x: Integers, layer: FixedLinear, *, gelu: bool = False, input_format: FixedFormat = FEATURE
) -> Integers:
    """``x w^T + b`` in fixed<32,10>.

    Products keep all their fraction bits and sum exactly; the bias is shifted up to them.  The sum
    is then shifted down to 22 fraction bits and wrapped: one truncation an output.  So a hardware
    accumulator needs only the bits below ``32 + shift``, 46 for features and fixed<16,2>.

    Parameters
    ----------
    x : int64, shape (rows, inputs)
    layer : FixedLinear
    gelu : bool
        Apply :func:`delta_gelu` to the result.
    input_format : FixedFormat
        Of ``x``.
    """
    fraction = input_format.fraction_bits + layer.weight_format.fraction_bits
    bias = layer.bias << np.int64(fraction - layer.bias_format.fraction_bits)
    total = product(x, layer.weight.T) + bias
    result = wrap(total >> (fraction - FEATURE.fraction_bits), FEATURE)
    return delta_gelu(result) if gelu else result


def scatter_add(into: Integers, tokens: Integers, scores: Integers, values: Integers) -> None:
    """Add ``(score * value) >> 22`` to the rows of ``into`` that ``tokens`` names, wrapping.

    Parameters
    ----------
    into : int64, shape (tokens, width)
        Changed in place.
    tokens : int64, shape (queue,)
        Each at most once.
    scores : int64, shape (queue,)
    values : int64, shape (queue, width)
    """
    weighted = wrap((scores[:, None] * values) >> FEATURE.fraction_bits, FEATURE)
    into[tokens] = wrap(into[tokens] + weighted, FEATURE)
