"""One GEMM run three ways: reference, simulator and RTL."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.cores import CoreSpec
from dovetail.arch.descriptor import Descriptor, describe, registers
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.gemm import Gemm, TileMapping
from dovetail.arch.m3vit.formats import FEATURE, FixedFormat
from dovetail.arch.number_formats import float_format
from dovetail.lockstep.run import LateWrite, WrongValues
from dovetail.models import mpgemm, mpgemm_floating
from dovetail.models.gemm_layout import (
    output_beats,
    output_bytes,
    pack_operands,
    unpack_outputs,
)
from dovetail.models.lut.formats import Levels, LutFormat
from dovetail.models.lut.mpgemm import mpgemm_lut, mpgemm_lut_floating
from dovetail.models.m3vit.fixed_linear import FixedLinear, fixed_linear
from dovetail.models.mpgemm import GemmOperands
from dovetail.models.mpgemm_dot import mpgemm_dot
from dovetail.rtl.verilator import Build, Case, CaseResult, build
from dovetail.sim.gemm_engine import simulate_gemm, tile_times
from dovetail.sim.result import GemmResult

Word = TypeVar("Word", np.uint8, np.uint16)

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
    output_shift, weight_shift, bias_shift : int
        Run-time registers of the roundings, and of biases.
    gelu : bool
        Results pass GELU.
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
    bias_shift: int = 0
    gelu: bool = False

    @property
    def descriptor(self) -> Descriptor:
        return describe(
            self.config,
            self.gemm,
            self.mapping,
            output_shift=self.output_shift,
            weight_shift=self.weight_shift,
            bias_shift=self.bias_shift,
            gelu=self.gelu,
        )

    def reference(self) -> NDArray[np.int16] | NDArray[np.int32]:
        """What the engine must write: of shape (m, n), int16, or as such the bits of FP16, or int32
        of a core with biases.
        """
        operands, spec = self.operands, self.config.spec
        if spec.biased:
            return linear_reference(
                operands, output_shift=self.output_shift, bias_shift=self.bias_shift, gelu=self.gelu
            )
        form = float_format(self.config.sum_format)
        if spec.bit_serial:
            lut = lut_format(self.config, self.gemm)
            if spec.floating:
                return mpgemm_lut_floating(
                    operands, lut, form, output_shift=self.output_shift
                ).view(np.int16)
            return mpgemm_lut(operands, lut, output_shift=self.output_shift)
        if spec.floating and spec.broadcast:
            return mpgemm_dot(
                operands,
                form,
                lut_k=self.config.lut_k,
                output_shift=self.output_shift,
                weight_shift=0,
            ).view(np.int16)
        if spec.floating:
            if spec.after_group:
                bits = mpgemm_floating.mpgemm_after_group(
                    operands, form, output_shift=self.output_shift
                )
            else:
                bits = mpgemm_floating.mpgemm_before_loop(
                    operands, form, output_shift=self.output_shift, weight_shift=self.weight_shift
                )
            return bits.view(np.int16)
        if spec.after_group:
            return mpgemm.mpgemm_after_group(operands, output_shift=self.output_shift)
        return mpgemm.mpgemm_before_loop(
            operands, output_shift=self.output_shift, weight_shift=self.weight_shift
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
            descriptor=registers(self.config, descriptor),
            memory=pack_operands(self.operands, self.config, descriptor).tobytes(),
            output_address=descriptor.output_address,
            output_beats=output_beats(descriptor),
            latency_cycles=self.config.dram_latency_cycles,
            max_cycles=patience * cycles + 1000,
            gap_256=gap_256,
            gap_seed=self.gap_seed if gaps else 0,
        )

    @property
    def outputs(self) -> int:
        return self.gemm.m * self.gemm.n

    def build(self, *, traced: bool = False) -> Build:
        return build(self.config, traced=traced)

    def describe(self) -> str:
        config = self.config
        return (
            f"{config.core} {config.rows} x {config.cols}, port {config.port_bits} bit, DRAM "
            f"latency {config.dram_latency_cycles}, {self.gemm}, {self.mapping}"
        )

    def wrong_values(self, rtl: CaseResult) -> WrongValues | None:
        """Outputs against the reference; the first is that which was written first."""
        descriptor = self.descriptor
        got = unpack_outputs(np.frombuffer(rtl.output, dtype=np.uint8), self.config, descriptor)
        want = self.reference()
        wrong = np.argwhere(got != want)
        if not len(wrong):
            return None
        beat_bytes = self.config.port_bits // 8
        at = output_bytes(self.config, descriptor)
        cycles = np.array(rtl.written_at)[at // beat_bytes]
        m, n = min(wrong.tolist(), key=lambda index: int(cycles[tuple(index)]))
        lane, bits = int(at[m, n] % beat_bytes) * 8, self.config.spec.output_bits
        return WrongValues(
            cycle=int(cycles[m, n]),
            signal=f"write.payload.data[{lane}:{lane + bits}] (output m={m}, n={n})",
            rtl=int(got[m, n]),
            expected=int(want[m, n]),
            count=len(wrong),
        )

    def late_write(self, rtl: CaseResult) -> LateWrite | None:
        """The first output tile whose last beat was written in another cycle than simulated."""
        d = self.descriptor
        written_at = np.array(rtl.written_at).reshape(d.n_blocks, d.m_blocks, -1)
        for tile in tile_times(self.config, self.gemm, self.mapping):
            if tile.written < 0:
                continue
            part = written_at[tile.n : tile.n + d.tile_n, tile.m : tile.m + d.tile_m]
            # One past the last row's read; the beat leaves two cycles or more after the read.
            seen, right = int(part.max()), tile.written + 1 + self.config.spec.output_cycles
            if seen != right:
                return LateWrite(what="last beat of an output tile", rtl=seen, expected=right)
        return None

    def with_latency(self, cycles: int) -> LockstepCase:
        """The same case with another DRAM latency."""
        return replace(self, config=replace(self.config, dram_latency_cycles=cycles))


def lut_format(config: GemmEngineConfig, gemm: Gemm) -> LutFormat:
    """What the reference is told of a GEMM on a bit-serial core.

    Sums of integers are exact, so those of the baselines are what is looked up.
    """
    levels: Levels = "twos_complement"
    if gemm.weight_format in ("odd", "zero_point"):
        levels = gemm.weight_format
    return LutFormat(
        weight_bits=gemm.weight_bits,
        levels=levels,
        lut_k=config.lut_k,
        table=config.table,
        additions="pairs" if config.spec.unit == "add" else "ascending",
    )


def linear_reference(
    operands: GemmOperands, *, output_shift: int, bias_shift: int, gelu: bool
) -> NDArray[np.int32]:
    """The linear unit's results, with formats whose points lie as the shifts say: int32 (m, n)."""
    bias = operands.bias if operands.bias is not None else np.zeros(len(operands.weights), np.int64)

    def form(fraction_bits: int) -> FixedFormat:
        return FixedFormat(name="of shifts", bits=16, integer_bits=16 - fraction_bits)

    layer = FixedLinear(
        operands.weights.astype(np.int64),
        bias,
        weight_format=form(output_shift),
        bias_format=form(FEATURE.fraction_bits + output_shift - bias_shift),
    )
    return fixed_linear(operands.activations.astype(np.int64), layer, gelu=gelu).astype(np.int32)


def random_operands(rng: np.random.Generator, spec: CoreSpec, gemm: Gemm) -> GemmOperands:
    """Operands of ``gemm`` in the formats of a core: uniform, or extremes only.

    Extremes of integers carry furthest; those of FP16 are infinities, NaN, subnormal numbers and
    the largest ones.

    Parameters
    ----------
    rng : numpy.random.Generator
    spec : CoreSpec
    gemm : Gemm
    """
    extremes = rng.random() < 0.25

    def draw(low: int, high: int, shape: tuple[int, int]) -> NDArray[np.int64]:
        if extremes:
            return rng.choice(np.array([low, high]), size=shape)
        return rng.integers(low, high, size=shape, endpoint=True)

    def draw_fp16(shape: tuple[int, int]) -> NDArray[np.uint16]:
        if extremes:
            return _extremes(rng, shape, _FP16_EXTREMES, _FP16_SPECIAL)
        # Exponents near enough to each other that sums keep bits of all.
        values = rng.standard_normal(shape) * 2.0 ** rng.integers(-6, 5, size=shape)
        return values.astype(np.float16).view(np.uint16)

    def draw_fp8(shape: tuple[int, int]) -> NDArray[np.uint8]:
        if extremes:
            return _extremes(rng, shape, _FP8_EXTREMES, _FP8_SPECIAL)
        # Any number; NaN is among the extremes.
        return rng.choice(np.setdiff1d(np.arange(256), _FP8_SPECIAL), size=shape).astype(np.uint8)

    groups = -(-gemm.k // gemm.group)
    activations: NDArray[Any]
    weights: NDArray[Any]
    if spec.floating and spec.activation_bits == 8:
        activations = draw_fp8((gemm.m, gemm.k))
    elif spec.floating:
        activations = draw_fp16((gemm.m, gemm.k))
    else:
        most = 1 << (spec.activation_bits - 1)
        integers = draw(-most, most - 1, (gemm.m, gemm.k))
        activations = integers.astype({16: "i2", 32: "i4"}.get(spec.activation_bits, "i1"))
    if gemm.weight_format == "fp16":
        weights = draw_fp16((gemm.n, gemm.k))
    else:
        ranges = {
            "int8": (-128, 127),
            "int8_scaled": (-128, 127),
            "int4": (-8, 7),
            "uint4_zero": (0, 15),
        }
        if spec.bit_serial:
            codes = draw(0, (1 << gemm.weight_bits) - 1, (gemm.n, gemm.k))
            weights = codes.astype(np.uint8)
        elif spec.biased:
            weights = draw(-(1 << 15), (1 << 15) - 1, (gemm.n, gemm.k)).astype(np.int16)
        else:
            weights = draw(*ranges[gemm.weight_format], (gemm.n, gemm.k)).astype(np.int8)
    scale = zero = bias = None
    if gemm.weight_format == "int16_bias":
        bias = draw(-(1 << 15), (1 << 15) - 1, (gemm.n, 1))[:, 0]
    elif gemm.scaled:
        scale = draw(0, 4095, (gemm.n, groups))
        zero = np.zeros_like(scale)
        if gemm.weight_format in ("uint4_zero", "zero_point"):
            zero = draw(0, (1 << gemm.weight_bits) - 1, (gemm.n, groups))
    return GemmOperands(
        activations=activations,
        weights=weights,
        scale=scale,
        zero=zero,
        group=gemm.group,
        bias=bias,
    )


# Both zeros, the least and largest subnormal and normal numbers, one, infinities and a NaN.
_FP16_EXTREMES = np.array(
    [0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x3C00, 0xBC00, 0x7BFF, 0xFBFF], dtype=np.uint16
)
_FP16_SPECIAL = np.array([0x7C00, 0xFC00, 0x7E01], dtype=np.uint16)
# The same of E4M3, which has no infinity; the special ones are its two NaN.
_FP8_EXTREMES = np.array([0x00, 0x80, 0x01, 0x87, 0x08, 0x38, 0xB8, 0x7E, 0xFE], dtype=np.uint8)
_FP8_SPECIAL = np.array([0x7F, 0xFF], dtype=np.uint8)


def _extremes(
    rng: np.random.Generator,
    shape: tuple[int, int],
    numbers: NDArray[Word],
    others: NDArray[Word],
) -> NDArray[Word]:
    """Extreme numbers; in a few rows, so that most results are numbers, also what is none."""
    bits = rng.choice(numbers, size=shape)
    special = rng.choice(others, size=shape)
    rows = rng.random((shape[0], 1)) < 0.2
    return np.where(rows & (rng.random(shape) < 0.1), special, bits)
