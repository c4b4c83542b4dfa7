"""LUT Tensor Core in lockstep: its random engines, and certificates of its designs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.cores import CORES
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.gemm import Gemm
from dovetail.arch.lut import LutDesign
from dovetail.lockstep.certify import Certificate, certify_gemms
from dovetail.lockstep.random_cases import lut_build_index, random_case, random_lut_engine
from dovetail.lockstep.verify import CasePlan, VerifyReport, gemm_summary
from dovetail.lockstep.verify import verify as verify_plan
from dovetail.models.lut.formats import Levels, LutFormat
from dovetail.models.lut.layer_format import Activations, round_activations
from dovetail.models.lut.quantize import quantize_lut_weights
from dovetail.models.lut.weights import signed_of_codes
from dovetail.models.mpgemm import GemmOperands
from dovetail.models.trace import Trace
from dovetail.sim.lut import gemm_of

__all__ = ["LUT_PLAN", "certify", "verify"]


def _summary(configurations: Sequence[GemmEngineConfig]) -> list[str]:
    """Each core with the sizes of its engines, the k of their steps and their tables."""

    def seen(core: str, name: str) -> str:
        values = {getattr(config, name) for config in configurations if config.core == core}
        return ", ".join(str(value) for value in sorted(values))

    lines = []
    for line in gemm_summary(configurations):
        core = line.partition(":")[0]
        line += f"; lut_k {seen(core, 'lut_k')}"
        if CORES[core].unit == "lookup":  # type: ignore[index]
            line += f"; tables {seen(core, 'table')}, {seen(core, 'tables')}"
        lines.append(line)
    return lines


LUT_PLAN = CasePlan(
    work="GEMM",
    build_index=lut_build_index,
    engine=random_lut_engine,
    case=random_case,
    summary=_summary,
)


def verify(system: str, **options: Any) -> VerifyReport:
    """As :func:`dovetail.lockstep.verify.verify`, with cores that take steps of several k."""
    return verify_plan(system, plans=(LUT_PLAN,), **options)


def certify(design: LutDesign, trace: Trace, *, seed: int = 0) -> Certificate:
    """As :func:`dovetail.lockstep.certify.certify`."""
    return certify_gemms(
        design,
        trace,
        gemm_of=lambda op: gemm_of(design, op),
        real=lambda a, w, gemm: _real_operands(design, a, w, gemm),
        seed=seed,
    )


def _real_operands(
    design: LutDesign, a: NDArray[Any], w: NDArray[Any], gemm: Gemm
) -> GemmOperands | None:
    """Operands of a network in the formats of ``gemm``; None for those that have none here."""
    spec = design.engine.spec
    formats: dict[tuple[bool, int], Activations] = {
        (False, 8): "int8",
        (False, 16): "int16",
        (True, 8): "fp8",
        (True, 16): "fp16",
    }
    activations = round_activations(a, formats[spec.floating, spec.activation_bits])[0]
    if gemm.weight_format == "fp16":
        weights = w.astype(np.float16).view(np.uint16)
        return GemmOperands(
            activations=activations, weights=weights, scale=None, zero=None, group=gemm.group
        )
    if not gemm.scaled:
        return None
    levels: Levels = design.levels
    form = LutFormat(
        weight_bits=gemm.weight_bits, levels=levels, lut_k=design.engine.lut_k, table="exact"
    )
    quantised = quantize_lut_weights(w, form, group=gemm.group)
    codes: NDArray[Any] = quantised.codes
    if not spec.bit_serial:
        codes = signed_of_codes(codes, 8).astype(np.int8)
    return GemmOperands(
        activations=activations,
        weights=codes,
        scale=quantised.scale,
        zero=quantised.zero,
        group=gemm.group,
    )
