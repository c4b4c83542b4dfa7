"""Tables of the signed sums of a step's activations: how many entries, how wide."""

from __future__ import annotations

from amaranth import signed, unsigned
from amaranth.lib import data

from dovetail.arch.number_formats import FloatFormat
from dovetail.errors import ConfigError

__all__ = ["check_lut_k", "entries", "float_table", "integer_table"]

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


def float_table(lut_k: int, form: FloatFormat) -> data.ArrayLayout:
    """Layout of a table of bit patterns of ``form``, entry 0 in the low bits."""
    return data.ArrayLayout(unsigned(form.bits), entries(lut_k))
