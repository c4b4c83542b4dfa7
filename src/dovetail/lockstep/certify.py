"""Certificates: one design point built as RTL and run in lockstep on GEMMs of its own network."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.cores import CoreSpec
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.gemm import Gemm, TileMapping, mapping_problem
from dovetail.arch.mixpe import MixpeDesign
from dovetail.lockstep.case import LockstepCase, random_operands
from dovetail.lockstep.compare import compare
from dovetail.models.mpgemm import GemmOperands
from dovetail.models.quantize import quantize_activations, quantize_weights
from dovetail.models.trace import GemmOp, Trace
from dovetail.sim.gemm_engine import simulate_gemm
from dovetail.sim.mapping import best_mapping
from dovetail.sim.mixpe import gemm_of
from dovetail.sim.network import MAPPING_SLACK

MOST_CYCLES = 50_000
"""Cycles of all GEMMs of one certificate together."""
# Along each dimension: the first, a pair of interior ones, the last.
_MOST_TILES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What ran for one design point.

    Attributes
    ----------
    cases : tuple of dict
        GEMM and mapping of each run, and its cycles.
    cycles : int
        In all.
    mismatches : dict of str to int
        By kind: ``values``, ``cycles``, ``events``.
    seconds : float
        Build and runs.
    passed : bool
    """

    cases: tuple[dict[str, Any], ...]
    cycles: int
    mismatches: dict[str, int]
    seconds: float
    passed: bool


class Design(Protocol):
    """What a certificate must know of a design point."""

    @property
    def engine(self) -> GemmEngineConfig: ...

    @property
    def design_id(self) -> str: ...


RealOperands = Callable[[NDArray[Any], NDArray[Any], Gemm], GemmOperands | None]


def certify(design: MixpeDesign, trace: Trace, *, seed: int = 0) -> Certificate:
    """A certificate of a MixPE design, as of :func:`certify_gemms`."""
    return certify_gemms(
        design,
        trace,
        gemm_of=lambda op: gemm_of(design, op),
        real=lambda a, w, gemm: _real_operands(a, w, design.engine.spec, gemm),
        seed=seed,
    )


def certify_gemms(
    design: Design,
    trace: Trace,
    *,
    gemm_of: Callable[[GemmOp], Gemm],
    real: RealOperands,
    seed: int,
) -> Certificate:
    """Run the design's own engine on every kind of GEMM of ``trace``, shrunk.

    A kind is a weight format with what is left over at the edges of m, n and k.  Each keeps its
    loop order and, as far as the cycles allow, its tile sizes.  Along each dimension there are up
    to four tiles, the first, two between, and the last with the GEMM's own edge, so that operands
    change, buffers swap and results drain as in the whole GEMM.

    Parameters
    ----------
    design : Design
    trace : Trace
        Operands that it holds are used; others are random.
    gemm_of : callable
        The GEMM that the design runs for an operator.
    real : callable
        ``(activations, weights, gemm) -> GemmOperands`` in the formats of the design, from floats
        of the GEMM's shape; None for formats of operands that are computed.
    seed : int
        Of the random operands.
    """
    began = time.perf_counter()
    engine = design.engine
    kinds: dict[tuple[Any, ...], tuple[GemmOp, Gemm, TileMapping]] = {}
    for op in trace.gemms:
        gemm = gemm_of(op)
        mapping = best_mapping(engine, gemm, slack=MAPPING_SLACK)
        kinds.setdefault(_kind(engine, gemm, mapping), (op, gemm, mapping))
    rng = np.random.default_rng(seed)
    cases: list[LockstepCase] = []
    for op, gemm, mapping in kinds.values():
        small, tile = _shrink(engine, gemm, mapping, MOST_CYCLES // len(kinds))
        cases.append(
            LockstepCase(
                config=engine,
                gemm=small,
                mapping=tile,
                operands=_own_operands(trace, op, small, real)
                or random_operands(rng, engine.spec, small),
                output_shift=_output_shift(engine.spec, gemm),
                weight_shift=8,
                gap_seed=seed + len(cases),
                repeat=f"dovetail sweep with --certify, design {design.design_id}",
            )
        )
    comparison = compare(cases)
    counts = dict.fromkeys(("values", "cycles", "events"), 0)
    for found in comparison.mismatches:
        counts[found.kind] += 1
    return Certificate(
        cases=tuple(
            {**asdict(case.gemm), **asdict(case.mapping), "cycles": case.simulate().cycles}
            for case in cases
        ),
        cycles=comparison.cycles,
        mismatches=counts,
        seconds=time.perf_counter() - began,
        passed=not comparison.mismatches,
    )


def _output_shift(spec: CoreSpec, gemm: Gemm) -> int:
    """Keeps most of 16 bits of a sum of k products, and finite what is floating point."""
    if spec.floating:
        return 8 if spec.after_group and gemm.scaled else 0
    return 20 if gemm.scaled else 8


def _own_operands(trace: Trace, op: GemmOp, gemm: Gemm, real: RealOperands) -> GemmOperands | None:
    """The corner of ``op``'s own operands that ``gemm`` covers; None where the trace has none."""
    name = f"{op.layer}.{op.name}"
    if f"{name}.a" not in trace.operands:
        return None
    a = trace.operands[f"{name}.a"][: gemm.m, : gemm.k]
    w = trace.operands[f"{name}.w"][: gemm.n, : gemm.k]
    return real(a, w, gemm)


def _real_operands(
    a: NDArray[Any], w: NDArray[Any], spec: CoreSpec, gemm: Gemm
) -> GemmOperands | None:
    """Operands in MixPE's formats; None for INT8, which is computed."""
    if gemm.weight_format == "int8":
        return None
    activations: NDArray[np.int8] | NDArray[np.uint16]
    if spec.floating:
        activations = a.astype(np.float16).view(np.uint16)
    else:
        bits: Literal[4, 8] = 4 if spec.activation_bits == 4 else 8
        activations = quantize_activations(a, bits=bits).codes
    if not gemm.scaled:
        return GemmOperands(
            activations=activations,
            weights=w.astype(np.float16).view(np.uint16),
            scale=None,
            zero=None,
            group=gemm.group,
        )
    weights = quantize_weights(w, group=gemm.group, zero_point=gemm.weight_format == "uint4_zero")
    return GemmOperands(
        activations=activations,
        weights=weights.codes,
        scale=weights.scale.astype(np.int64),
        zero=weights.zero.astype(np.int64),
        group=gemm.group,
    )


def _kind(engine: GemmEngineConfig, gemm: Gemm, mapping: TileMapping) -> tuple[Any, ...]:
    def tiles(size: int, tile: int) -> tuple[int, bool]:
        return min(3, -(-size // tile)), size % tile != 0

    return (
        gemm.weight_format,
        gemm.bits,
        gemm.group,
        gemm.m % engine.rows,
        gemm.n % engine.cols,
        gemm.k % gemm.group,
        tiles(gemm.m, mapping.tile_m * engine.rows),
        tiles(gemm.n, mapping.tile_n * engine.cols),
        tiles(gemm.k, mapping.tile_k * gemm.group),
        mapping.order,
    )


def _shrink(
    engine: GemmEngineConfig, gemm: Gemm, mapping: TileMapping, most_cycles: int
) -> tuple[Gemm, TileMapping]:
    """The largest GEMM like ``gemm`` within ``most_cycles``, with its mapping."""
    chosen = None
    for most_tiles in range(_MOST_TILES, 1, -1):  # fewer where a narrow port makes each one slow
        smallest = None
        for candidate in _candidates(engine, gemm, mapping, most_tiles):
            if mapping_problem(engine, *candidate):
                continue
            smallest = smallest or candidate
            if simulate_gemm(engine, *candidate).cycles > most_cycles:
                break
            chosen = candidate
        if chosen:
            return chosen
    assert smallest, "the smallest tile of a GEMM that fits must fit as well"
    return smallest


def _candidates(
    engine: GemmEngineConfig, gemm: Gemm, mapping: TileMapping, most_tiles: int
) -> Iterator[tuple[Gemm, TileMapping]]:
    """Like ``gemm``, from the smallest tiles up to its own."""
    units = (engine.rows, engine.cols, gemm.group)
    sizes = (gemm.m, gemm.n, gemm.k)
    own = (mapping.tile_m, mapping.tile_n, mapping.tile_k)
    tile = [1, 1, 1]
    turn = 0
    while True:
        small = []
        for size, unit, step, whole in zip(sizes, units, tile, own, strict=True):
            tiles = -(-size // (whole * unit))
            # The last tile keeps what the GEMM leaves over, or is whole.
            last = size % (step * unit) or min(size, step * unit)
            small.append(min(size, (min(tiles, most_tiles) - 1) * step * unit + last))
        m, n, k = small
        limits = [-(-length // unit) for length, unit in zip(small, units, strict=True)]
        tile_m, tile_n, tile_k = (min(t, most) for t, most in zip(tile, limits, strict=True))
        yield (
            replace(gemm, m=m, n=n, k=k),
            TileMapping(tile_m=tile_m, tile_n=tile_n, tile_k=tile_k, order=mapping.order),
        )
        if tuple(tile) == own:
            return
        while tile[turn % 3] == own[turn % 3]:
            turn += 1
        tile[turn % 3] = min(own[turn % 3], 2 * tile[turn % 3])
        turn += 1
