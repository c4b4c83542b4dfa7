"""Tables of the signed sums of a step's activations: how many entries, how wide."""

from __future__ import annotations

from typing import Any

from amaranth import signed, unsigned
from amaranth.lib import data

from dovetail.arch.number_formats import FP16, FloatFormat
from dovetail.errors import ConfigError

__all__ = [
    "FLOAT_EXPONENTS",
    "ORIGIN",
    "check_lut_k",
    "entries",
    "full_float_table",
    "full_integer_table",
    "float_table",
    "highest_exponent",
    "integer_table",
    "quantised_float_table",
    "quantised_integer_table",
]

ENTRY_BITS = 8
"""Of quantised entries, -127 to 127."""

ORIGIN = FP16.least_exponent
"""Power of two of a quantised table of FP16 numbers with exponent 0: that of their last bit."""

LEAST_K, MOST_K = 2, 8


def check_lut_k(lut_k: int) -> None:
    """Refuse a step of fewer than 2 or more than 8 activations."""
    if not LEAST_K <= lut_k <= MOST_K:
        raise ConfigError(
            f"lut_k={lut_k} must be from {LEAST_K} to {MOST_K}; change how many k a table covers"
        )


def entries(lut_k: int) -> int:
    """Entries of a symmetric table: those of which the last activation is subtracted."""
    check_lut_k(lut_k)
    return 1 << (lut_k - 1)


def integer_table(lut_k: int, activation_bits: int) -> data.ArrayLayout:
    """Layout of an exact table of integers, entry 0 in the low bits.

    The largest entry is ``lut_k * 2**(activation_bits - 1)``: nothing but -2^(b-1) subtracted.  For
    a power of two of activations it takes a bit more than the least one does.
    """
    largest = lut_k << (activation_bits - 1)
    return data.ArrayLayout(signed(largest.bit_length() + 1), entries(lut_k))


def full_integer_table(lut_k: int, activation_bits: int) -> data.ArrayLayout:
    """Layout of a table with one sum for each subset of the activations, the empty one first."""
    check_lut_k(lut_k)
    largest = lut_k << (activation_bits - 1)  # in magnitude: the sum of the least ones
    return data.ArrayLayout(signed((largest - 1).bit_length() + 1), 1 << lut_k)


def full_float_table(lut_k: int, form: FloatFormat) -> data.ArrayLayout:
    """Layout of a table of bit patterns with one sum for each subset of the activations."""
    check_lut_k(lut_k)
    return data.ArrayLayout(unsigned(form.bits), 1 << lut_k)


def float_table(lut_k: int, form: FloatFormat) -> data.ArrayLayout:
    """Layout of a table of bit patterns of ``form``, entry 0 in the low bits."""
    return data.ArrayLayout(unsigned(form.bits), entries(lut_k))


def highest_exponent(largest: int) -> int:
    """Least ``e`` with which ``largest / 2**e``, rounded half to even, is at most 127."""
    return next(e for e in range(largest.bit_length()) if 2 * largest < 255 << e)


# Entries are below 2^16, in units of ``2**ORIGIN``.
FLOAT_EXPONENTS = highest_exponent(int(FP16.largest * 2.0**-ORIGIN)) + 1
"""How many exponents a quantised table of FP16 numbers can have."""


def quantised_integer_table(lut_k: int, activation_bits: int) -> data.StructLayout:
    """Layout of INT8 entries that stand for themselves times ``2**exponent``, 0 and up."""
    highest = highest_exponent(lut_k << (activation_bits - 1))
    return _quantised(lut_k, {"exponent": range(highest + 1)})


def quantised_float_table(lut_k: int) -> data.StructLayout:
    """Layout of INT8 entries that stand for themselves times ``2**(ORIGIN + exponent)``.

    ``nan`` is set where an entry was infinite or not a number, which INT8 cannot say.
    """
    return _quantised(lut_k, {"exponent": range(FLOAT_EXPONENTS), "nan": 1})


def _quantised(lut_k: int, more: dict[str, Any]) -> data.StructLayout:
    table = data.ArrayLayout(signed(ENTRY_BITS), entries(lut_k))
    return data.StructLayout({"entries": table, **more})
