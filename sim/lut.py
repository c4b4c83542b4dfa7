"""LUT Tensor Core and its baselines on a network: the GEMMs of a trace, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from dovetail.arch.gemm import Gemm, TileMapping
from dovetail.arch.lut import LutDesign
from dovetail.models.trace import GemmOp, Trace
from dovetail.sim.network import MAPPING_SLACK, simulate_network, unscaled_gemm
from dovetail.sim.result import RunResult


def gemm_of(design: LutDesign, op: GemmOp) -> Gemm:
    """The GEMM that ``design`` runs for ``op``: stored weights in groups, computed ones without."""
    spec = design.engine.spec
    if op.weights == "activation" or spec.stored[0] == "fp16":
        return unscaled_gemm(design.engine, op)
    return Gemm(
        m=op.m,
        n=op.n,
        k=op.k,
        weight_format=design.weight_format,
        group=design.group,
        bits=design.weight_bits if spec.bit_serial else None,
    )


def simulate(
    design: LutDesign,
    trace: Trace,
    *,
    mappings: Mapping[Gemm, TileMapping] | None = None,
    slack: float = MAPPING_SLACK,
) -> RunResult:
    """Cycles and events of a network on one design point.

    See :func:`dovetail.sim.network.simulate_network`.
    """
    return simulate_network(
        design.engine, trace, partial(gemm_of, design), mappings=mappings, slack=slack
    )
