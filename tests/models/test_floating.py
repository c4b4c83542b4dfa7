"""models/floating.py against NumPy's arithmetic and against fractions rounded once."""

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.arch.number_formats import BF16, FP16, FP32, FloatFormat
from dovetail.errors import ConfigError, ShapeError
from dovetail.models import floating
from dovetail.models.floating import (
    add,
    dot,
    from_float,
    fused_multiply_add,
    int_to_fp16,
    multiply,
    round_output,
    rounded_sum,
    sum_in_order,
    to_float,
)
from dovetail.tests.models.exact_rounding import nearest, value_of

ALL_FP16 = np.arange(1 << 16, dtype=np.uint16)
FORMATS = pytest.mark.parametrize("form", [FP16, FP32], ids=["fp16", "fp32"])


def corners(form: FloatFormat) -> list[int]:
    """Bit patterns next to every boundary of a format, of both signs."""
    one, last = form.bias << form.fraction_bits, (1 << form.fraction_bits) - 1
    least_normal = 1 << form.fraction_bits
    magnitudes = {
        *(0, 1, 2, 3, least_normal // 2, least_normal // 2 + 1),
        *(least_normal - 2, least_normal - 1, least_normal, least_normal + 1, 2 * least_normal),
        *(one - 1, one, one + 1, one + last, 3 * one // 2),
        *(form.infinity - 2, form.infinity - 1, form.infinity - least_normal),
        *(form.infinity, form.infinity + 1, form.nan, form.infinity + last),
    }
    return sorted(magnitudes | {bits | form.sign for bits in magnitudes})


def patterns(form: FloatFormat) -> st.SearchStrategy[int]:
    return st.one_of(st.sampled_from(corners(form)), st.integers(0, (1 << form.bits) - 1))


def exact_fma(accumulator: int, a: int, b: int, form: FloatFormat) -> int:
    """``RN(accumulator + a * b)`` from the definition."""
    base, x, y = value_of(accumulator, form), value_of(a, FP16), value_of(b, FP16)
    if base is None or x is None or y is None:
        # Python's own floats know infinities and NaNs.
        start = to_float(accumulator, form).item()
        result = start + to_float(a, FP16).item() * to_float(b, FP16).item()
        if math.isnan(result):
            return form.nan
        return form.infinity | (form.sign if result < 0 else 0)
    product_negative = bool((a ^ b) >> 15)
    negative_zero = bool(accumulator & form.sign) and product_negative and base == x * y == 0
    return nearest(base + x * y, form, negative_zero=negative_zero)


def canonical(values: np.ndarray) -> np.ndarray:
    """Bits of NumPy's numbers, every NaN replaced by the canonical one."""
    form, word = {np.dtype(np.float16): (FP16, np.uint16), np.dtype(np.float32): (FP32, np.uint32)}[
        values.dtype
    ]
    return np.where(np.isnan(values), word(form.nan), values.view(word))


def random_words(form: FloatFormat, count: int, seed: int) -> np.ndarray:
    word = np.uint16 if form.bits == 16 else np.uint32
    return np.random.default_rng(seed).integers(0, 1 << form.bits, count, dtype=word)


@FORMATS
def test_patterns_stand_for_their_fractions(form: FloatFormat) -> None:
    for bits in [*corners(form), *random_words(form, 200, 0).tolist()]:
        value = value_of(bits, form)
        if value is not None:
            got = float(to_float(bits, form))
            assert Fraction(got) == value
            assert math.copysign(1, got) == (-1) ** (bits >> (form.bits - 1))


def test_every_fp16_pattern_survives_both_ways() -> None:
    numbers = ALL_FP16.view(np.float16)
    np.testing.assert_array_equal(from_float(to_float(ALL_FP16, FP16), FP16), canonical(numbers))


def test_bf16_is_the_upper_half_of_fp32() -> None:
    np.testing.assert_array_equal(
        to_float(ALL_FP16, BF16), to_float(ALL_FP16.astype(np.uint32) << 16, FP32)
    )
    back = from_float(to_float(ALL_FP16, BF16), BF16)
    is_nan = np.isnan(to_float(ALL_FP16, BF16))
    np.testing.assert_array_equal(back, np.where(is_nan, BF16.nan, ALL_FP16))


def test_addition_is_numpy_s() -> None:
    a, b = random_words(FP16, 10**6, 1), random_words(FP16, 10**6, 2)
    grid = np.array(list(product(corners(FP16), repeat=2)), dtype=np.uint16)
    a, b = np.append(a, grid[:, 0]), np.append(b, grid[:, 1])
    with np.errstate(all="ignore"):
        want = canonical(a.view(np.float16) + b.view(np.float16))
    np.testing.assert_array_equal(add(a, to_float(b, FP16), FP16), want)


def test_addition_in_fp32_is_numpy_s() -> None:
    a, b = random_words(FP32, 10**6, 1), random_words(FP32, 10**6, 2)
    # Exponents within 30 of one another, where something happens.
    b[::2] = b[::2] & 0x807FFFFF | (((a[::2] >> 23 & 0xFF).clip(15, 240) - 15 + b[::2] % 31) << 23)
    grid = np.array(list(product(corners(FP32), repeat=2)), dtype=np.uint32)
    a, b = np.append(a, grid[:, 0]), np.append(b, grid[:, 1])
    with np.errstate(all="ignore"):
        want = canonical(a.view(np.float32) + b.view(np.float32))
    np.testing.assert_array_equal(add(a, to_float(b, FP32), FP32), want)


def test_multiplication_is_numpy_s() -> None:
    a, b = random_words(FP16, 10**6, 3), random_words(FP16, 10**6, 4)
    grid = np.array(list(product(corners(FP16), repeat=2)), dtype=np.uint16)
    a, b = np.append(a, grid[:, 0]), np.append(b, grid[:, 1])
    with np.errstate(all="ignore"):
        want = canonical(a.view(np.float16) * b.view(np.float16))
    # A zero of the product's own sign leaves the product as it is.
    zero = ((a ^ b) & 0x8000).astype(np.uint16)
    np.testing.assert_array_equal(fused_multiply_add(zero, a, b, FP16), want)


@FORMATS
def test_corners_fuse_as_fractions_rounded_once(form: FloatFormat) -> None:
    operands = list(product(corners(form), corners(FP16), corners(FP16)))[::7]
    operands += [(form.sign, a, b) for a, b in product(corners(FP16), repeat=2)]
    operands += [(0, a, b) for a, b in product(corners(FP16), repeat=2)]
    accumulator, a, b = np.array(operands).T
    got = fused_multiply_add(accumulator, a, b, form)
    assert got.tolist() == [exact_fma(*each, form) for each in operands]


@settings(max_examples=500)
@given(st.sampled_from([FP16, FP32]), st.data())
def test_operands_fuse_as_fractions_rounded_once(form: FloatFormat, data: st.DataObject) -> None:
    a, b = data.draw(patterns(FP16)), data.draw(patterns(FP16))
    accumulator = data.draw(patterns(form))
    exact = value_of(a, FP16), value_of(b, FP16)
    if data.draw(st.booleans()) and None not in exact:
        # Near minus the product, so that the sum cancels, and half a unit beside it, so that it
        # ties.
        near = nearest(-exact[0] * exact[1], form)  # type: ignore[operator]
        accumulator = min(max(near + data.draw(st.integers(-2, 2)), 0), (1 << form.bits) - 1)
    assert fused_multiply_add(accumulator, a, b, form) == exact_fma(accumulator, a, b, form)


@settings(max_examples=500)
@given(
    st.sampled_from([FP16, FP32, BF16]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.integers(-80, 80),
)
def test_any_two_float64_are_summed_exactly_and_rounded_once(
    form: FloatFormat, x: float, y: float, shift: int
) -> None:
    x = math.ldexp(math.frexp(x)[0], shift)
    exact = Fraction(x) + Fraction(y)
    negative_zero = math.copysign(1, x) == math.copysign(1, y) == -1
    assert rounded_sum(x, y, form) == nearest(exact, form, negative_zero=negative_zero)


@pytest.mark.parametrize(
    ("accumulator", "a", "b", "want"),
    [
        (0x0000, 0x8000, 0x3C00, 0x0000),  # +0 + -0 = +0
        (0x8000, 0x8000, 0x3C00, 0x8000),  # -0 + -0 = -0
        (0xBC00, 0x3C00, 0x3C00, 0x0000),  # x - x = +0
        (0x0000, 0x0001, 0x8001, 0x8000),  # -2^-48 rounds to -0
        (0x7BFF, 0x4C00, 0x3C00, 0x7C00),  # 65504 + 16 is the tie of overflow
        (0x7BFF, 0x4BFF, 0x3C00, 0x7BFF),  # just below it
        (0x7C00, 0x7BFF, 0xFBFF, 0x7C00),
        (0x7C00, 0xFC00, 0x3C00, 0x7E00),  # infinity - infinity
        (0x0000, 0x7C00, 0x8000, 0x7E00),  # infinity * 0
        (0xFDFF, 0x3C00, 0x3C00, 0x7E00),  # a NaN becomes the canonical one
    ],
)
def test_named_cases(accumulator: int, a: int, b: int, want: int) -> None:
    assert fused_multiply_add(accumulator, a, b, FP16) == want


def test_a_number_times_an_integer_is_exact() -> None:
    finite = ALL_FP16[np.isfinite(ALL_FP16.view(np.float16))][::7]
    for integer in (-8, -1, 0, 1, 7, 15, 4095, 16 * 4095):
        numbers = multiply(to_float(finite, FP16), integer).tolist()
        want = [integer * value_of(bits, FP16) for bits in finite.tolist()]  # type: ignore[operator]
        assert [Fraction(number) for number in numbers] == want


@FORMATS
def test_a_dot_product_rounds_after_each_product_in_ascending_order(form: FloatFormat) -> None:
    rng = np.random.default_rng(5)
    a = to_float(from_float(rng.standard_normal((3, 40)), FP16), FP16)
    b = rng.integers(-8, 8, (5, 40)).astype(np.float64)
    sums = np.zeros((3, 5), dtype=int)
    for k in range(40):
        for m, n in product(range(3), range(5)):
            exact = Fraction(a[m, k]) * Fraction(b[n, k]) + value_of(int(sums[m, n]), form)  # type: ignore[operator]
            sums[m, n] = nearest(exact, form)
    np.testing.assert_array_equal(dot(a, b, form), sums)


@FORMATS
def test_terms_are_added_in_order(form: FloatFormat) -> None:
    rng = np.random.default_rng(8)
    terms = rng.standard_normal((40, 5)) * 2.0 ** rng.integers(-12, 12, (40, 5))
    sums = [0] * 5
    for row in terms:
        for n, term in enumerate(row):
            sums[n] = nearest(Fraction(term) + value_of(sums[n], form), form)  # type: ignore[operator]
    assert sum_in_order(terms, form).tolist() == sums
    assert sum_in_order(terms[::-1], form).tolist() != sums
    assert sum_in_order(np.zeros((0, 2)), form).tolist() == [0, 0]
    assert sum_in_order(np.full((2, 1), -0.0), form).tolist() == [0]


def test_a_dot_product_of_special_numbers() -> None:
    a = np.array([[np.inf, 1.0], [np.nan, 1.0], [-0.0, -0.0], [60000.0, 60000.0]])
    b = np.array([[1.0, -1.0], [0.0, 1.0]])
    want = [[FP16.infinity, FP16.nan], [FP16.nan] * 2, [0, 0], [0, FP16.bias << 10]]
    want[3][1] = int(from_float(60000.0, FP16))
    assert dot(a, b, FP16).tolist() == want


def test_a_dot_product_starts_where_it_is_told() -> None:
    one = FP16.bias << FP16.fraction_bits
    assert dot(np.ones((1, 2)), np.ones((1, 2)), FP16, start=one).item() == from_float(3.0, FP16)
    assert dot(np.ones((1, 0)), np.ones((1, 0)), FP16, start=FP16.sign).item() == FP16.sign


def test_integers_become_fp16() -> None:
    values = [
        *range(-70, 70),
        *(s * (2**e + d) for e in range(8, 17) for d in range(-40, 41) for s in (1, -1)),
    ]
    for shift in range(16):
        got = int_to_fp16(np.array(values), shift).tolist()
        assert got == [nearest(Fraction(value, 2**shift), FP16) for value in values]


@settings(max_examples=300)
@given(patterns(FP32), st.integers(0, 63))
def test_outputs_are_rounded_once(bits: int, shift: int) -> None:
    value = value_of(bits, FP32)
    if value is None:
        want = canonical(np.array(bits, dtype=np.uint32).view(np.float32).astype(np.float16))
    else:
        want = nearest(value / 2**shift, FP16, negative_zero=bool(bits >> 31))
    assert round_output(bits, shift) == want


def test_compiled_kernels_agree_with_their_python_source() -> None:
    rng = np.random.default_rng(6)
    limits = floating._limits(FP16)
    for x, y in rng.standard_normal((200, 2)) * 2.0 ** rng.integers(-30, 18, (200, 2)):
        assert floating._rounded(x, y, *limits) == floating._rounded.py_func(x, y, *limits)
    terms, compiled, python = rng.standard_normal((9, 4)), np.zeros(4), np.zeros(4)
    floating._sum_rows(terms, compiled, *limits)
    floating._sum_rows.py_func(terms, python, *limits)
    np.testing.assert_array_equal(compiled, python)


@pytest.mark.parametrize(
    ("bits", "message"),
    [
        (1.0, r"^bits are float64; they must be integers, so view them as such$"),
        (-1, r"^bits=-1 are no pattern of fp16; they must be from 0 to 2\^16 - 1$"),
        (1 << 16, r"^bits=65536 are no pattern of fp16; they must be from 0 to 2\^16 - 1$"),
    ],
)
def test_refuses_what_is_no_pattern(bits: float, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        to_float(bits, FP16)


def test_refuses_operands_that_do_not_meet() -> None:
    with pytest.raises(
        ShapeError,
        match=r"^a has shape \(2, 3\) and b \(4, 5\); they must be \(m, k\) and \(n, k\) "
        r"with one k$",
    ):
        dot(np.zeros((2, 3)), np.zeros((4, 5)), FP16)


def test_refuses_terms_that_are_no_matrix() -> None:
    with pytest.raises(ShapeError, match=r"^terms have shape \(3,\); they must be \(terms, n\)$"):
        sum_in_order(np.zeros(3), FP16)


@pytest.mark.parametrize("shift", [-1, 64])
def test_refuses_shifts_out_of_range(shift: int) -> None:
    with pytest.raises(ConfigError, match=rf"^shift={shift} must be from 0 to 63; change shift$"):
        round_output([1, 2], [1, shift])
