"""The exponential unit: ``exp(-t)`` as a power of two from a table, interpolated."""

from __future__ import annotations

import numpy as np

from dovetail.arch.m3vit.formats import FEATURE
from dovetail.arch.m3vit.tables import EXP_FRACTION_BITS, EXP_INDEX_BITS, LOG2_E, exp2_rom
from dovetail.models.m3vit.fixed import Integers

_ROM = np.array(exp2_rom(), dtype=np.int64)
_REST_BITS = FEATURE.fraction_bits - EXP_INDEX_BITS
_LONGEST_SHIFT = EXP_FRACTION_BITS + 1  # beyond it nothing of an entry is left


def exp_negative(t: Integers) -> Integers:
    """``exp(-t)`` to 22 fraction bits, truncated; exactly 1 for t = 0.

    ``u = (t * LOG2_E) >> 22`` is the exponent of two.  The top 8 bits of its fraction choose two
    entries, the other 14 interpolate: ``y = T[i] - (((T[i] - T[i + 1]) * rest) >> 14)``.  The
    result is ``y >> (2 + whole)``.

    Parameters
    ----------
    t : int64, any shape
        22 fraction bits, not negative, below ``2**33``.

    Returns
    -------
    int64, shape of ``t``
        From 0 to ``2**22``.
    """
    exponent = (t * LOG2_E) >> FEATURE.fraction_bits
    whole = exponent >> FEATURE.fraction_bits
    fraction = exponent & ((1 << FEATURE.fraction_bits) - 1)
    index = fraction >> _REST_BITS
    rest = fraction & ((1 << _REST_BITS) - 1)
    step = _ROM[index] - _ROM[index + 1]
    mantissa = _ROM[index] - ((step * rest) >> _REST_BITS)
    shift = EXP_FRACTION_BITS - FEATURE.fraction_bits + whole
    result: Integers = mantissa >> np.minimum(shift, _LONGEST_SHIFT)
    return result
