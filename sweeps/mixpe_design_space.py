"""Which PE gives the best quality for its area and power, library by library?

The paper's design-space plot: (1 / area) x (1 / power) of a PE, FP16 x FP16 = 1, against the
signal-to-noise ratio that its number formats leave; here both are measured.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from dovetail.arch.costs import UnitCost
from dovetail.arch.technology import Technology
from dovetail.errors import ConfigError
from dovetail.models.pe_formats import PeFormat
from dovetail.sweeps.pe_snr import PES, pe_format, pooled

FloatSums = Literal["fp32", "fp16"]

REFERENCE = "fp16.pe"
PUBLISHED_EFFICIENCY = {
    "fp16.pe": 1.0,
    "dequant.pe_w4a16": 1.0,
    "mixpe.pe_w4a16": 4.82,
    "int8.pe": 58.28,
    "dequant.pe_w4a8": 58.28,
    "mixpe.pe_w4a8": 133.38,
}
"""The paper's abscissae, FP16 x FP16 = 1: dse.py in the authors' simulator at 769f0c8.

Its ordinates are entered by hand (4.5 an FP16, 3 an INT8, 1.5 an INT4 operand, multiplied), so that
they are no measurement and are left out.
"""

_COLUMNS = (
    "technology",
    "pe",
    "clock_mhz",
    "area_um2",
    "power_uw",
    "efficiency",
    "relative",
    "published",
    "snr_db",
    "snr_db_least",
    "snr_db_most",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeComparison:
    """One PE against another in the same library.

    Attributes
    ----------
    area_um2, power_uw : tuple of float
        Of the PE and of the one that it is compared with.
    """

    area_um2: tuple[float, float]
    power_uw: tuple[float, float]

    @property
    def area_gain(self) -> float:
        """How many times smaller the PE is."""
        return self.area_um2[1] / self.area_um2[0]

    @property
    def power_gain(self) -> float:
        """How many times less power it takes."""
        return self.power_uw[1] / self.power_uw[0]

    @property
    def gain(self) -> float:
        """Ratio of (1 / area) x (1 / power)."""
        return self.area_gain * self.power_gain


def design_space(
    tables: Iterable[Technology],
    *,
    group: int = 128,
    zero_point: bool = False,
    sums: FloatSums = "fp32",
) -> pd.DataFrame:
    """Put every PE of each table on the axes of the plot.

    Parameters
    ----------
    tables : iterable of Technology
        A table that lacks a PE has no row for it.
    group, zero_point
        Of INT4 weights; ``group`` is also the length for which a PE is built.
    sums : str
        ``fp32`` or ``fp16``, of floating-point PEs.

    Returns
    -------
    DataFrame
        One row a table and PE: ``technology``, ``pe``, ``clock_mhz`` (the table's), ``area_um2``,
        ``power_uw`` (an operation in every cycle, and leakage), ``efficiency`` (1 / (um2 uW)),
        ``relative`` (efficiency over that of :data:`REFERENCE` in the same table; NaN where it has
        none), ``published`` (the paper's; NaN where it has none), and of the layers'
        signal-to-noise ratios ``snr_db`` (median), ``snr_db_least``, ``snr_db_most``.
    """
    rows = [
        _row(table, pe, pe_cost(table, pe, group, sums))
        | _quality(pe_format(pe, group=group, zero_point=zero_point, sums=sums))
        for table in tables
        for pe in PES
        if pe in table.units
    ]
    frame = pd.DataFrame(rows, columns=_COLUMNS)
    reference = frame[frame["pe"] == REFERENCE].set_index("technology")["efficiency"]
    frame["relative"] = frame["efficiency"] / frame["technology"].map(reference)
    return frame


def compare_pes(
    frame: pd.DataFrame, technology: str, pe: str, baseline: str
) -> PeComparison | None:
    """Compare two PEs of :func:`design_space` in one table; None where one is not in it."""
    rows = frame[frame["technology"] == technology].set_index("pe")
    if pe not in rows.index or baseline not in rows.index:
        return None
    area, power = (rows.loc[[pe, baseline], name] for name in ("area_um2", "power_uw"))
    return PeComparison(
        area_um2=(float(area.iloc[0]), float(area.iloc[1])),
        power_uw=(float(power.iloc[0]), float(power.iloc[1])),
    )


def compare_units(
    table: Technology, unit: str, baseline: str, *, sums: FloatSums, group: int = 128
) -> PeComparison:
    """Compare any two units of a table that do an operation in every cycle."""
    one, other = (pe_cost(table, name, group, sums) for name in (unit, baseline))
    return PeComparison(
        area_um2=(one.area_um2.value, other.area_um2.value),
        power_uw=(power_uw(table, one), power_uw(table, other)),
    )


def pe_cost(table: Technology, pe: str, group: int, sums: FloatSums) -> UnitCost:
    """Return the entry of a PE as built for ``group`` and ``sums``, where it depends on them."""
    points = table.units[pe]
    for point in points:
        if point.max_group in (None, group) and point.sum_format in (None, sums):
            return point
    raise ConfigError(
        f"technology {table.name!r} has no entry of unit {pe!r} for max_group={group} and "
        f"sum_format={sums}; add one, or choose a group and sums that it has"
    )


def power_uw(table: Technology, cost: UnitCost) -> float:
    """Power in uW of a unit that does an operation in every cycle of the table's clock."""
    energy_pj = cost.data_pj_per_op.value
    if cost.clock_pj_per_cycle is not None:
        energy_pj += cost.clock_pj_per_cycle.value
    return energy_pj * table.clock_mhz + cost.leakage_nw.value * 1e-3  # pJ x MHz = uW


def _row(table: Technology, pe: str, cost: UnitCost) -> dict[str, str | float]:
    area_um2, power = cost.area_um2.value, power_uw(table, cost)
    return {
        "technology": table.name,
        "pe": pe,
        "clock_mhz": table.clock_mhz,
        "area_um2": area_um2,
        "power_uw": power,
        "efficiency": 1 / (area_um2 * power),
        "published": PUBLISHED_EFFICIENCY.get(pe, float("nan")),
    }


def _quality(form: PeFormat) -> dict[str, str | float]:
    snr = pooled(form)
    return {
        "snr_db": snr["snr_db_median"],
        "snr_db_least": snr["snr_db_least"],
        "snr_db_most": snr["snr_db_most"],
    }
