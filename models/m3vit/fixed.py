"""Fixed-point arithmetic in int64: conversion, wrap-around and exact matrix products.

A number is held as the integer that its bits are; which format it has is said where it is used.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dovetail.arch.m3vit.formats import FEATURE, FixedFormat
from dovetail.errors import ShapeError

Integers = NDArray[np.int64]

_HALF_BITS = 16
LONGEST_PRODUCT = 1 << 20
"""Reduction length up to which partial products of two 16-bit halves sum exactly in float64."""


def wrap(value: Integers, form: FixedFormat) -> Integers:
    """Keep the low ``form.bits`` bits: what ``AP_WRAP`` does with a result that is too large."""
    span = np.int64(1) << np.int64(form.bits)
    result: Integers = ((value - form.least) & (span - 1)) + form.least
    return result


def to_fixed(value: ArrayLike, form: FixedFormat) -> Integers:
    """Truncate real numbers towards minus infinity, and wrap (``AP_TRN``, ``AP_WRAP``)."""
    scaled = np.floor(np.asarray(value, dtype=np.float64) * 2.0**form.fraction_bits)
    return wrap(scaled.astype(np.int64), form)


def to_float(value: Integers, form: FixedFormat = FEATURE) -> NDArray[np.float64]:
    """The real numbers that the integers stand for."""
    real: NDArray[np.float64] = value * np.float64(2.0**-form.fraction_bits)
    return real


def product(a: Integers, b: Integers) -> Integers:
    """``a @ b`` modulo ``2**64``, exactly: at most 33-bit operands, in halves through float64.

    Parameters
    ----------
    a : int64, shape (..., m, k)
    b : int64, shape (..., k, n)
    """
    if a.shape[-1] > LONGEST_PRODUCT:
        raise ShapeError(f"k={a.shape[-1]} must be at most {LONGEST_PRODUCT}; split the product")
    total: Integers = np.zeros(1, np.int64)
    for a_half, a_shift in _halves(a):
        for b_half, b_shift in _halves(b):
            partial = (a_half @ b_half).astype(np.int64)
            total = total + (partial << np.int64(a_shift + b_shift))
    return total


def _halves(value: Integers) -> list[tuple[NDArray[np.float64], int]]:
    """The upper and lower half as numbers that float64 multiplies fast; one where it is enough."""
    narrow = value.size == 0 or -(1 << _HALF_BITS) <= value.min() <= value.max() < 1 << _HALF_BITS
    if narrow:
        return [(value.astype(np.float64), 0)]
    low = value & ((1 << _HALF_BITS) - 1)
    return [(low.astype(np.float64), 0), ((value >> _HALF_BITS).astype(np.float64), _HALF_BITS)]
