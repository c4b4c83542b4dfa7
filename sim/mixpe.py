"""MixPE and its INT8 baseline on a network: the GEMMs of a trace, one after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from dovetail.arch.cores import WeightFormat
from dovetail.arch.events import Event
from dovetail.arch.gemm import SMALLEST_TILE, Gemm, TileMapping, mapping_problem
from dovetail.arch.mixpe import MixpeDesign
from dovetail.models.trace import GemmOp, Operand, Trace
from dovetail.sim.gemm_engine import simulate_gemm
from dovetail.sim.mapping import best_mapping
from dovetail.sim.result import GemmResult, OpResult, RunResult

MAPPING_SLACK = 0.01
"""Cycles given up, at most, for fewer DRAM reads when a mapping is searched."""


def gemm_of(design: MixpeDesign, op: GemmOp) -> Gemm:
    """The GEMM that ``design`` runs for ``op``: stored weights in groups, computed ones without.

    Weights without scales (keys, values, everything of the FP16 core) have no groups; their
    segments are as long as the PEs' accumulators and the scratchpads allow.
    """
    engine = design.engine
    spec = engine.spec
    computed = op.weights == "activation" and design.kv_bits == 8
    if computed or spec.dequantise == "never":
        gemm = Gemm(m=op.m, n=op.n, k=op.k, weight_format=spec.computed, group=engine.max_group)
        while gemm.group > 1 and mapping_problem(engine, gemm, SMALLEST_TILE):
            gemm = replace(gemm, group=gemm.group // 2)
        return gemm
    weight_format: WeightFormat = "uint4_zero" if design.zero_point else "int4"
    return Gemm(m=op.m, n=op.n, k=op.k, weight_format=weight_format, group=design.group)


def simulate(
    design: MixpeDesign,
    trace: Trace,
    *,
    mappings: Mapping[Gemm, TileMapping] | None = None,
    slack: float = MAPPING_SLACK,
) -> RunResult:
    """Cycles and events of a network on one design point.

    Operators run one after the other and share nothing; the ``count`` GEMMs of an operator are
    equal, so each distinct GEMM is simulated once.  Work that is not a GEMM costs no time here;
    ``trace.others`` lists it.

    Parameters
    ----------
    design : MixpeDesign
    trace : Trace
    mappings : dict of Gemm to TileMapping, optional
        Mapping of each GEMM; the best one is searched for those that are missing.
    slack : float
        Of :func:`dovetail.sim.mapping.best_mapping`.

    Raises
    ------
    ConfigError
        Where a GEMM does not fit the engine.
    TraceError
        Where the network has convolutions.
    """
    given = mappings or {}
    # Layers repeat: an operator is looked up by what determines its GEMM.
    results: dict[tuple[int, int, int, Operand], GemmResult] = {}
    times: Counter[tuple[int, int, int, Operand]] = Counter()
    ops = []
    for op in trace.transformer_ops:
        if not isinstance(op, GemmOp):
            continue
        shape = (op.m, op.n, op.k, op.weights)
        if shape not in results:
            gemm = gemm_of(design, op)
            mapping = given.get(gemm) or best_mapping(design.engine, gemm, slack=slack)
            results[shape] = simulate_gemm(design.engine, gemm, mapping)
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
        peak_macs_per_cycle=design.engine.peak_macs_per_cycle,
    )
