"""MixPE and its INT8 baseline on a network: the GEMMs of a trace, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from dovetail.arch.cores import WeightFormat
from dovetail.arch.gemm import Gemm, TileMapping
from dovetail.arch.mixpe import MixpeDesign
from dovetail.models.trace import GemmOp, Trace
from dovetail.sim.network import MAPPING_SLACK, simulate_network, unscaled_gemm
from dovetail.sim.result import RunResult


def gemm_of(design: MixpeDesign, op: GemmOp) -> Gemm:
    """The GEMM that ``design`` runs for ``op``: stored weights in groups, computed ones without.

    Weights without scales are keys, values and everything of the FP16 core.
    """
    computed = op.weights == "activation" and design.kv_bits == 8
    if computed or design.engine.spec.dequantise == "never":
        return unscaled_gemm(design.engine, op)
    weight_format: WeightFormat = "uint4_zero" if design.zero_point else "int4"
    return Gemm(m=op.m, n=op.n, k=op.k, weight_format=weight_format, group=design.group)


def simulate(
    design: MixpeDesign,
    trace: Trace,
    *,
    mappings: Mapping[Gemm, TileMapping] | None = None,
    slack: float = MAPPING_SLACK,
) -> RunResult:
    """Cycles and events of a network on one design point; see :func:`simulate_network`."""
    return simulate_network(
        design.engine, trace, partial(gemm_of, design), mappings=mappings, slack=slack
    )
