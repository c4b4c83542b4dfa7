"""Read-only tables and constants of Edge-MoE's units, as the integers that a ROM holds.

Reference and RTL both read them; how they are used is in :mod:`dovetail.models.m3vit` and in
docs/m3vit.md.
"""

from __future__ import annotations

import math
from functools import cache

from dovetail.arch.m3vit.formats import FEATURE, SQUARE_FRACTION_BITS

GELU_STEP_BITS = 5
"""Entries of the GELU table stand 1/32 apart."""
GELU_ENTRIES = 177
"""From 0 to 5.5, both included; beyond it GELU is ReLU."""

EXP_INDEX_BITS = 8
"""Bits of the fraction of a power of two that choose an entry of the table."""
EXP_FRACTION_BITS = 24
"""Of an entry of the table."""
LOG2_E = round(math.log2(math.e) * 2**FEATURE.fraction_bits)
"""With as many fraction bits as a feature."""

RSQRT_INDEX_BITS = 7
"""Entries of the table of inverse roots stand 1/128 apart, from 1 to 4."""
RSQRT_FRACTION_BITS = 24
"""Of an entry of the table."""
RSQRT_MANTISSA_BITS = 32
"""Of the normalised variance: two before the point."""

EPSILON = round(1e-6 * 2**SQUARE_FRACTION_BITS)
"""Added to the variance of a layer norm, whose fraction bits it has."""


@cache
def gelu_delta_rom() -> tuple[int, ...]:
    """``ReLU(a) - GELU(a) = a (1 - Phi(a))`` for ``a = 0, 1/32 ... 5.5``, in 22-bit fractions.

    Rounded to nearest, as the literals of Edge-MoE's table are.
    """
    points = (index / 2**GELU_STEP_BITS for index in range(GELU_ENTRIES))
    return tuple(
        round(a * math.erfc(a / math.sqrt(2)) / 2 * 2**FEATURE.fraction_bits) for a in points
    )


@cache
def exp2_rom() -> tuple[int, ...]:
    """``2**-(i / 256)`` for i from 0 to 256, both included, rounded to 24-bit fractions."""
    steps = 1 << EXP_INDEX_BITS
    return tuple(round(2 ** (EXP_FRACTION_BITS - index / steps)) for index in range(steps + 1))


@cache
def rsqrt_rom() -> tuple[int, ...]:
    """``1 / sqrt(m)`` for ``m = 1, 1 + 1/128 ... 4``, rounded to 24-bit fractions."""
    steps = 1 << RSQRT_INDEX_BITS
    return tuple(
        round(2**RSQRT_FRACTION_BITS / math.sqrt(1 + index / steps))
        for index in range(3 * steps + 1)
    )


def mean_factor(length: int) -> tuple[int, int]:
    """Factor and shift that divide a sum of ``length`` numbers: ``(sum * factor) >> shift``.

    The factor has 20 bits, so a mean is right to one part in a million.
    """
    shift = 19 + (length - 1).bit_length()
    return round(2**shift / length), shift


def attention_scale(head_dim: int) -> int:
    """``1 / sqrt(head_dim)``, truncated to a feature's fraction bits; 1/8 exactly for 64."""
    return math.isqrt(4**FEATURE.fraction_bits // head_dim)
