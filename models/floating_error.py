"""What the format of a PE's sums costs: FP16 and FP32 accumulation on real operands.

Activations of the network with real weights, rounded to FP16, meet its weights in INT4; each
group's products are summed as the PEs sum them, one rounding an addition.  What follows, scales
and the sum over groups, is exact here, so that nothing else is measured.  ``python -m
dovetail.models.floating_error`` prints the table of docs/floating-point.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.number_formats import FP16, FP32, FloatFormat
from dovetail.models.floating import add, dot, multiply, rounded_sum, to_float
from dovetail.models.minilm import float_linear, minilm_forward, minilm_sentences
from dovetail.models.quantize import quantize_weights

LENGTHS = (32, 64, 128)
FORMATS = (FP16, FP32)
_TOKEN_STRIDE = 8  # of 542 tokens, 68: the kernel adds a thousand million products a second

Layers = dict[str, tuple[NDArray[np.float64], NDArray[np.float32]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SumError:
    """Sums in a format against exact ones.

    Attributes
    ----------
    length : int
        Products in a sum: the group of the weights.
    zero_point : bool
        The group's correction, ``RN(sum - zero * sum of activations)``, is part of the sum.
    form : FloatFormat
    median_layer_snr_db, least_layer_snr_db : float
        Over the layers: signal-to-noise ratio of a layer's product, all else exact.
    rounded_once : float
        Share of sums that equal the exact sum rounded once.
    overflows : int
        Sums that are not finite.
    """

    length: int
    zero_point: bool
    form: FloatFormat
    median_layer_snr_db: float
    least_layer_snr_db: float
    rounded_once: float
    overflows: int


def real_layers() -> Layers:
    """Activations, rounded to FP16, and weights of the 36 linear layers; every eighth token."""
    layers: Layers = {}

    def keep(name: str, a: NDArray[np.float32], w: NDArray[np.float32]) -> NDArray[np.float32]:
        layers[name] = a[::_TOKEN_STRIDE].astype(np.float16).astype(np.float64), w
        return float_linear(name, a, w)

    minilm_forward(minilm_sentences(), linear=keep)
    return layers


def sum_error(layers: Layers, *, length: int, zero_point: bool, form: FloatFormat) -> SumError:
    """Measure the error of sums of ``length`` products in ``form``.

    Parameters
    ----------
    layers : dict of str to (float64 (m, k), float32 (n, k))
        FP16 activations and weights, such as :func:`real_layers`.
    length : int
        A power of two.
    zero_point : bool
        Codes 0..15 with a zero point per group; else -8..7.
    form : FloatFormat
    """
    ratios = []
    sums = exactly_rounded = overflows = 0
    for a, w in layers.values():
        weights = quantize_weights(w, group=length, zero_point=zero_point)
        exact_total = np.zeros((len(a), len(w)))
        total = np.zeros_like(exact_total)
        for group, start in enumerate(range(0, a.shape[1], length)):
            part = slice(start, start + length)
            zero = weights.zero[None, :, group].astype(np.float64)
            # float64 holds the sums exactly: multiples of 2^-24 below 2^16 * 15 * 128.
            codes = weights.codes[:, part].astype(np.float64)
            exact = a[:, part] @ codes.T - zero * a[:, part].sum(axis=1, keepdims=True)
            got = group_sum(a[:, part], codes, zero, form)
            values = to_float(got, form)
            sums += got.size
            exactly_rounded += int((got == rounded_sum(exact, 0.0, form)).sum())
            overflows += int((~np.isfinite(values)).sum())
            scale = weights.scale[None, :, group] * weights.base
            exact_total += exact * scale
            total += values * scale
        noise = np.sum((total - exact_total) ** 2)
        with np.errstate(divide="ignore"):
            ratios.append(float(10 * np.log10(np.sum(exact_total**2) / noise)))
    return SumError(
        length=length,
        zero_point=zero_point,
        form=form,
        median_layer_snr_db=float(np.median(ratios)),
        least_layer_snr_db=min(ratios),
        rounded_once=exactly_rounded / sums,
        overflows=overflows,
    )


def group_sum(
    a: NDArray[np.float64],
    codes: NDArray[np.float64],
    zero: NDArray[np.float64],
    form: FloatFormat,
) -> NDArray[np.unsignedinteger]:
    """Bits of ``RN(P - zero * S)``: what one group's PEs and its correction make of it.

    Parameters
    ----------
    a : float64, shape (m, k)
    codes : float64, shape (n, k)
    zero : float64, shape (1, n)
    form : FloatFormat
    """
    activations = to_float(dot(a, np.ones((1, a.shape[1])), form), form)
    return add(dot(a, codes, form), -multiply(activations, zero), form)


def sum_error_table(layers: Layers) -> list[SumError]:
    """Measure both formats, with and without zero point, at every length."""
    return [
        sum_error(layers, length=length, zero_point=zero_point, form=form)
        for zero_point, length, form in product((False, True), LENGTHS, FORMATS)
    ]


def markdown(table: list[SumError]) -> str:
    """Lay the table out as docs/floating-point.md shows it."""
    lines = [
        "| weights | length | sums | median SNR | least SNR | rounded once | overflows |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in table:
        weights = "zero point" if row.zero_point else "symmetric"
        lines.append(
            f"| {weights} | {row.length} | {row.form.name} | {row.median_layer_snr_db:.1f} dB "
            f"| {row.least_layer_snr_db:.1f} dB | {row.rounded_once:.1%} | {row.overflows} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown(sum_error_table(real_layers())))
