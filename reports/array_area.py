"""The area of a point's array alone, and when two arrays count as equally large."""

from __future__ import annotations

import pandas as pd

from dovetail.arch.units import CORE_UNITS
from dovetail.reports.study import component_columns
from dovetail.sweeps.equal_area import BAND

EQUAL_AREA = 2 * BAND
"""Arrays count as equal in area up to this relative difference: each of a sweep lies within the
band of its target, on either side."""

_ARRAY_PARTS = {u.component for units in CORE_UNITS.values() for u in units if u.in_array}


def array_um2(rows: pd.DataFrame) -> pd.Series:
    """Area of each point's array, without memories and what stands beside the array."""
    parts = component_columns(rows, "area", "um2")
    return parts[[name for name in parts.columns if name in _ARRAY_PARTS]].sum(axis=1)
