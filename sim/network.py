"""A network on a GEMM engine: the GEMMs of a trace, one after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.events import Event
from dovetail.arch.gemm import SMALLEST_TILE, Gemm, TileMapping, mapping_problem
from dovetail.errors import TraceError
from dovetail.models.trace import GemmOp, Operand, Trace
from dovetail.sim.gemm_engine import simulate_gemm
from dovetail.sim.mapping import best_mapping
from dovetail.sim.result import GemmResult, OpResult, RunResult

MAPPING_SLACK = 0.01
"""Cycles given up, at most, for fewer DRAM reads when a mapping is searched."""


def unscaled_gemm(engine: GemmEngineConfig, op: GemmOp) -> Gemm:
    """The GEMM of an operand without scales: keys, values, all of a core that quantises nothing.

    It has no groups; its segments are as long as the PEs' accumulators and the scratchpads allow.
    """
    steps = engine.max_group // engine.lut_k
    group = engine.lut_k << (steps.bit_length() - 1)
    gemm = Gemm(m=op.m, n=op.n, k=op.k, weight_format=engine.spec.computed, group=group)
    while gemm.group > engine.lut_k and mapping_problem(engine, gemm, SMALLEST_TILE):
        gemm = replace(gemm, group=gemm.group // 2)
    return gemm


def simulate_network(
    engine: GemmEngineConfig,
    trace: Trace,
    gemm_of: Callable[[GemmOp], Gemm],
    *,
    mappings: Mapping[Gemm, TileMapping] | None = None,
    slack: float = MAPPING_SLACK,
) -> RunResult:
    """Cycles and events of a network on one engine.

    Operators run one after the other and share nothing; the ``count`` GEMMs of an operator are
    equal, so each distinct GEMM is simulated once.  Work that is not a GEMM costs no time here;
    ``trace.others`` lists it.

    Parameters
    ----------
    engine : GemmEngineConfig
    trace : Trace
    gemm_of : callable
        The GEMM that a design runs for an operator; it depends on the operator's shape and on
        whether its weights are stored, and on nothing else of it.
    mappings : dict of Gemm to TileMapping, optional
        Mapping of each GEMM; the best one is searched for those that are missing.
    slack : float
        Of :func:`dovetail.sim.mapping.best_mapping`.

    Raises
    ------
    ConfigError
        Where a GEMM does not fit the engine.
    TraceError
        Where the network has no GEMM.
    """
    if not trace.gemms:
        raise TraceError(
            f"{trace.network} has no GEMM, and a GEMM engine runs nothing else; choose a network "
            f"with linear layers, such as llama2-7b"
        )
    given = mappings or {}
    # Layers repeat: an operator is looked up by what determines its GEMM.
    results: dict[tuple[int, int, int, Operand], GemmResult] = {}
    times: Counter[tuple[int, int, int, Operand]] = Counter()
    ops = []
    for op in trace.gemms:
        shape = (op.m, op.n, op.k, op.weights)
        if shape not in results:
            gemm = gemm_of(op)
            mapping = given.get(gemm) or best_mapping(engine, gemm, slack=slack)
            results[shape] = simulate_gemm(engine, gemm, mapping)
        times[shape] += op.count
        ops.append(OpResult(name=op.name, layer=op.layer, count=op.count, result=results[shape]))
    events = dict.fromkeys(Event, 0)
    for shape, count in times.items():
        for event, value in results[shape].events.items():
            events[event] += count * value
    return RunResult(
        ops=tuple(ops),
        events=events,
        macs=trace.macs,
        peak_macs_per_cycle=engine.peak_macs_per_cycle,
    )
