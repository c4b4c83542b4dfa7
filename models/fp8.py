"""FP8 E4M3, the format of eight-bit floating-point activations: numbers, and rounding to it.

A sign, four bits of exponent (bias 7) and three of fraction.  There is no infinity: the highest
exponent holds numbers too, up to 448, and only ``S.1111.111`` is NaN.

Source: Micikevicius et al., "FP8 Formats for Deep Learning", arXiv 2209.05433, table 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dovetail.arch.number_formats import FP16
from dovetail.errors import ShapeError
from dovetail.models.floating import from_float

LARGEST = 448.0
NAN = 0x7F
_BIAS, _FRACTION_BITS = 7, 3


def fp8_to_float(codes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the numbers that E4M3 codes stand for; both codes of NaN give NaN.

    Parameters
    ----------
    codes : uint8, any shape
    """
    codes = np.asarray(codes)
    if codes.dtype != np.uint8:
        raise ShapeError(f"codes are {codes.dtype}; FP8 codes must be uint8, so view them as such")
    return np.asarray(_NUMBERS[codes])


def fp8_to_fp16(codes: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Convert to FP16 bits, exactly: all of E4M3 lies within FP16's normal numbers; NaN stays NaN.

    Parameters
    ----------
    codes : uint8, any shape
    """
    return from_float(fp8_to_float(codes), FP16)


def float_to_fp8(value: ArrayLike) -> NDArray[np.uint8]:
    """Round to E4M3, half to even.

    What exceeds 448, infinity too, becomes +-448 (the paper's saturating conversion).  NaN becomes
    the positive one.

    Parameters
    ----------
    value : float, any shape
    """
    number = np.asarray(value, dtype=np.float64)
    magnitude = np.where(np.isnan(number), 0.0, np.minimum(np.abs(number), LARGEST))
    # Weight of the last bit: of the number's binade, or of the subnormal numbers.
    _, exponent = np.frexp(np.maximum(magnitude, 2.0 ** (1 - _BIAS)))
    last = exponent - 1 - _FRACTION_BITS
    steps = np.rint(np.ldexp(magnitude, -last)).astype(np.int64)
    # Codes of one sign are in the order of their numbers, so a carry runs on into the exponent.
    code = ((last + _FRACTION_BITS + _BIAS - 1) << _FRACTION_BITS) + steps
    code = np.where(np.isnan(number), NAN, code | np.signbit(number).astype(np.int64) << 7)
    return code.astype(np.uint8)


def _numbers() -> NDArray[np.float64]:
    codes = np.arange(256)
    field, fraction = codes >> _FRACTION_BITS & 15, codes & 7
    significand = np.where(field > 0, 8 + fraction, fraction)
    last = np.maximum(field, 1) - _BIAS - _FRACTION_BITS
    number: NDArray[np.float64] = np.ldexp(significand.astype(np.float64), last)
    number[codes & 0x7F == NAN] = np.nan
    number[codes >> 7 == 1] *= -1.0
    return number


_NUMBERS = _numbers()
