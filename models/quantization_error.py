"""What W4A8 costs in accuracy: the network with real weights, run with quantised linear layers.

All 36 linear layers run with INT4 weights and INT8 activations; attention scores and values, norms
and activation functions stay in float32.  ``python -m dovetail.models.quantization_error`` prints
the table of all formats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dovetail.errors import ConfigError
from dovetail.models.minilm import float_linear, minilm_forward, minilm_sentences
from dovetail.models.quantize import (
    dequantize_to_int8,
    natural_weight_shift,
    quantize_activations,
    quantize_weights,
)

Order = Literal["after", "before"]
GROUPS = (32, 64, 128)


@dataclass(frozen=True, kw_only=True)
class QuantizationError:
    """Quantised against float32 network, on the sentences of :func:`minilm_sentences`.

    Attributes
    ----------
    group, zero_point, order
        As given to :func:`quantization_error`.
    mean_cosine, min_cosine : float
        Between the two embeddings of a sentence, over the sentences.
    snr_db : mapping of str to float
        ``<layer>.<linear>`` to the signal-to-noise ratio of that layer's own product when its
        input is the float network's.
    overall_snr_db : float
        Of the token states after the last layer, with every linear layer quantised.
    """

    group: int
    zero_point: bool
    order: Order
    mean_cosine: float
    min_cosine: float
    snr_db: Mapping[str, float]
    overall_snr_db: float

    @property
    def error(self) -> float:
        """The objective of sweeps: 1 - mean cosine, 0 where nothing is lost."""
        return 1.0 - self.mean_cosine


def quantization_error(
    *, group: int, zero_point: bool, order: Order = "after"
) -> QuantizationError:
    """Measure the error of W4A8; a result is kept for the life of the process.

    Parameters
    ----------
    group : int
        Length of a weight group along k, a power of two.
    zero_point : bool
    order : str
        ``after``: MixPE, dequantised after the group, which equals exact arithmetic with the
        quantised operands.  ``before``: the INT8 baseline, weights dequantised to INT8 first.
    """
    if order not in get_args(Order):
        raise ConfigError(f"order={order!r} must be after or before; change order")
    return _measure(group, zero_point, order)


@cache
def _measure(group: int, zero_point: bool, order: Order) -> QuantizationError:
    def quantized(name: str, a: NDArray[np.float32], w: NDArray[np.float32]) -> NDArray[np.float32]:
        return quantized_linear(a, w, group=group, zero_point=zero_point, order=order)

    snr_db: dict[str, float] = {}

    def measured(name: str, a: NDArray[np.float32], w: NDArray[np.float32]) -> NDArray[np.float32]:
        exact = float_linear(name, a, w)
        snr_db[name] = _snr_db(exact, quantized(name, a, w))
        return exact

    reference = minilm_forward(minilm_sentences(), linear=measured)
    result = minilm_forward(minilm_sentences(), linear=quantized)
    cosine = np.sum(reference.embeddings * result.embeddings, axis=1, dtype=np.float64)
    return QuantizationError(
        group=group,
        zero_point=zero_point,
        order=order,
        mean_cosine=float(cosine.mean()),
        min_cosine=float(cosine.min()),
        snr_db=MappingProxyType(snr_db),
        overall_snr_db=_snr_db(reference.hidden[-1], result.hidden[-1]),
    )


def quantized_linear(
    a: NDArray[np.float32], w: NDArray[np.float32], *, group: int, zero_point: bool, order: Order
) -> NDArray[np.float32]:
    """Multiply quantised operands in exact integer arithmetic, then scale; the sum is not rounded.

    Parameters
    ----------
    a : float32, shape (m, k)
    w : float32, shape (n, k)
    group, zero_point, order
        As in :func:`quantization_error`.

    Returns
    -------
    float32, shape (m, n)
    """
    activations = quantize_activations(a)
    weights = quantize_weights(w, group=group, zero_point=zero_point)
    if order == "after":
        integers, step = weights.integers(), weights.base
    else:
        shift = natural_weight_shift(zero_point)
        int8 = dequantize_to_int8(
            weights.codes, weights.scale, weights.zero, group=group, weight_shift=shift
        )
        integers, step = int8.astype(np.int64), weights.base * 2**shift
    # float64 holds every partial sum exactly: below 127 * 15 * 4095 * 2^16 < 2^39.
    sums = activations.codes.astype(np.float64) @ integers.astype(np.float64).T
    return (activations.scale[:, None] * sums * step).astype(np.float32)


def quantization_table() -> list[dict[str, int | str | float]]:
    """Measure groups of 32, 64 and 128, symmetric and with zero point, in both orders.

    Returns
    -------
    list of dict
        One row a format, as ``pandas.DataFrame`` takes them: ``group``, ``weights``, ``order``,
        ``mean_cosine``, ``min_cosine``, ``error``, ``least_layer_snr_db``,
        ``median_layer_snr_db``, ``overall_snr_db``.
    """
    rows: list[dict[str, int | str | float]] = []
    for group in GROUPS:
        for zero_point in (False, True):
            for order in get_args(Order):
                result = quantization_error(group=group, zero_point=zero_point, order=order)
                layers = list(result.snr_db.values())
                rows.append(
                    {
                        "group": group,
                        "weights": "zero point" if zero_point else "symmetric",
                        "order": order,
                        "mean_cosine": result.mean_cosine,
                        "min_cosine": result.min_cosine,
                        "error": result.error,
                        "least_layer_snr_db": min(layers),
                        "median_layer_snr_db": float(np.median(layers)),
                        "overall_snr_db": result.overall_snr_db,
                    }
                )
    return rows


def _snr_db(signal: NDArray[np.float32], approximation: NDArray[np.float32]) -> float:
    exact = signal.astype(np.float64)
    noise = exact - approximation
    return float(10 * np.log10(np.sum(exact**2) / np.sum(noise**2)))


def _markdown(table: list[dict[str, int | str | float]]) -> str:
    """Lay the table out as docs/quantization-error.md shows it."""
    lines = [list(table[0]), ["---"] * len(table[0])]
    for row in table:
        lines.append([_cell(column, value) for column, value in row.items()])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(column: str, value: int | str | float) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.2f}" if column.endswith("_db") else f"{value:.4f}"


if __name__ == "__main__":
    print(_markdown(quantization_table()))
