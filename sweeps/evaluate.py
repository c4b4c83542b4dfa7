"""One design point on one workload: simulate it, price it, and make its row of the store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dovetail.arch.events import STALLS
from dovetail.arch.gemm import Gemm, TileMapping
from dovetail.arch.technology import Technology, load_technology, technology
from dovetail.models.trace import Trace
from dovetail.sim.result import GemmResult, RunResult
from dovetail.systems import System, part


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A simulated and priced design.

    Attributes
    ----------
    result : RunResult
    time_ms : float
        Cycles at the engine's clock.
    energy : dict of str to float
        Component to pJ.
    area : dict of str to float
        Component to um2.
    array_um2 : float
        Area of the array alone: what designs of equal array area share.
    energy_bounds_pj, area_bounds_um2 : tuple of float
        Least and most of the totals, from the uncertainty of the technology's figures.
    """

    result: RunResult
    time_ms: float
    energy: Mapping[str, float]
    area: Mapping[str, float]
    array_um2: float
    energy_bounds_pj: tuple[float, float]
    area_bounds_um2: tuple[float, float]

    @property
    def energy_pj(self) -> float:
        return sum(self.energy.values())

    @property
    def area_um2(self) -> float:
        return sum(self.area.values())


def find_technology(name_or_path: str) -> Technology:
    """Load a packaged technology by name, or a table of one's own from a ``.toml`` file."""
    if name_or_path.endswith(".toml"):
        return load_technology(Path(name_or_path))
    return technology(name_or_path)


def evaluate(design: Any, trace: Trace, *, system: System, technology: Technology) -> Evaluation:
    """Simulate ``design`` on ``trace`` and price the events.

    Raises
    ------
    ConfigError
        Where the clock is faster than the slowest part in this technology.
    """
    engine = design.engine
    technology.check_clock(engine)  # before the simulation, which takes longer
    result: RunResult = part(system, "simulate")(design, trace)
    return Evaluation(
        result=result,
        time_ms=result.cycles / (engine.clock_mhz * 1e3),
        energy=technology.energy_pj(engine, result.events),
        area=technology.area_um2(engine),
        array_um2=technology.array_um2(engine),
        energy_bounds_pj=technology.energy_range_pj(engine, result.events),
        area_bounds_um2=technology.area_range_um2(engine),
    )


def evaluation_row(evaluation: Evaluation) -> dict[str, Any]:
    """Columns of the store that come from one evaluation."""
    result = evaluation.result
    gemms, operators = _operators(result)
    return {
        "backend": "simulator",
        "cycles": result.cycles,
        "macs": result.macs,
        "stall_cycles": result.stall_cycles,
        "peak_macs_per_cycle": result.peak_macs_per_cycle,
        "utilization": result.utilization,
        "time_ms": evaluation.time_ms,
        "energy_pj": evaluation.energy_pj,
        "energy_low_pj": evaluation.energy_bounds_pj[0],
        "energy_high_pj": evaluation.energy_bounds_pj[1],
        "area_um2": evaluation.area_um2,
        "area_low_um2": evaluation.area_bounds_um2[0],
        "area_high_um2": evaluation.area_bounds_um2[1],
        "array_um2": evaluation.array_um2,
        "energy": json.dumps(dict(evaluation.energy)),
        "area": json.dumps(dict(evaluation.area)),
        "gemms": json.dumps(gemms),
        "operators": json.dumps(operators),
        **{event.value: int(count) for event, count in result.events.items()},
    }


def _operators(result: RunResult) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Distinct GEMMs, and operators that name them, with identical layers merged.

    A network of 32 equal layers takes the space of one: ``layers`` lists inclusive ranges.
    """
    gemms: dict[tuple[Gemm, TileMapping], tuple[int, GemmResult]] = {}
    numbers: dict[int, int] = {}  # by identity, which is faster: most layers share their results
    operators: dict[tuple[str, int, int], list[list[int]]] = {}
    for op in result.ops:
        at = numbers.get(id(op.result))
        if at is None:
            key = (op.result.gemm, op.result.mapping)
            at, _ = gemms.setdefault(key, (len(gemms), op.result))
            numbers[id(op.result)] = at
        ranges = operators.setdefault((op.name, op.count, at), [])
        if ranges and ranges[-1][1] == op.layer - 1 >= 0:
            ranges[-1][1] = op.layer
        else:
            ranges.append([op.layer, op.layer])
    return [
        {
            **asdict(gemm.gemm),
            **asdict(gemm.mapping),
            "cycles": gemm.cycles,
            "utilization": gemm.gemm.macs / (result.peak_macs_per_cycle * gemm.cycles),
            **{event.value: int(gemm.events[event]) for event in STALLS},
        }
        for _, gemm in gemms.values()
    ], [
        {"name": name, "count": count, "gemm": at, "layers": ranges}
        for (name, count, at), ranges in operators.items()
    ]
