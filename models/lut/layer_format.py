"""A linear layer in the number formats of a LUT core, apart from what rounding its operands costs.

Sums of a group are taken as exact unless they are FP16: what FP32 sums round is 100 dB below the
rest.  Looked up or multiplied, exact tables of integers give the same, so these are multiplied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.number_formats import FP16, FP32
from dovetail.errors import ConfigError
from dovetail.models.floating import from_float, to_float
from dovetail.models.fp8 import LARGEST as FP8_LARGEST
from dovetail.models.fp8 import float_to_fp8, fp8_to_float
from dovetail.models.lut.formats import Levels, LutFormat
from dovetail.models.lut.mpgemm import accumulate_lut_floating
from dovetail.models.lut.quantize import LutWeights, quantize_lut_weights
from dovetail.models.lut.tables import (
    TABLE_MAX,
    fp16_tables,
    integer_tables,
    quantize_fp16_tables,
    quantize_integer_tables,
)
from dovetail.models.lut.weights import bit_planes, invert_beforehand, step_indices
from dovetail.models.mpgemm import GemmOperands
from dovetail.models.pe_formats import Product
from dovetail.models.quantize import divide_or_zero, quantize_activations

Float = NDArray[np.float64]
Activations = Literal["int8", "int16", "fp16", "fp8"]
TableRounding = Literal["exact", "int8", "int8_fp16_scale"]
LutSums = Literal["exact", "fp16"]


@dataclass(frozen=True, kw_only=True)
class LutLayerFormat:
    """What a LUT core multiplies, looks up and adds.

    Attributes
    ----------
    weight_bits, levels, lut_k : int, str, int
        As of :class:`dovetail.models.lut.formats.LutFormat`.
    activations : str
        ``int8``, ``int16``: one scale a token; ``fp16``; ``fp8``: E4M3, one scale a token that
        brings its largest activation to 448.
    group : int
        Length of a quantisation group of the weights.
    table : str
        ``exact``; ``int8``: entries of 8 bits with a power of two a table; ``int8_fp16_scale``:
        with an FP16 scale, which needs a multiplier and is here for comparison.
    sums : str
        ``exact``, which stands for FP32 too, or ``fp16``.
    """

    weight_bits: int
    levels: Levels = "odd"
    activations: Activations = "int8"
    group: int = 128
    lut_k: int = 4
    table: TableRounding = "exact"
    sums: LutSums = "exact"

    def __post_init__(self) -> None:
        for name, choices in (
            ("activations", get_args(Activations)),
            ("table", get_args(TableRounding)),
            ("sums", get_args(LutSums)),
        ):
            value = getattr(self, name)
            if value not in choices:
                raise ConfigError(
                    f"{name}={value!r} must be one of {', '.join(choices)}; change {name}"
                )
        if self.sums == "fp16" and (not self.floating or self.table == "int8_fp16_scale"):
            raise ConfigError(
                f"sums='fp16' needs activations='fp16' or 'fp8' and hardware's own tables, not "
                f"activations={self.activations!r} and table={self.table!r}; set sums='exact'"
            )
        _ = self.form  # checks the rest

    @property
    def floating(self) -> bool:
        return self.activations in ("fp16", "fp8")

    @property
    def form(self) -> LutFormat:
        return LutFormat(
            weight_bits=self.weight_bits,
            levels=self.levels,
            lut_k=self.lut_k,
            table="exact" if self.table == "exact" else "int8",
        )

    def multiply(self, a: NDArray[np.floating], w: NDArray[np.floating]) -> Product:
        """Multiply real operands in this format.

        Scales of tokens and bases of channels are applied to the sums without rounding, since the
        hardware leaves them to the operator that follows.

        Parameters
        ----------
        a : float, shape (m, k)
        w : float, shape (n, k)
        """
        weights = quantize_lut_weights(w, self.form, group=self.group)
        words, numbers, token = round_activations(a, self.activations)
        step = token[:, None] * weights.base
        exact = (numbers @ weights.integers().astype(np.float64).T) * step
        if self.sums == "fp16":
            return Product(result=self._bit_by_bit(words, weights) * step, of_operands=exact)
        if self.table == "exact" and not self.floating:
            return Product(result=exact, of_operands=exact)
        return Product(result=self._looked_up(numbers, weights) * step, of_operands=exact)

    def _looked_up(self, numbers: Float, weights: LutWeights) -> Float:
        """Sum over groups of ``scale * (P' - z' * S)``, P' from this format's tables."""
        total = np.zeros((len(numbers), len(weights.codes)))
        for index, start in enumerate(range(0, numbers.shape[1], self.group)):
            part = slice(start, start + self.group)
            exact, tables = self._tables(numbers[:, part])
            looked_up = tables.reshape(len(tables), -1) @ self._selections(weights.codes[:, part])
            zero = weights.recentred_zero[:, index]
            group_sum = -exact[:, :, 0].sum(axis=1)
            total += (looked_up - group_sum[:, None] * zero) * weights.scale[:, index]
        return total

    def _tables(self, numbers: Float) -> tuple[Float, Float]:
        """Exact tables, and their numbers as they are looked up: (m, steps, entries)."""
        if self.floating:
            bits = fp16_tables(numbers, self.lut_k)
            exact = to_float(bits, FP16)
            quantized = quantize_fp16_tables(bits)
        else:
            integers = integer_tables(numbers.astype(np.int64), self.lut_k)
            exact = integers.astype(np.float64)
            quantized = quantize_integer_tables(integers)
        if self.table == "exact":
            return exact, exact
        if self.table == "int8":
            return exact, np.asarray(quantized.entries * quantized.scale[:, :, None])
        peak = np.abs(exact).max(axis=2, keepdims=True)
        scale = to_float(from_float(peak / TABLE_MAX, FP16), FP16)
        entries = np.clip(np.rint(divide_or_zero(exact, scale)), -TABLE_MAX, TABLE_MAX)
        return exact, np.asarray(entries * scale)

    def _selections(self, codes: NDArray[np.uint8]) -> Float:
        """How often each entry is added to each output: float64 (steps * entries, n).

        All lookups of one table are a linear function of its entries, so a matrix of signed powers
        of two stands for them.
        """
        indices = step_indices(bit_planes(codes, self.weight_bits), self.lut_k)
        stored = invert_beforehand(indices, self.lut_k)
        entries = 1 << (self.lut_k - 1)
        n, steps = stored.shape[1:]
        selections = np.zeros((n, steps, entries))
        rows, columns = np.ogrid[:n, :steps]
        for plane, places in enumerate(stored):
            sign = np.where(places >= entries, -1.0, 1.0)
            selections[rows, columns, places & (entries - 1)] += sign * 2.0**plane
        return selections.reshape(n, -1).T

    def _bit_by_bit(self, words: NDArray[Any], weights: LutWeights) -> Float:
        operands = GemmOperands(
            activations=words,
            weights=weights.codes,
            scale=weights.scale,
            zero=weights.zero,
            group=weights.group,
        )
        return to_float(accumulate_lut_floating(operands, self.form, FP16), FP32)


def round_activations(
    a: NDArray[np.floating], activations: Activations
) -> tuple[NDArray[Any], Float, Float]:
    """Round activations to a format.

    Returns
    -------
    words : int8, int16, uint16 or uint8, shape (m, k)
        Integers, or bits of FP16 or FP8.
    numbers : float64, shape (m, k)
        What the words stand for.
    token : float64, shape (m,)
        Scale of each row: ``a ~= token * numbers``.
    """
    if activations == "int8" or activations == "int16":
        quantized = quantize_activations(a, bits=8 if activations == "int8" else 16)
        return quantized.codes, quantized.codes.astype(np.float64), quantized.scale
    if activations == "fp16":
        bits = from_float(a, FP16)
        return bits, to_float(bits, FP16), np.ones(len(a))
    token = np.abs(a.astype(np.float64)).max(axis=1) / FP8_LARGEST
    codes = float_to_fp8(divide_or_zero(a.astype(np.float64), token[:, None]))
    return codes, fp8_to_float(codes), token
