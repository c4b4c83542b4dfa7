"""Floating-point reference arithmetic on bit patterns: exact, then rounded once, half to even.

Values travel as float64, which holds every number of the formats, and every product of two FP16
numbers or of one number and a short integer, exactly.  A sum may need more bits than that.  It is
first rounded to odd: of the two float64 around the exact sum, the one whose last bit is 1.  Its
53 bits keep on which side of every value and of every tie of a format of at most 24 bits the exact
sum lies, so the rounding that follows is the rounding of the exact sum (Boldo and Melquiond,
"Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to odd", IEEE
Transactions on Computers 57(4), 2008).

Every NaN is the canonical one of :class:`dovetail.arch.number_formats.FloatFormat`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, vectorize
from numpy.typing import ArrayLike, NDArray

from dovetail.arch.number_formats import BF16, FP16, FP32, FloatFormat
from dovetail.errors import ConfigError, ShapeError

MAX_SHIFT = 63

_WORDS = {FP16: np.uint16, FP32: np.uint32, BF16: np.uint16}


def to_float(bits: ArrayLike, form: FloatFormat) -> NDArray[np.float64]:
    """Return the numbers that bit patterns of a format stand for.

    Parameters
    ----------
    bits : integer, any shape
        0 to ``2**form.bits - 1``.
    form : FloatFormat
    """
    words = _words(bits, form)
    with np.errstate(invalid="ignore"):  # signalling NaN
        if form == FP16:
            return words.view(np.float16).astype(np.float64)
        wide = words.astype(np.uint32) << np.uint32(32 - form.bits)
        return wide.view(np.float32).astype(np.float64)


def from_float(value: ArrayLike, form: FloatFormat) -> NDArray[Any]:
    """Round float64 numbers to a format and return its bit patterns.

    Returns
    -------
    uint16 or uint32, shape of ``value``
    """
    # Minus zero, since 0 would make plus zero of it.
    return rounded_sum(np.asarray(value, dtype=np.float64), -0.0, form)


def add(accumulator: ArrayLike, exact: ArrayLike, form: FloatFormat) -> NDArray[Any]:
    """Return ``RN(accumulator + exact)`` as bits.

    Parameters
    ----------
    accumulator : integer
        Bit patterns of ``form``.
    exact : float64
        Such as an exact product.  Broadcast against ``accumulator``.
    form : FloatFormat
        Of the accumulator and of the result.
    """
    return rounded_sum(to_float(accumulator, form), exact, form)


def rounded_sum(x: ArrayLike, y: ArrayLike, form: FloatFormat) -> NDArray[Any]:
    """Return ``RN(x + y)`` as bits of ``form``, for two float64 arrays."""
    # Infinity less infinity is NaN here as in hardware, and no reason to warn.
    with np.errstate(invalid="ignore"):
        return _pattern(_round_sum(x, y, *_limits(form)), form)


def fused_multiply_add(
    accumulator: ArrayLike, a: ArrayLike, b: ArrayLike, form: FloatFormat
) -> NDArray[Any]:
    """Return ``RN(accumulator + a * b)`` as bits, ``a`` and ``b`` FP16.

    Parameters
    ----------
    accumulator : integer
        Bit patterns of ``form``.
    a, b : integer
        Bit patterns of FP16.  All three are broadcast.
    form : FloatFormat
        FP16 or FP32.
    """
    return add(accumulator, multiply(to_float(a, FP16), to_float(b, FP16)), form)


def multiply(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Return the product of two float64 arrays, NaN where 0 meets infinity, without a warning.

    Exact for two FP16 numbers, and for a number of any format and an integer of up to 29 bits.
    """
    with np.errstate(invalid="ignore"):
        return np.multiply(a, b, dtype=np.float64)


def dot(
    a: NDArray[np.float64], b: NDArray[np.float64], form: FloatFormat, *, start: int = 0
) -> NDArray[Any]:
    """Sum products along k, ascending, each product exact and each addition rounded to ``form``.

    What a column of output-stationary PEs computes.

    Parameters
    ----------
    a : float64, shape (m, k)
    b : float64, shape (n, k)
        Numbers whose products are exact; integers too.
    form : FloatFormat
        Of the sums.
    start : int
        Bits of the sums before the first product; +0 unless told.

    Returns
    -------
    uint16 or uint32, shape (m, n)
        Bit patterns of ``form``.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ShapeError(
            f"a has shape {a.shape} and b {b.shape}; they must be (m, k) and (n, k) with one k"
        )
    sums = np.full((len(a), len(b)), to_float(start, form))
    left = np.ascontiguousarray(a, dtype=np.float64)
    right = np.ascontiguousarray(b.T, dtype=np.float64)
    _accumulate(left, right, sums, *_limits(form))
    return _pattern(sums, form)


def sum_in_order(terms: NDArray[np.float64], form: FloatFormat) -> NDArray[Any]:
    """Sum numbers along the first axis, ascending, from +0, rounding each addition to ``form``.

    Parameters
    ----------
    terms : float64, shape (terms, n)
    form : FloatFormat
        Of the sums.

    Returns
    -------
    uint16 or uint32, shape (n,)
        Bit patterns of ``form``.
    """
    if terms.ndim != 2:
        raise ShapeError(f"terms have shape {terms.shape}; they must be (terms, n)")
    sums = np.zeros(terms.shape[1])
    _sum_rows(np.ascontiguousarray(terms, dtype=np.float64), sums, *_limits(form))
    return _pattern(sums, form)


def int_to_fp16(value: ArrayLike, shift: ArrayLike) -> NDArray[np.uint16]:
    """Return ``RN(value * 2**-shift)`` as FP16 bits.

    Parameters
    ----------
    value : integer
        Up to 53 bits.
    shift : integer
        0 to 63.
    """
    return from_float(_scaled(np.asarray(value, dtype=np.float64), shift), FP16)


def round_output(bits: ArrayLike, shift: ArrayLike) -> NDArray[np.uint16]:
    """Return ``RN(x * 2**-shift)`` as FP16 bits, for FP32 bits of ``x``.

    Parameters
    ----------
    bits : integer
        Bit patterns of FP32.
    shift : integer
        0 to 63.
    """
    return from_float(_scaled(to_float(bits, FP32), shift), FP16)


def _scaled(value: NDArray[np.float64], shift: ArrayLike) -> NDArray[np.float64]:
    shifts = np.asarray(shift)
    if shifts.size and not (0 <= shifts.min() and shifts.max() <= MAX_SHIFT):
        wrong = shifts[(shifts < 0) | (shifts > MAX_SHIFT)].flat[0]
        raise ConfigError(f"shift={wrong} must be from 0 to {MAX_SHIFT}; change shift")
    return value * 2.0 ** -shifts.astype(np.float64)


def _words(bits: ArrayLike, form: FloatFormat) -> NDArray[Any]:
    array = np.asarray(bits)
    word = _WORDS[form]
    if array.dtype == word:
        return array
    if array.dtype.kind not in "iu":
        raise ShapeError(f"bits are {array.dtype}; they must be integers, so view them as such")
    if array.size and not (0 <= array.min() and array.max() < 1 << form.bits):
        wrong = array[(array < 0) | (array >= 1 << form.bits)].flat[0]
        raise ShapeError(
            f"bits={wrong} are no pattern of {form.name}; they must be from 0 to 2^{form.bits} - 1"
        )
    return array.astype(word)


def _pattern(value: NDArray[np.float64], form: FloatFormat) -> NDArray[Any]:
    """Bits of numbers that the format holds."""
    array = np.asarray(value)
    bits: NDArray[Any]
    if form == FP16:
        bits = array.astype(np.float16).view(np.uint16)
    else:
        wide = array.astype(np.float32).view(np.uint32)
        bits = np.asarray(wide >> np.uint32(32 - form.bits), dtype=_WORDS[form])
    bits[np.isnan(array)] = form.nan
    return bits


def _limits(form: FloatFormat) -> tuple[int, int, float]:
    return form.fraction_bits, form.least_exponent, form.largest


# Numba inlines this into its callers, all of them in this file: its cache does not see an edit of
# a callee in another one.
@njit(cache=True, error_model="numpy")
def _rounded(x, y, fraction_bits, least_exponent, largest):  # type: ignore[no-untyped-def]
    """``x + y`` rounded once to a format, as float64."""
    total = x + y
    # What the rounding of ``total`` lost, exactly (Knuth's two-sum); NaN where it is not finite.
    part = total - x
    lost = (x - (total - part)) + (y - part)
    bits = np.float64(total).view(np.int64)
    outward = (lost > 0) == (total > 0)
    to_odd = 1 if outward else -1
    bits += to_odd if (abs(lost) > 0) and (bits & 1) == 0 else 0
    total = np.int64(bits).view(np.float64)
    # Adding 1.5 * 2^52 last bits of the result rounds at that bit, and the sum stays in its binade.
    exponent = ((bits >> 52) & 0x7FF) - 1023
    last = min(max(exponent - fraction_bits, least_exponent), 128)
    anchor = np.int64(((last + 52 + 1023) << 52) | (1 << 51)).view(np.float64)
    magnitude = abs((total + anchor) - anchor)
    return np.copysign(np.inf if magnitude > largest else magnitude, total)


@vectorize(cache=True)  # type: ignore[no-untyped-call]
def _round_sum(x, y, fraction_bits, least_exponent, largest):  # type: ignore[no-untyped-def]
    return _rounded(x, y, fraction_bits, least_exponent, largest)


@njit(cache=True, error_model="numpy")
def _accumulate(a, b, sums, fraction_bits, least_exponent, largest):  # type: ignore[no-untyped-def]
    """Kernel of :func:`dot`: ``b`` is (k, n), ``sums`` start and end in place."""
    rows, length = a.shape
    for row in range(rows):
        total = sums[row]
        for k in range(length):
            left = a[row, k]
            for column in range(len(total)):
                total[column] = _rounded(
                    total[column], left * b[k, column], fraction_bits, least_exponent, largest
                )


@njit(cache=True, error_model="numpy")
def _sum_rows(terms, sums, fraction_bits, least_exponent, largest):  # type: ignore[no-untyped-def]
    """Kernel of :func:`sum_in_order`: ``terms`` is (terms, n), ``sums`` start and end in place."""
    for term in terms:
        for column in range(len(sums)):
            sums[column] = _rounded(
                sums[column], term[column], fraction_bits, least_exponent, largest
            )
