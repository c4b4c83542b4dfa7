"""GELU as ReLU minus a correction that a table of 177 entries gives."""

from __future__ import annotations

import numpy as np

from dovetail.arch.m3vit.formats import FEATURE
from dovetail.arch.m3vit.tables import GELU_ENTRIES, GELU_STEP_BITS, gelu_delta_rom
from dovetail.models.m3vit.fixed import Integers

_ROM = np.array([*gelu_delta_rom(), 0], dtype=np.int64)
_REST_BITS = FEATURE.fraction_bits - GELU_STEP_BITS


def delta_gelu(x: Integers) -> Integers:
    """GELU of fixed<32,10>.

    With ``a = |x|``, index ``i = a >> 17`` and ``rest`` its low 17 bits, the correction is
    ``T[i] + (((T[i + 1] - T[i]) * rest) >> 17)`` below 5.5, and 0 from there on; the shift rounds
    towards minus infinity.

    Parameters
    ----------
    x : int64, any shape

    Returns
    -------
    int64, shape of ``x``
    """
    magnitude = np.abs(x)
    index = np.minimum(magnitude >> _REST_BITS, GELU_ENTRIES - 1)
    rest = magnitude & ((1 << _REST_BITS) - 1)
    step = _ROM[index + 1] - _ROM[index]
    correction = _ROM[index] + ((step * rest) >> _REST_BITS)
    inside = index < GELU_ENTRIES - 1
    result: Integers = np.maximum(x, 0) - np.where(inside, correction, 0)
    return result
