"""Layer norm in one pass over a token: the sums of its values and of their squares."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dovetail.arch.m3vit.formats import BIAS, FEATURE, RSTD, SQUARE_FRACTION_BITS
from dovetail.arch.m3vit.tables import (
    EPSILON,
    RSQRT_FRACTION_BITS,
    RSQRT_INDEX_BITS,
    RSQRT_MANTISSA_BITS,
    mean_factor,
    rsqrt_rom,
)
from dovetail.models.m3vit.fixed import Integers, wrap

_ROM = np.array([*rsqrt_rom(), 0], dtype=np.int64)
_SQUARE_SHIFT = 2 * FEATURE.fraction_bits - SQUARE_FRACTION_BITS
_REST_BITS = RSQRT_MANTISSA_BITS - 2 - RSQRT_INDEX_BITS
_LOW_BITS = 32


class FixedNorm(NamedTuple):
    """Scale and shift, fixed<16,5>, shape (width,)."""

    gamma: Integers
    beta: Integers


def fixed_layer_norm(x: Integers, norm: FixedNorm) -> Integers:
    """Normalise each row of fixed<32,10>.

    With ``F`` and ``s`` of :func:`dovetail.arch.m3vit.tables.mean_factor` and every shift rounding
    towards minus infinity:

    - ``mean = (sum(x) * F) >> s``, 22 fraction bits
    - ``square = (sum((x * x) >> 12) * F) >> s``, 32 fraction bits
    - ``variance = max(square - ((mean * mean) >> 12), 0) + EPSILON``
    - ``rstd`` of :func:`inverse_root`, 22 fraction bits
    - ``y = ((((x - mean) * rstd) >> 22) * gamma + (beta << 22)) >> 11``

    ``mean``, ``x - mean``, the product with ``rstd`` after its shift, and ``y`` wrap to 32 bits.
    """
    return normalise(x, *token_statistics(x), norm)


def token_statistics(x: Integers) -> tuple[Integers, Integers]:
    """``mean`` and ``rstd`` of each row, both of shape (rows, 1); see :func:`fixed_layer_norm`."""
    factor, shift = mean_factor(x.shape[1])
    mean = wrap((x.sum(axis=1, keepdims=True) * factor) >> shift, FEATURE)
    squares = ((x * x) >> _SQUARE_SHIFT).sum(axis=1, keepdims=True)
    # The product with the factor needs 82 bits: taken in halves, whose shifts lose nothing.
    high, low = squares >> _LOW_BITS, squares & ((1 << _LOW_BITS) - 1)
    square = ((high * factor) << (_LOW_BITS - shift)) + ((low * factor) >> shift)
    variance = np.maximum(square - ((mean * mean) >> _SQUARE_SHIFT), 0) + EPSILON
    return mean, inverse_root(variance)


def normalise(x: Integers, mean: Integers, rstd: Integers, norm: FixedNorm) -> Integers:
    """``y`` of features whose statistics are known; see :func:`fixed_layer_norm`."""
    centred = wrap(x - mean, FEATURE)
    unit = wrap((centred * rstd) >> RSTD.fraction_bits, FEATURE)
    scaled = unit * norm.gamma + (norm.beta << FEATURE.fraction_bits)
    return wrap(scaled >> BIAS.fraction_bits, FEATURE)


def inverse_root(variance: Integers) -> Integers:
    """One over the root of a variance.

    An even shift brings the variance to a mantissa of 32 bits from 1 up to 4, two bits before the
    point; bits shifted out are lost.  Its distance from 1, in steps of 1/128, is the index, and the
    low 23 bits interpolate: ``r = T[i] - (((T[i] - T[i + 1]) * rest) >> 23)``.  Half the shift,
    plus 1, brings ``r`` (24 fraction bits) back.

    Parameters
    ----------
    variance : int64, any shape
        32 fraction bits, from ``EPSILON`` to ``2**50``.

    Returns
    -------
    int64, shape of ``variance``
        ufixed<32,10>: 22 fraction bits.
    """
    # float64 rounds up to the next power of two only where more than 53 bits are set.
    top = np.frexp(variance.astype(np.float64))[1] - 1
    shift = RSQRT_MANTISSA_BITS - 2 - (top & ~1)
    mantissa = np.where(
        shift >= 0, variance << np.maximum(shift, 0), variance >> np.maximum(-shift, 0)
    )
    index = (mantissa >> _REST_BITS) - (1 << RSQRT_INDEX_BITS)
    rest = mantissa & ((1 << _REST_BITS) - 1)
    root = _ROM[index] - (((_ROM[index] - _ROM[index + 1]) * rest) >> _REST_BITS)
    # The variance is mantissa / 2^30 times 2^(30 - shift - 32): its inverse root is root times
    # 2^(1 + shift / 2).
    exponent = 1 + shift // 2 - (RSQRT_FRACTION_BITS - RSTD.fraction_bits)
    result: Integers = np.where(
        exponent >= 0, root << np.maximum(exponent, 0), root >> np.maximum(-exponent, 0)
    )
    return result
