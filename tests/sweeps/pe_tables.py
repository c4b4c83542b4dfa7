"""Technology tables with made-up PEs, in figures that one can multiply in one's head."""

from __future__ import annotations

from collections.abc import Mapping

from dovetail.arch.costs import Figure, UnitCost
from dovetail.arch.technology import Technology

Pe = tuple[float, float, float, float]  # um2, pJ an operation, pJ a cycle of the clock, nW


def table(
    name: str,
    pes: Mapping[str, Pe],
    *,
    clock_mhz: float = 500.0,
    max_group: int | None = None,
) -> Technology:
    """A table whose units are ``pes``."""
    return Technology(
        name=name,
        title=name,
        notes=("made up for a test",),
        clock_mhz=clock_mhz,
        sram_node_nm=45,
        dram="hbm2",
        sources={},
        units={pe: (_cost(*values, max_group),) for pe, values in pes.items()},
    )


def _cost(
    area: float, data: float, clock: float, leakage: float, max_group: int | None
) -> UnitCost:
    def figure(value: float) -> Figure:
        return Figure(value=value, node_nm=7.0, source="made up for a test", uncertainty=0.1)

    return UnitCost(
        component="a made-up PE",
        max_group=max_group,
        area_um2=figure(area),
        data_pj_per_op=figure(data),
        clock_pj_per_cycle=figure(clock),
        leakage_nw=figure(leakage),
        delay_ns=figure(1.0),
    )
