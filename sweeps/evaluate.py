"""One design point on one workload: simulate it, price it, and make its row of the store."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dovetail.arch.events import STALLS
from dovetail.arch.technology import Technology, load_technology, technology
from dovetail.models.trace import Trace
from dovetail.sim.result import NetworkRun, OneRun
from dovetail.systems import System, part


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A simulated and priced design.

    Attributes
    ----------
    result : NetworkRun
    clock_mhz : float
        Of the engine.
    energy : dict of str to float
        Component to pJ.
    area : dict of str to float
        Component to um2.
    array_um2 : float
        Area of the array alone: what designs of equal array area share.
    energy_bounds_pj, area_bounds_um2 : tuple of float
        Least and most of the totals, from the uncertainty of the technology's figures.
    """

    result: NetworkRun
    clock_mhz: float
    energy: Mapping[str, float]
    area: Mapping[str, float]
    array_um2: float
    energy_bounds_pj: tuple[float, float]
    area_bounds_um2: tuple[float, float]

    @property
    def time_ms(self) -> float:
        """Cycles at the engine's clock."""
        return time_ms(self.result, self.clock_mhz)

    @property
    def energy_pj(self) -> float:
        return sum(self.energy.values())

    @property
    def area_um2(self) -> float:
        return sum(self.area.values())


def time_ms(result: NetworkRun, clock_mhz: float) -> float:
    """Cycles of a run at a clock, in milliseconds."""
    return result.cycles / (clock_mhz * 1e3)


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
    result: NetworkRun = part(system, "simulate")(design, trace)
    return Evaluation(
        result=result,
        clock_mhz=engine.clock_mhz,
        energy=technology.energy_pj(engine, result.events),
        area=technology.area_um2(engine),
        array_um2=technology.array_um2(engine),
        energy_bounds_pj=technology.energy_range_pj(engine, result.events),
        area_bounds_um2=technology.area_range_um2(engine),
    )


def run_row(result: NetworkRun, *, clock_mhz: float) -> dict[str, Any]:
    """Columns of the store that come from a simulation."""
    runs, operators = _operators(result)
    return {
        "backend": "simulator",
        "cycles": result.cycles,
        "macs": result.macs,
        "stall_cycles": result.stall_cycles,
        "peak_macs_per_cycle": result.peak_macs_per_cycle,
        "utilization": result.utilization,
        "time_ms": time_ms(result, clock_mhz),
        "runs": json.dumps(runs),
        "operators": json.dumps(operators),
        **{event.value: int(count) for event, count in result.events.items()},
    }


def evaluation_row(evaluation: Evaluation) -> dict[str, Any]:
    """Columns of the store that come from one evaluation."""
    return run_row(evaluation.result, clock_mhz=evaluation.clock_mhz) | {
        "energy_pj": evaluation.energy_pj,
        "energy_low_pj": evaluation.energy_bounds_pj[0],
        "energy_high_pj": evaluation.energy_bounds_pj[1],
        "area_um2": evaluation.area_um2,
        "area_low_um2": evaluation.area_bounds_um2[0],
        "area_high_um2": evaluation.area_bounds_um2[1],
        "array_um2": evaluation.array_um2,
        "energy": json.dumps(dict(evaluation.energy)),
        "area": json.dumps(dict(evaluation.area)),
    }


def _operators(result: NetworkRun) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Distinct runs, and operators that name them, with identical layers merged.

    A network of 32 equal layers takes the space of one: ``layers`` lists inclusive ranges.
    """
    runs: dict[Hashable, tuple[int, OneRun]] = {}
    numbers: dict[int, int] = {}  # by identity, which is faster: most layers share their results
    operators: dict[tuple[str, int, int], list[list[int]]] = {}
    for op in result.ops:
        at = numbers.get(id(op.result))
        if at is None:
            at, _ = runs.setdefault(op.result.key, (len(runs), op.result))
            numbers[id(op.result)] = at
        ranges = operators.setdefault((op.name, op.count, at), [])
        if ranges and ranges[-1][1] == op.layer - 1 >= 0:
            ranges[-1][1] = op.layer
        else:
            ranges.append([op.layer, op.layer])
    return [
        {
            **run.shape,
            "cycles": run.cycles,
            "utilization": run.macs / (result.peak_macs_per_cycle * run.cycles),
            **{event.value: int(run.events[event]) for event in STALLS},
        }
        for _, run in runs.values()
    ], [
        {"name": name, "count": count, "run": at, "layers": ranges}
        for (name, count, at), ranges in operators.items()
    ]
