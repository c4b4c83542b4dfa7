"""models/lut/quantize.py: what the codes stand for, and that no tried step would lose less."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.errors import ConfigError, ShapeError
from dovetail.models.lut.formats import Levels, LutFormat
from dovetail.models.lut.quantize import quantize_lut_weights
from dovetail.models.quantize import SCALE_MAX, quantize_weights

LEVELS: tuple[Levels, ...] = ("odd", "twos_complement", "zero_point")
LEVELS_TOO = pytest.mark.parametrize("levels", LEVELS)


def real_weights(n: int = 6, k: int = 200, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, k)) * np.exp(rng.standard_normal((n, 1)))


@LEVELS_TOO
@pytest.mark.parametrize("bits", range(1, 9))
def test_codes_stand_for_the_nearest_level(bits: int, levels: Levels) -> None:
    w = real_weights()
    got = quantize_lut_weights(w, LutFormat(weight_bits=bits, levels=levels), group=64)
    assert got.scale.max(axis=1).tolist() == [SCALE_MAX] * len(w)
    for n, k in np.ndindex(w.shape):
        g = k // 64
        half = got.base[n] * got.scale[n, g]
        values = {
            "odd": [half * q for q in range(1 - (1 << bits), 1 << bits, 2)],
            "twos_complement": [2 * half * q for q in range(-(1 << bits - 1), 1 << bits - 1)],
            "zero_point": [2 * half * (q - int(got.zero[n, g])) for q in range(1 << bits)],
        }[levels]
        value = values[got.codes[n, k]]
        assert got.dequantize()[n, k] == pytest.approx(value, rel=1e-12, abs=1e-300)
        assert abs(w[n, k] - value) <= min(abs(w[n, k] - v) for v in values) * (1 + 1e-9)


def test_one_bit_comes_close_to_the_best_scale() -> None:
    """The best +-s for given weights is their mean magnitude (XNOR-Net, equation 6)."""
    w = real_weights(n=4, k=128)
    got = quantize_lut_weights(w, LutFormat(weight_bits=1), group=128)
    best = np.abs(w).mean(axis=1)
    # Sixteenths of the largest magnitude, so half of one away at most.
    assert (np.abs(got.dequantize()[:, 0]) - best <= np.abs(w).max(axis=1) / 32 + 1e-9).all()
    lost = ((w - got.dequantize()) ** 2).sum(axis=1)
    assert (lost <= 1.02 * ((w - np.sign(w) * best[:, None]) ** 2).sum(axis=1)).all()


@pytest.mark.parametrize("zero_point", [False, True])
def test_four_bits_lose_less_than_without_the_search(zero_point: bool) -> None:
    """Compared with models/quantize.py, whose step clips nothing."""
    w = real_weights()
    levels: Levels = "zero_point" if zero_point else "twos_complement"
    ours = quantize_lut_weights(w, LutFormat(weight_bits=4, levels=levels), group=64)
    theirs = quantize_weights(w, group=64, zero_point=zero_point)
    lost = ((w - ours.dequantize()) ** 2).sum()
    assert 0.5 < lost / ((w - theirs.dequantize()) ** 2).sum() < 1


@settings(max_examples=40)
@given(
    st.integers(1, 8), st.sampled_from(LEVELS), st.sampled_from([1, 4, 15, 16, 17]), st.integers()
)
def test_any_shape_and_weights(bits: int, levels: Levels, k: int, seed: int) -> None:
    w = np.random.default_rng(abs(seed)).integers(-2, 3, (2, k)) * 1.5
    form = LutFormat(weight_bits=bits, levels=levels)
    got = quantize_lut_weights(w, form, group=8)
    assert got.codes.shape == (2, k) and got.scale.shape == got.zero.shape == (2, -(-k // 8))
    assert got.codes.max() < 1 << bits and 0 <= got.zero.min() <= got.zero.max() < 1 << bits
    assert np.isfinite(got.dequantize()).all()
    # The widest step is one of those tried, and loses at most half of 6 / (2^b - 1) a weight; two's
    # complement has one level less above zero, so a step of up to twice that.
    step = 6 / ((1 << bits) - 1) if bits > 1 or levels != "twos_complement" else 6
    lost = ((w - got.dequantize()) ** 2).sum()
    assert lost <= w.size * (step / 2 if levels != "twos_complement" else step) ** 2 * 1.01


def test_weights_of_zero() -> None:
    for levels in LEVELS:
        form = LutFormat(weight_bits=3, levels=levels)
        assert not quantize_lut_weights(np.zeros((2, 8)), form, group=4).dequantize().any()


def test_bad_input() -> None:
    with pytest.raises(ShapeError, match=r"w\[0, 1\] = nan; every value must be finite"):
        quantize_lut_weights([[0.0, np.nan]], LutFormat(weight_bits=2), group=4)
    with pytest.raises(ConfigError, match="group=6 must be a multiple of lut_k=4; set it to 8"):
        quantize_lut_weights([[0.0, 1.0]], LutFormat(weight_bits=2), group=6)
