"""What a PE's number formats cost in accuracy: the network with real weights, run in them.

All 36 linear layers run in the formats, such as W4A8 with INT4 weights and INT8 activations;
attention scores and values, norms and activation functions stay in float32.  ``python -m
dovetail.models.quantization_error`` prints the table of all W4A8 formats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from dovetail.models.minilm import float_linear, minilm_forward, minilm_sentences
from dovetail.models.pe_formats import LayerFormat, Order, PeFormat

GROUPS = (32, 64, 128)
_ORDERS: tuple[Order, ...] = ("after", "before")


@dataclass(frozen=True, kw_only=True)
class QuantizationError:
    """Quantised against float32 network, on the sentences of :func:`minilm_sentences`.

    Attributes
    ----------
    form : LayerFormat
    mean_cosine, min_cosine : float
        Between the two embeddings of a sentence, over the sentences.
    snr_db : mapping of str to float
        ``<layer>.<linear>`` to the signal-to-noise ratio of that layer's own product when its
        input is the float network's.
    overall_snr_db : float
        Of the token states after the last layer, with every linear layer quantised.
    """

    form: LayerFormat
    mean_cosine: float
    min_cosine: float
    snr_db: Mapping[str, float]
    overall_snr_db: float

    @property
    def error(self) -> float:
        """The objective of sweeps: 1 - mean cosine, 0 where nothing is lost."""
        return 1.0 - self.mean_cosine


@cache
def quantization_error(form: LayerFormat) -> QuantizationError:
    """Measure the error of number formats; a result is kept for the life of the process."""

    def quantized(name: str, a: NDArray[np.float32], w: NDArray[np.float32]) -> NDArray[np.float32]:
        return form.multiply(a, w).result.astype(np.float32)

    snr_db: dict[str, float] = {}

    def measured(name: str, a: NDArray[np.float32], w: NDArray[np.float32]) -> NDArray[np.float32]:
        exact = float_linear(name, a, w)
        snr_db[name] = _snr_db(exact, quantized(name, a, w))
        return exact

    reference = minilm_forward(minilm_sentences(), linear=measured)
    result = minilm_forward(minilm_sentences(), linear=quantized)
    cosine = np.sum(reference.embeddings * result.embeddings, axis=1, dtype=np.float64)
    return QuantizationError(
        form=form,
        mean_cosine=float(cosine.mean()),
        min_cosine=float(cosine.min()),
        snr_db=MappingProxyType(snr_db),
        overall_snr_db=_snr_db(reference.hidden[-1], result.hidden[-1]),
    )


def quantization_table() -> list[dict[str, int | str | float]]:
    """Measure W4A8 in groups of 32, 64 and 128, symmetric and with zero point, in both orders.

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
            for order in _ORDERS:
                result = quantization_error(w4a8(order, group=group, zero_point=zero_point))
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


def w4a8(order: Order, *, group: int, zero_point: bool) -> PeFormat:
    """Return the format of MixPE (``after``) or of the INT8 baseline (``before``)."""
    return PeFormat(
        weights="int4", activations="int8", order=order, group=group, zero_point=zero_point
    )


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
