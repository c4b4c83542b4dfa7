"""One GEMM run three ways: reference, simulator and RTL."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.gemm import Descriptor, Gemm, TileMapping, describe
from dovetail.models.gemm_layout import output_beats, pack_operands
from dovetail.models.mpgemm import GemmOperands, mpgemm_after_group, mpgemm_before_loop
from dovetail.rtl.verilator import Case
from dovetail.sim.gemm_engine import simulate_gemm
from dovetail.sim.result import GemmResult

# A run that takes this many times the simulator's cycles is hung.
_PATIENCE = 4
# Chances of a gap, and of back-pressure, in 1/256.
_GAPS_256 = (32, 96, 160)


@dataclass(frozen=True, kw_only=True, eq=False)
class LockstepCase:
    """A GEMM with its operands, on an engine.

    Attributes
    ----------
    config : GemmEngineConfig
        With the DRAM latency of this case.
    gemm, mapping : Gemm, TileMapping
    operands : GemmOperands
    output_shift, weight_shift : int
        Run-time registers of the roundings.
    gap_seed : int
        Of the gaps and the back-pressure of the second run.
    repeat : str
        One-line command that runs this case again.
    """

    config: GemmEngineConfig
    gemm: Gemm
    mapping: TileMapping
    operands: GemmOperands
    output_shift: int
    weight_shift: int
    gap_seed: int
    repeat: str

    @property
    def descriptor(self) -> Descriptor:
        return describe(
            self.config,
            self.gemm,
            self.mapping,
            output_shift=self.output_shift,
            weight_shift=self.weight_shift,
        )

    def reference(self) -> NDArray[np.int16]:
        """What the engine must write: int16 of shape (m, n)."""
        if self.config.spec.after_group:
            return mpgemm_after_group(self.operands, output_shift=self.output_shift)
        return mpgemm_before_loop(
            self.operands, output_shift=self.output_shift, weight_shift=self.weight_shift
        )

    def simulate(self) -> GemmResult:
        return simulate_gemm(self.config, self.gemm, self.mapping)

    def rtl(self, *, cycles: int, gaps: bool = False) -> Case:
        """The case for Verilator; ``cycles`` is what it should take without gaps."""
        descriptor = self.descriptor
        gap_256 = int(np.random.default_rng(self.gap_seed).choice(_GAPS_256)) if gaps else 0
        # Gaps stretch a run by at most the chance of a gap, on each of three streams.
        patience = _PATIENCE * (1 + 3 * gap_256 // (256 - gap_256))
        return Case(
            descriptor=asdict(descriptor),
            memory=pack_operands(self.operands, self.config, descriptor).tobytes(),
            output_beats=output_beats(descriptor),
            latency_cycles=self.config.dram_latency_cycles,
            max_cycles=patience * cycles + 1000,
            gap_256=gap_256,
            gap_seed=self.gap_seed if gaps else 0,
        )

    def with_latency(self, cycles: int) -> LockstepCase:
        """The same case with another DRAM latency."""
        return replace(self, config=replace(self.config, dram_latency_cycles=cycles))


def random_operands(
    rng: np.random.Generator, gemm: Gemm, *, activation_bits: int = 8
) -> GemmOperands:
    """Operands of ``gemm``: uniform, or extremes only, which carry furthest.

    Parameters
    ----------
    rng : numpy.random.Generator
    gemm : Gemm
    activation_bits : int
        4 or 8.
    """
    extremes = rng.random() < 0.25

    def draw(low: int, high: int, shape: tuple[int, int]) -> NDArray[np.int64]:
        if extremes:
            return rng.choice(np.array([low, high]), size=shape)
        return rng.integers(low, high, size=shape, endpoint=True)

    groups = -(-gemm.k // gemm.group)
    most = 1 << (activation_bits - 1)
    activations = draw(-most, most - 1, (gemm.m, gemm.k)).astype(np.int8)
    ranges = {"int8": (-128, 127), "int4": (-8, 7), "uint4_zero": (0, 15)}
    weights = draw(*ranges[gemm.weight_format], (gemm.n, gemm.k)).astype(np.int8)
    scale = zero = None
    if gemm.weight_format != "int8":
        scale = draw(0, 4095, (gemm.n, groups))
        zero = np.zeros_like(scale)
        if gemm.weight_format == "uint4_zero":
            zero = draw(0, 15, (gemm.n, groups))
    return GemmOperands(
        activations=activations, weights=weights, scale=scale, zero=zero, group=gemm.group
    )
