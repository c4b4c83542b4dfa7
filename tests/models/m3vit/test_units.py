"""The fixed-point units of Edge-MoE against float64 and exact integers."""

import math
from fractions import Fraction

import numpy as np
import pytest

from dovetail.arch.m3vit.formats import FEATURE, PIXEL
from dovetail.errors import ShapeError
from dovetail.models.m3vit.delta_gelu import delta_gelu
from dovetail.models.m3vit.exponential import exp_negative
from dovetail.models.m3vit.fixed import to_fixed, to_float
from dovetail.models.m3vit.fixed_attention import fixed_attention
from dovetail.models.m3vit.fixed_gate import fixed_gate
from dovetail.models.m3vit.fixed_linear import fixed_layer, fixed_linear, scatter_add
from dovetail.models.m3vit.fixed_norm import FixedNorm, fixed_layer_norm, inverse_root
from dovetail.models.m3vit.softmax import probability, running_softmax
from dovetail.models.m3vit.weights import Linear

LSB = 2.0**-22
RNG = np.random.default_rng(11)
EXTREMES = np.array([-(2**31), -(2**31) + 1, -1, 0, 1, 2**31 - 1], dtype=np.int64)


def exact_gelu(x: np.ndarray) -> np.ndarray:
    return np.array([v * math.erfc(-v / math.sqrt(2)) / 2 for v in x])


def exact_softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def test_exponentials_are_as_right_as_chords_of_their_table() -> None:
    t = np.concatenate([np.arange(2**16), RNG.integers(0, 20 * 2**22, 100_000)])
    got = exp_negative(t) * LSB
    # Chords of 2^-f over 1/256, then one truncation of the exponent and one of the result.
    assert np.abs(got - np.exp(-t * LSB)).max() < (math.log(2) / 256) ** 2 / 8 + 2 * LSB
    assert exp_negative(np.array([0])).item() == 2**22
    # Nothing is left far out, up to the largest distance of two features.
    assert exp_negative(np.array([16 * 2**22, 2**32, 2**33 - 1])).tolist() == [0, 0, 0]


def test_exponentials_never_rise() -> None:
    assert (np.diff(exp_negative(np.arange(0, 2**22, 7))) <= 0).all()


def test_gelu_is_right_to_a_ten_thousandth() -> None:
    x = np.arange(-8 * 2**22, 8 * 2**22, 997)
    error = np.abs(delta_gelu(x) * LSB - exact_gelu(x * LSB))
    assert error.max() <= 1e-4
    # Chords of a curve whose second derivative is at most 0.8, over steps of 1/32.
    assert error.max() <= 0.8 / 8 / 32**2 + 2 * LSB
    assert math.sqrt(np.square(error).mean()) < 2.1e-5


def test_gelu_beyond_its_table_is_relu() -> None:
    x = np.concatenate([EXTREMES, [int(5.5 * 2**22), -int(5.5 * 2**22), 6 * 2**22]])
    far = np.abs(x) >= 5.5 * 2**22
    np.testing.assert_array_equal(delta_gelu(x)[far], np.maximum(x, 0)[far])
    assert delta_gelu(np.array([0])).item() == 0


@pytest.mark.parametrize("length", [1, 2, 16, 129, 1201])
@pytest.mark.parametrize("deviation", [0.0, 1.0, 4.0])
def test_softmax_is_right_to_a_thousandth_of_each_row(length: int, deviation: float) -> None:
    x = to_fixed(RNG.standard_normal((6, length)) * deviation, FEATURE)
    for first in (0, np.arange(6)):
        bias, reciprocal = running_softmax(x, first=first)
        np.testing.assert_array_equal(bias, x.max(axis=1))
        got = probability(x, bias[:, None], reciprocal[:, None]) * LSB
        want = exact_softmax(x * LSB)
        error = np.linalg.norm(got - want, axis=1) / np.linalg.norm(want, axis=1)
        assert error.max() < 1e-3


def test_softmax_of_rows_that_rise_or_fall_at_every_step() -> None:
    rising = np.linspace(-40, 40, 1201)
    x = to_fixed(np.stack([rising, rising[::-1], np.where(rising < 0, -500, 500)]), FEATURE)
    bias, reciprocal = running_softmax(x)
    got = probability(x, bias[:, None], reciprocal[:, None]) * LSB
    want = exact_softmax(x * LSB)
    error = np.linalg.norm(got - want, axis=1) / np.linalg.norm(want, axis=1)
    assert error.max() < 1e-3


def test_softmax_of_two_numbers_by_hand() -> None:
    # S = floor(1 * exp(-1)) + 1 in units of 2^-22, then floor(2^53 / S).
    low, high = 0, 2**22
    e = exp_negative(np.array([2**22])).item()
    assert abs(e - math.exp(-1) * 2**22) < 2
    bias, reciprocal = running_softmax(np.array([[low, high]]))
    assert (bias.item(), reciprocal.item()) == (high, 2**53 // (e + 2**22))


def test_refuses_a_softmax_of_nothing() -> None:
    with pytest.raises(ShapeError, match=r"^x has shape \(3, 0\); it must be \(rows, length\)"):
        running_softmax(np.zeros((3, 0), np.int64))


def test_inverse_roots_over_their_whole_range() -> None:
    exponents = RNG.uniform(12.1, 50, 20_000)
    variance = np.unique(np.concatenate([2**exponents, 2.0 ** np.arange(13, 51)]).astype(np.int64))
    got = inverse_root(variance) * LSB
    want = 1 / np.sqrt(variance * 2.0**-32)
    # Chords over 1/128 of 1/sqrt: 3/4 / 8 / 128^2, then the last place of the result.
    assert (np.abs(got - want) <= 6e-6 * want + 2 * LSB).all()


@pytest.mark.parametrize("width", [1, 3, 192, 384, 768])
@pytest.mark.parametrize(("mean", "deviation"), [(0, 1), (3, 0.1), (-20, 10), (0, 100), (5, 0)])
def test_layer_norm(width: int, mean: float, deviation: float) -> None:
    x = to_fixed(mean + deviation * RNG.standard_normal((5, width)), FEATURE)
    gamma, beta = to_fixed(RNG.normal(1, 0.1, width), FEATURE) >> 11, RNG.integers(-999, 999, width)
    got = fixed_layer_norm(x, FixedNorm(gamma, beta)) * LSB
    real = x * LSB
    centred = real - real.mean(axis=1, keepdims=True)
    unit = centred / np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + 1e-6)
    want = unit * (gamma / 2**11) + beta / 2**11
    # The mean is right to 2^-20 of itself; where little deviates from it, that weighs more.
    spread = max(deviation, 1e-3) if width > 1 else 1e-3
    tolerance = 1e-4 + 3 * abs(mean) * 2.0**-20 / spread + (mean / spread) ** 2 * 2.0**-19
    assert np.abs(got - want).max() <= tolerance * max(1, np.abs(unit).max())


@pytest.mark.parametrize("gelu", [False, True])
def test_linear_truncates_once(gelu: bool) -> None:
    layer = fixed_layer(
        Linear(weight=RNG.standard_normal((5, 33)) / 6, bias=RNG.standard_normal(5))
    )
    x = np.concatenate([to_fixed(RNG.standard_normal((3, 33)), FEATURE), [[2**31 - 1] * 33]])
    got = fixed_linear(x, layer, gelu=gelu)
    for row in range(4):
        for output in range(5):
            exact = Fraction(int(layer.bias[output]), 2**11) + sum(
                Fraction(int(a), 2**22) * Fraction(int(w), 2**14)
                for a, w in zip(x[row], layer.weight[output], strict=True)
            )
            want = (math.floor(exact * 2**22) + 2**31) % 2**32 - 2**31
            if gelu:
                want = delta_gelu(np.array([want])).item()
            assert got[row, output] == want


def test_pixels_are_fractions_of_eight_bits() -> None:
    layer = fixed_layer(Linear(weight=np.full((1, 2), 0.25), bias=np.zeros(1)))
    got = fixed_linear(np.array([[128, 64]]), layer, input_format=PIXEL)
    assert to_float(got).item() == 0.25 * (0.5 + 0.25)


def test_scatter_add_weighs_truncates_and_wraps() -> None:
    into = np.zeros((3, 2), np.int64)
    into[2] = 2**31 - 1
    scatter_add(into, np.array([0, 2]), np.array([2**21, 2**22]), np.array([[-3, 5], [1, 0]]))
    assert into.tolist() == [[-2, 2], [0, 0], [-(2**31), 2**31 - 1]]


def test_ties_in_the_gate_go_to_the_lowest_expert() -> None:
    x = np.array([[2**22, 0], [2**22, 2**22]])
    gate = np.array([[0, 1], [1, 0], [1, 1], [1, 0]]) * 2**13
    got = fixed_gate(x, gate, 2)
    # Logits are 0, 0.5, 0.5, 0.5 and 0.5, 0.5, 1, 0.5.
    assert got.experts.tolist() == [[1, 2], [2, 0]]
    want = exact_softmax(np.array([[0, 0.5, 0.5, 0.5], [0.5, 0.5, 1, 0.5]]))
    np.testing.assert_allclose(
        to_float(got.scores), np.take_along_axis(want, got.experts, axis=1), atol=1e-6
    )


@pytest.mark.parametrize("parallel", [1, 2, 4, 7])
def test_attention_in_any_order_is_right(parallel: int) -> None:
    q, k, v = RNG.standard_normal((3, 2, 9, 32))
    fixed = [to_fixed(value, FEATURE) for value in (q, k, v)]
    got = to_float(fixed_attention(*fixed, parallel=parallel))
    want = exact_softmax(q @ k.transpose(0, 2, 1) / math.sqrt(32)) @ v
    np.testing.assert_allclose(got, want, rtol=0, atol=2e-5)


def test_refuses_attention_without_queries_in_flight() -> None:
    zero = np.zeros((1, 1, 1), np.int64)
    with pytest.raises(ShapeError, match=r"^parallel=0 must be at least 1; raise it$"):
        fixed_attention(zero, zero, zero, parallel=0)
