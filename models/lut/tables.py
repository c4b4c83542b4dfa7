"""Symmetric tables of groups of activations, exact or rounded to 8 bits.

The table of a step ``a_0 .. a_(k-1)`` holds its sums with every choice of signs whose last one is
minus: ``T[i] = -a_(k-1) + sum_j (2 i_j - 1) a_j`` over the bits ``i_j`` of i.  A choice whose last
sign is plus is minus the entry of the inverted choice, so half a table is enough.

Sources: LUT Tensor Core (DOI 10.1145/3695053.3731057), equations 4 and 5 and section 3.1 for one
scale a table; that the scale is a power of two, and all roundings, are Dovetail's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.number_formats import FP16
from dovetail.errors import ShapeError
from dovetail.models.floating import add, from_float, to_float
from dovetail.models.lut.formats import Additions, check_lut_k

Number = TypeVar("Number", np.int64, np.float64)

TABLE_MAX = 127
"""Largest magnitude of an entry of 8 bits, so that its sign can be turned."""


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedTables:
    """Tables of 8-bit entries: ``table ~= entries * 2^exponent``.

    Attributes
    ----------
    entries : int8, shape (m, steps, 2^(lut_k-1))
        -127..127; 0 where the table is not ``finite``.
    exponent : int64, shape (m, steps)
    finite : bool, shape (m, steps)
        False where the table has an infinity or NaN: no 8 bits stand for these, and whatever is
        looked up in it is NaN.
    """

    entries: NDArray[np.int8]
    exponent: NDArray[np.int64]
    finite: NDArray[np.bool_]

    @property
    def scale(self) -> NDArray[np.float64]:
        """Return ``2^exponent``, NaN where the table is not finite."""
        return np.where(self.finite, np.ldexp(1.0, self.exponent), np.nan)


def table_entry_bits(activation_bits: int, lut_k: int) -> int:
    """Width of an exact entry of signed integer activations: 11 bits for INT8 and ``lut_k = 4``.

    Sums reach ``lut_k * 2^(activation_bits - 1)``, with either sign.
    """
    check_lut_k(lut_k)
    return (lut_k << (activation_bits - 1)).bit_length() + 1


def integer_tables(activations: NDArray[np.integer], lut_k: int) -> NDArray[np.int64]:
    """Exact tables of integer activations.

    Parameters
    ----------
    activations : integer, shape (m, k)
        What is missing of the last step is 0.
    lut_k : int

    Returns
    -------
    int64, shape (m, steps, 2^(lut_k-1))
    """
    groups = _steps(activations.astype(np.int64), lut_k)
    return np.asarray(groups @ _signs(lut_k).T)


def fp16_tables(
    activations: NDArray[np.float64], lut_k: int, additions: Additions = "ascending"
) -> NDArray[np.uint16]:
    """Tables of FP16 entries: sums of the signed activations, rounding each addition.

    Parameters
    ----------
    activations : float64, shape (m, k)
        Numbers that FP16 holds.  What is missing of the last step is +0.
    lut_k : int
    additions : str
        ``ascending``: by ascending k, one after the other.  ``pairs``: neighbours in pairs, their
        sums in pairs again; an odd one out waits.

    Returns
    -------
    uint16, shape (m, steps, 2^(lut_k-1))
        Bits of FP16.  Nothing is added to a first activation, so an entry may be -0.
    """
    groups = _steps(np.asarray(activations, dtype=np.float64), lut_k)
    signs = _signs(lut_k)
    terms = [from_float(groups[:, :, None, j] * signs[:, j], FP16) for j in range(lut_k)]
    if additions == "ascending":
        return reduce(_add, terms)
    while len(terms) > 1:
        pairs = [_add(*terms[j : j + 2]) for j in range(0, len(terms) - 1, 2)]
        terms = pairs + terms[2 * len(pairs) :]
    return terms[0]


def _add(x: NDArray[np.uint16], y: NDArray[np.uint16]) -> NDArray[np.uint16]:
    return add(x, to_float(y, FP16), FP16)


def quantize_integer_tables(tables: NDArray[np.int64]) -> QuantizedTables:
    """Round exact integer tables to 8 bits; the exponent is 0 or more.

    Parameters
    ----------
    tables : int64, shape (m, steps, entries)
    """
    return _quantize(tables.astype(np.float64), least_exponent=0)


def quantize_fp16_tables(tables: NDArray[np.uint16]) -> QuantizedTables:
    """Round FP16 tables to 8 bits; the exponent is -24 to 10.

    -24 is FP16's last bit: a smaller one would keep no more of any entry.

    Parameters
    ----------
    tables : uint16, shape (m, steps, entries)
        Bits of FP16.
    """
    return _quantize(to_float(tables, FP16), least_exponent=FP16.least_exponent)


def _quantize(tables: NDArray[np.float64], *, least_exponent: int) -> QuantizedTables:
    """Divide by the smallest power of two that brings every entry to -127..127, half to even.

    Tables of zeros have the least exponent.
    """
    peak = np.abs(tables).max(axis=2)
    finite = np.isfinite(peak)
    fraction, exponent = np.frexp(np.where(finite, peak, 0.0))
    # 128 * fraction lies from 64 on and below 128; from 127.5 on it would round to 128.
    exponent = exponent - 7 + (np.rint(fraction * (TABLE_MAX + 1)) > TABLE_MAX)
    exponent = np.where(finite & (peak > 0), np.maximum(exponent, least_exponent), least_exponent)
    entries = np.rint(np.ldexp(np.where(finite[:, :, None], tables, 0.0), -exponent[:, :, None]))
    return QuantizedTables(
        entries=entries.astype(np.int8), exponent=exponent.astype(np.int64), finite=finite
    )


def _steps(activations: NDArray[Number], lut_k: int) -> NDArray[Number]:
    """Cut k into steps, zeros beyond: (m, k) to (m, steps, lut_k)."""
    check_lut_k(lut_k)
    if activations.ndim != 2:
        raise ShapeError(f"activations have shape {activations.shape}; they must be (m, k)")
    m, k = activations.shape
    padded = np.zeros((m, -(-k // lut_k) * lut_k), dtype=activations.dtype)
    padded[:, :k] = activations
    return padded.reshape(m, -1, lut_k)


def _signs(lut_k: int) -> NDArray[np.int64]:
    """Sign of each activation in each entry, int64 of shape (2^(lut_k-1), lut_k)."""
    entry = np.arange(1 << (lut_k - 1))[:, None]
    return 2 * (entry >> np.arange(lut_k) & 1) - 1
