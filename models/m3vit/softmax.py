"""Softmax in one pass: a running maximum and a running sum of exponentials relative to it."""

from __future__ import annotations

import numpy as np

from dovetail.arch.m3vit.formats import FEATURE, RECIPROCAL, SOFTMAX_SUM
from dovetail.errors import ShapeError
from dovetail.models.m3vit.exponential import exp_negative
from dovetail.models.m3vit.fixed import Integers

ONE = 1 << FEATURE.fraction_bits


def running_softmax(x: Integers, *, first: Integers | int = 0) -> tuple[Integers, Integers]:
    """Maximum and reciprocal sum of each row; nothing else of a row is kept between the passes.

    The first number sets ``b = x`` and ``S = 1``, each later one is taken by :func:`softmax_step`.
    At the end the reciprocal is ``floor(2**53 / S)``.

    Parameters
    ----------
    x : int64, shape (rows, length)
        fixed<32,10>.
    first : int64, shape (rows,), or int
        Column with which each row begins, wrapping round at its end.  The order matters in the last
        bits, and reordered attention starts its queries at different keys.

    Returns
    -------
    bias : int64, shape (rows,)
        fixed<32,10>.
    reciprocal : int64, shape (rows,)
        ufixed<32,1>.
    """
    if x.ndim != 2 or x.shape[1] == 0:
        raise ShapeError(f"x has shape {x.shape}; it must be (rows, length) with a length of 1 up")
    rows, length = x.shape
    row = np.arange(rows)
    column = np.broadcast_to(np.asarray(first, dtype=np.int64), (rows,)) % length
    bias = x[row, column]
    total = np.full(rows, ONE, dtype=np.int64)
    for step in range(1, length):
        bias, total = softmax_step(bias, total, x[row, (column + step) % length])
    return bias, (1 << (SOFTMAX_SUM.fraction_bits + RECIPROCAL.fraction_bits)) // total


def softmax_step(bias: Integers, total: Integers, x: Integers) -> tuple[Integers, Integers]:
    """Take one more number of each row.

    With ``e = exp(-|x - b|)``: where ``x > b``, ``S = ((S * e) >> 22) + 1`` and ``b = x``; else
    ``S = S + e``.

    Parameters
    ----------
    bias, total, x : int64, shape (rows,)
        ``b``, ``S`` and the number.

    Returns
    -------
    bias, total : int64, shape (rows,)
    """
    larger = x > bias
    exponential = exp_negative(np.abs(x - bias))
    rescaled = ((total * exponential) >> FEATURE.fraction_bits) + ONE
    return np.where(larger, x, bias), np.where(larger, rescaled, total + exponential)


def probability(x: Integers, bias: Integers, reciprocal: Integers) -> Integers:
    """``exp(x - b) / S`` to 22 fraction bits: ``(e * reciprocal) >> 31``.

    Parameters
    ----------
    x, bias, reciprocal : int64, shapes that broadcast

    Returns
    -------
    int64
        fixed<32,10>, from 0 to 1.
    """
    result: Integers = (exp_negative(bias - x) * reciprocal) >> RECIPROCAL.fraction_bits
    return result
