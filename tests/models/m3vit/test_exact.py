"""Every fixed-point unit, bit for bit, against docs/m3vit.md in Python's own integers."""

import math

import numpy as np
import pytest

from dovetail.arch.m3vit.formats import ATTENTION_BIAS, BIAS, WEIGHT, FixedFormat
from dovetail.models.m3vit.delta_gelu import delta_gelu
from dovetail.models.m3vit.exponential import exp_negative
from dovetail.models.m3vit.fixed_attention import fixed_attention
from dovetail.models.m3vit.fixed_gate import fixed_gate
from dovetail.models.m3vit.fixed_linear import FixedLinear, fixed_linear
from dovetail.models.m3vit.fixed_norm import FixedNorm, fixed_layer_norm, inverse_root
from dovetail.models.m3vit.softmax import running_softmax

RNG = np.random.default_rng(21)
ONE = 1 << 22
EXP = [round(2 ** (24 - i / 256)) for i in range(257)]
GELU = [round(i / 32 * math.erfc(i / 32 / math.sqrt(2)) / 2 * 2**22) for i in range(177)]
ROOT = [round(2**24 / math.sqrt(1 + i / 128)) for i in range(385)] + [0]


def wrap(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


def exp_of(t: int) -> int:
    u = (t * round(2**22 * math.log2(math.e))) >> 22
    n, f = u >> 22, u % 2**22
    i, r = f >> 14, f % 2**14
    return (EXP[i] - (((EXP[i] - EXP[i + 1]) * r) >> 14)) >> (2 + n)


def softmax_of(row: list[int]) -> tuple[int, int]:
    b, s = row[0], ONE
    for x in row[1:]:
        e = exp_of(abs(x - b))
        if x > b:
            b, s = x, ((s * e) >> 22) + ONE
        else:
            s += e
    return b, 2**53 // s


def gelu_of(x: int) -> int:
    i, r = abs(x) >> 17, abs(x) % 2**17
    return max(x, 0) - (GELU[i] + (((GELU[i + 1] - GELU[i]) * r) >> 17) if i < 176 else 0)


def root_of(variance: int) -> int:
    shift = 0
    while variance << shift < 2**30 and shift >= 0:
        shift += 2
    while shift <= 0 and (variance >> -shift) >= 2**32:
        shift -= 2
    mantissa = variance << shift if shift >= 0 else variance >> -shift
    i, r = (mantissa >> 23) - 128, mantissa % 2**23
    root = ROOT[i] - (((ROOT[i] - ROOT[i + 1]) * r) >> 23)
    back = 1 + shift // 2 - 2
    return root << back if back >= 0 else root >> -back


def norm_of(x: list[int], gamma: list[int], beta: list[int]) -> list[int]:
    s = 19 + (len(x) - 1).bit_length()
    factor = round(2**s / len(x))
    mean = wrap((sum(x) * factor) >> s)
    square = (sum((v * v) >> 12 for v in x) * factor) >> s
    rstd = root_of(max(square - ((mean * mean) >> 12), 0) + 4295)
    units = [wrap((wrap(v - mean) * rstd) >> 22) for v in x]
    return [wrap((u * g + (b << 22)) >> 11) for u, g, b in zip(units, gamma, beta, strict=True)]


def test_exponentials() -> None:
    t = [0, 1, 2**14, 2**22, 2**33 - 1, *RNG.integers(0, 2**26, 500).tolist()]
    assert exp_negative(np.array(t)).tolist() == [exp_of(v) for v in t]


def test_gelu() -> None:
    wide = RNG.integers(-(2**31), 2**31, 200).tolist()
    near = RNG.integers(-6 * ONE, 6 * ONE, 2000).tolist()
    edges = [0, 1, -1, 176 << 17, (176 << 17) - 1, -(176 << 17), -(2**31), 2**31 - 1]
    x = [*wide, *near, *edges]
    assert delta_gelu(np.array(x)).tolist() == [gelu_of(v) for v in x]


@pytest.mark.parametrize("length", [1, 2, 3, 33])
def test_softmax_from_any_column_on(length: int) -> None:
    rows = RNG.integers(-8 * ONE, 8 * ONE, (20, length))
    rows[0], rows[1] = 2**31 - 1, RNG.choice([-(2**31), 2**31 - 1], length)
    first = RNG.integers(0, length, 20)
    bias, reciprocal = running_softmax(rows, first=first)
    for row, start, b, r in zip(rows, first, bias, reciprocal, strict=True):
        assert (int(b), int(r)) == softmax_of(np.roll(row, -start).tolist())


def test_softmax_depends_on_its_order() -> None:
    rows = np.repeat(RNG.integers(-4 * ONE, 4 * ONE, (1, 64)), 64, axis=0)
    _, reciprocal = running_softmax(rows, first=np.arange(64))
    assert len(set(reciprocal.tolist())) > 1  # else the test of attention's order says nothing


def test_inverse_roots() -> None:
    powers = [2**p + d for p in range(13, 51) for d in (-1, 0, 1)]
    variance = [4295, *powers, *RNG.integers(4295, 2**50, 500).tolist()]
    variance = [v for v in variance if 4295 <= v <= 2**50]
    assert inverse_root(np.array(variance)).tolist() == [root_of(v) for v in variance]


@pytest.mark.parametrize("width", [1, 3, 24, 192])
@pytest.mark.parametrize("scale", [2**16, 2**22, 2**27])
def test_layer_norm(width: int, scale: int) -> None:
    x = RNG.integers(-scale, scale, (4, width))
    x[0], x[1] = 7, RNG.choice([-(2**31), 2**31 - 1], width)
    gamma, beta = RNG.integers(-(2**15), 2**15, (2, width))
    got = fixed_layer_norm(x, FixedNorm(gamma, beta))
    for row, mine in zip(x, got, strict=True):
        assert mine.tolist() == norm_of(row.tolist(), gamma.tolist(), beta.tolist())


@pytest.mark.parametrize("form", [ATTENTION_BIAS, BIAS])
def test_linear_needs_no_more_than_46_bits(form: FixedFormat) -> None:
    weight = RNG.integers(-(2**15), 2**15, (3, 40))
    bias = RNG.integers(-(2**15), 2**15, 3)
    x = RNG.integers(-(2**31), 2**31, (5, 40))
    got = fixed_linear(x, FixedLinear(weight, bias, WEIGHT, form))
    for row, mine in zip(x.tolist(), got.tolist(), strict=True):
        for w, b, value in zip(weight.tolist(), bias.tolist(), mine, strict=True):
            total = b << (36 - form.fraction_bits)
            for v, u in zip(row, w, strict=True):
                total = (total + v * u) % 2**46
            assert value == wrap(total >> 14)


def test_gate() -> None:
    x, gate = RNG.integers(-ONE, ONE, (30, 12)), RNG.integers(-(2**15), 2**15, (6, 12))
    gate[4] = gate[1]  # equal logits
    got = fixed_gate(x, gate, 3)
    ties = 0
    for row, experts, scores in zip(x.tolist(), got.experts, got.scores, strict=True):
        logits = [
            wrap(sum(v * w for v, w in zip(row, g, strict=True)) >> 14) for g in gate.tolist()
        ]
        b, r = softmax_of(logits)
        best = sorted(range(6), key=lambda e: (-logits[e], e))[:3]
        ties += {1, 4} <= set(best)
        assert experts.tolist() == best
        assert scores.tolist() == [(exp_of(b - logits[e]) * r) >> 31 for e in best]
    assert ties


@pytest.mark.parametrize("parallel", [1, 2, 4])
def test_attention(parallel: int) -> None:
    q, k, v = RNG.integers(-2 * ONE, 2 * ONE, (3, 2, 11, 8))
    q[0, 0] = RNG.choice([-(2**31), 2**31 - 1], 8)  # a score that wraps
    got = fixed_attention(q, k, v, parallel=parallel)
    scale = math.isqrt(2**44 // 8)
    for head in range(2):
        for token in range(11):
            dots = [
                sum(a * b for a, b in zip(q[head, token].tolist(), key, strict=True))
                for key in k[head].tolist()
            ]
            row = [wrap((wrap(dot >> 22) * scale) >> 22) for dot in dots]
            start = token % parallel
            b, r = softmax_of(row[start:] + row[:start])
            p = [(exp_of(b - s) * r) >> 31 for s in row]
            want = [
                wrap(sum(a * c for a, c in zip(p, column, strict=True)) >> 22)
                for column in v[head].T.tolist()
            ]
            assert got[head, token].tolist() == want
