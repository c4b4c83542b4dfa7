"""Signal-to-noise ratio of real linear layers in the formats of PEs, against float64.

``snr`` compares with the product of the float32 weights and activations.  It has two sources of
noise: rounding the operands, which ``operand_snr`` has alone (exact arithmetic on the quantised
operands), and the arithmetic, which ``arithmetic_snr`` has alone (the result against that exact
one).  The second is what the place of dequantisation and the format of the sums decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from dovetail.models.minilm import float_linear, minilm_forward, minilm_sentences
from dovetail.models.pe_formats import LayerFormat

Layer = tuple[NDArray[np.float32], NDArray[np.float32]]
EVERY_TOKEN = 8
"""Of the tokens, every eighth is measured: running sums take their time."""
TOTAL = "total"
"""Name of the entry with the powers of all layers added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snr:
    """Ratios of one layer's output, in dB: infinite without noise, -inf where a sum overflowed.

    Attributes
    ----------
    snr_db : float
        Against the float product.
    operand_snr_db : float
        Of exact arithmetic on the quantised operands, against the float product.
    arithmetic_snr_db : float
        Of the result, against exact arithmetic on the same operands.
    """

    snr_db: float
    operand_snr_db: float
    arithmetic_snr_db: float


@dataclass(frozen=True, slots=True)
class _Powers:
    """Sums of squares over a layer's output."""

    signal: float
    noise: float
    operand_noise: float
    operand_signal: float
    arithmetic_noise: float

    def __add__(self, other: _Powers) -> _Powers:
        return _Powers(
            self.signal + other.signal,
            self.noise + other.noise,
            self.operand_noise + other.operand_noise,
            self.operand_signal + other.operand_signal,
            self.arithmetic_noise + other.arithmetic_noise,
        )

    def snr(self) -> Snr:
        return Snr(
            snr_db=_db(self.signal, self.noise),
            operand_snr_db=_db(self.signal, self.operand_noise),
            arithmetic_snr_db=_db(self.operand_signal, self.arithmetic_noise),
        )


def layer_snr(a: NDArray[np.float32], w: NDArray[np.float32], form: LayerFormat) -> Snr:
    """Measure one layer.

    Parameters
    ----------
    a : float32, shape (m, k)
    w : float32, shape (n, k)
    """
    return _powers(a, w, form).snr()


def format_snr(form: LayerFormat, *, layers: Mapping[str, Layer] | None = None) -> dict[str, Snr]:
    """Measure every layer, and :data:`TOTAL`: the powers of all layers added.

    Parameters
    ----------
    form : LayerFormat
    layers : mapping of str to (a, w), optional
        Operands of each layer; :func:`minilm_layers` without it.
    """
    powers = {
        name: _powers(a, w, form)
        for name, (a, w) in (minilm_layers() if layers is None else layers).items()
    }
    first, *others = powers.values()
    total = sum(others, start=first)
    return {name: power.snr() for name, power in (*powers.items(), (TOTAL, total))}


@cache
def minilm_layers() -> Mapping[str, Layer]:
    """Operands of the 36 linear layers of the float network with real weights.

    Every :data:`EVERY_TOKEN`-th token of the sentences of :func:`minilm_sentences`.
    """
    layers: dict[str, Layer] = {}

    def recording(name: str, a: NDArray[np.float32], w: NDArray[np.float32]) -> NDArray[np.float32]:
        layers[name] = (a[::EVERY_TOKEN], w)
        return float_linear(name, a, w)

    minilm_forward(minilm_sentences(), linear=recording)
    return layers


def _powers(a: NDArray[np.float32], w: NDArray[np.float32], form: LayerFormat) -> _Powers:
    exact = a.astype(np.float64) @ w.astype(np.float64).T
    product = form.multiply(a, w)
    return _Powers(
        signal=_power(exact),
        noise=_power(product.result - exact),
        operand_noise=_power(product.of_operands - exact),
        operand_signal=_power(product.of_operands),
        arithmetic_noise=_power(product.result - product.of_operands),
    )


def _power(values: NDArray[np.float64]) -> float:
    return float(np.sum(values**2))


def _db(signal: float, noise: float) -> float:
    if not np.isfinite(noise):
        return float("-inf")
    return float(10 * np.log10(signal / noise)) if noise else float("inf")
