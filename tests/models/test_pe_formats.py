"""models/pe_formats.py."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from dovetail.errors import ConfigError
from dovetail.models.pe_formats import PeFormat, multiply
from dovetail.models.quantize import quantize_activations, quantize_weights

W4A16 = {"weights": "int4", "activations": "fp16"}
ZERO = pytest.mark.parametrize("zero_point", [False, True], ids=["symmetric", "zero_point"])
SUMS = pytest.mark.parametrize("sums", ["fp32", "fp16"])


def form(**values: Any) -> PeFormat:
    return PeFormat(**values)


def operands(m: int, n: int, k: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((m, k)).astype(np.float32)
    w = rng.standard_normal((n, k)).astype(np.float32)
    return a, w


def rounded(value: Fraction, fraction_bits: int, least_exponent: int) -> Fraction:
    """Round exactly, half to even: the definition, in rational numbers."""
    if value == 0:
        return Fraction(0)
    exponent = least_exponent
    while abs(value) >= Fraction(2) ** (exponent + 1):
        exponent += 1
    place = Fraction(2) ** (exponent - fraction_bits)
    return round(value / place) * place  # Python rounds a half to even


def fp32(value: Fraction) -> Fraction:
    return rounded(value, 23, -126)


def fp16(value: Fraction) -> Fraction:
    return rounded(value, 10, -14)


def running(a: list[Fraction], w: list[Fraction], sums: str) -> Fraction:
    total = Fraction(0)
    for x, y in zip(a, w, strict=True):
        total = (fp32 if sums == "fp32" else fp16)(total + x * y)
    return total


def exactly(values: np.ndarray) -> list[Fraction]:
    return [Fraction(float(value)) for value in values]


@SUMS
@pytest.mark.parametrize(("k", "group"), [(1, 32), (33, 32), (70, 16)])
def test_fp16_sums_by_group_and_then_in_fp32(k: int, group: int, sums: str) -> None:
    a, w = operands(3, 2, k)
    pe = form(weights="fp16", activations="fp16", order="never", group=group, sums=sums)
    product = multiply(a, w, pe)
    a16, w16 = a.astype(np.float16), w.astype(np.float16)
    for m in range(3):
        for n in range(2):
            total = Fraction(0)
            for start in range(0, k, group):
                part = slice(start, start + group)
                total = fp32(total + running(exactly(a16[m, part]), exactly(w16[n, part]), sums))
            assert product.result[m, n] == float(total)
    np.testing.assert_allclose(product.of_operands, a16.astype(float) @ w16.astype(float).T)


@ZERO
@SUMS
def test_after_the_group_codes_are_summed_then_corrected_and_scaled(
    sums: str, zero_point: bool
) -> None:
    rounding = fp32 if sums == "fp32" else fp16
    a, w = operands(3, 2, 40)
    pe = form(**W4A16, order="after", group=16, zero_point=zero_point, sums=sums)
    product = multiply(a, w, pe)
    quantized = quantize_weights(w, group=16, zero_point=zero_point)
    a16 = a.astype(np.float16)
    for m in range(3):
        for n in range(2):
            total = Fraction(0)
            for g, start in enumerate(range(0, 40, 16)):
                part = slice(start, start + 16)
                codes = exactly(quantized.codes[n, part])
                activations = exactly(a16[m, part])
                of_products = running(activations, codes, sums)
                of_activations = running(activations, [Fraction(1)] * len(codes), sums)
                # The format of the sums rounds the correction; the scaled sum is added exactly.
                corrected = rounding(of_products - int(quantized.zero[n, g]) * of_activations)
                total = fp32(total + corrected * int(quantized.scale[n, g]))
            assert product.result[m, n] == float(total) * quantized.base[n]
    np.testing.assert_allclose(
        product.of_operands, a16.astype(float) @ quantized.dequantize().T, rtol=1e-12
    )


@ZERO
def test_before_the_product_a_scaled_weight_is_rounded_to_fp16(zero_point: bool) -> None:
    a, w = operands(3, 2, 40)
    pe = form(**W4A16, order="before", group=16, zero_point=zero_point, sums="fp32")
    product = multiply(a, w, pe)
    quantized = quantize_weights(w, group=16, zero_point=zero_point)
    a16 = a.astype(np.float16)
    for m in range(3):
        for n in range(2):
            # A power of two moves no rounding of a normal number: integers will do.
            weights = [fp16(Fraction(int(value))) for value in quantized.integers()[n]]
            total = Fraction(0)
            for start in range(0, 40, 16):
                part = slice(start, start + 16)
                total = fp32(total + running(exactly(a16[m, part]), weights[part], "fp32"))
            assert product.result[m, n] == float(total) * quantized.base[n]
    exact = a16.astype(float) @ quantized.dequantize().T
    np.testing.assert_allclose(product.of_operands, exact, rtol=1e-12)
    assert (product.result != product.of_operands).any()


@ZERO
@pytest.mark.parametrize(("k", "group"), [(1, 32), (33, 32), (64, 16), (100, 8)])
def test_w4a8_after_is_the_group_sum_corrected_by_the_zero_point_then_scaled(
    k: int, group: int, zero_point: bool
) -> None:
    a, w = operands(3, 4, k)
    qa = quantize_activations(a)
    qw = quantize_weights(w, group=group, zero_point=zero_point)
    want = np.zeros((3, 4))
    for m in range(3):
        for n in range(4):
            total = 0
            for g, start in enumerate(range(0, k, group)):
                codes_a = qa.codes[m, start : start + group].tolist()
                codes_w = qw.codes[n, start : start + group].tolist()
                product = sum(x * y for x, y in zip(codes_a, codes_w, strict=True))
                corrected = product - int(qw.zero[n, g]) * sum(codes_a)
                total += int(qw.scale[n, g]) * corrected
            want[m, n] = qa.scale[m] * total * qw.base[n]
    pe = form(weights="int4", activations="int8", order="after", group=group, zero_point=zero_point)
    np.testing.assert_allclose(multiply(a, w, pe).result, want, rtol=1e-14)


@ZERO
def test_w4a8_before_multiplies_by_weights_rounded_to_int8(zero_point: bool) -> None:
    a, w = operands(3, 4, 40)
    qa = quantize_activations(a)
    qw = quantize_weights(w, group=16, zero_point=zero_point)
    step = qw.base[:, None] * (512 if zero_point else 256)
    int8 = np.round(qw.dequantize() / step)
    assert 64 < np.abs(int8).max() <= 128
    want = qa.dequantize() @ (int8 * step).T
    pe = form(weights="int4", activations="int8", order="before", group=16, zero_point=zero_point)
    np.testing.assert_allclose(multiply(a, w, pe).result, want, rtol=1e-9, atol=1e-12)


@ZERO
def test_integer_sums_after_the_group_lose_nothing(zero_point: bool) -> None:
    a, w = operands(4, 5, 70)
    for activations in ("int4", "int8"):
        product = multiply(
            a,
            w,
            form(weights="int4", activations=activations, order="after", zero_point=zero_point),
        )
        assert product.result is product.of_operands


def test_int4_activations_have_seven_steps_a_side() -> None:
    a, w = operands(4, 5, 70)
    product = multiply(a, w, form(weights="int4", activations="int4", order="after", group=32))
    step = np.abs(a).max(axis=1, keepdims=True).astype(float) / 7
    weights = quantize_weights(w, group=32, zero_point=False).dequantize()
    np.testing.assert_allclose(product.result, np.round(a / step) * step @ weights.T, rtol=1e-9)


def test_int8_weights_have_one_scale_a_channel() -> None:
    a, w = operands(4, 5, 70)
    product = multiply(a, w, form(weights="int8", activations="int8", order="never"))
    step = np.abs(w).max(axis=1, keepdims=True).astype(float) / 127
    want = quantize_activations(a).dequantize() @ (np.round(w / step) * step).T
    np.testing.assert_allclose(product.result, want, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {**W4A16, "order": "after"},
            "sums='exact' must be fp32 or fp16 where activations='fp16'; change sums",
        ),
        (
            {"weights": "int4", "activations": "int8", "order": "after", "sums": "fp32"},
            "sums='fp32' must be exact where activations='int8'; change sums",
        ),
        (
            {"weights": "int4", "activations": "int8", "order": "never"},
            "order='never' must be after or before where weights='int4'; change order",
        ),
        (
            {"weights": "int8", "activations": "int8", "order": "before"},
            "order='before' must be never where weights='int8'; change order",
        ),
        (
            {"weights": "int8", "activations": "int8", "order": "never", "zero_point": True},
            "zero_point=True needs weights='int4', not 'int8'; change one of them",
        ),
        (
            {"weights": "fp16", "activations": "int8", "order": "never"},
            "no PE here multiplies weights='fp16' by activations='int8'; it takes int4 x int4, "
            "int4 x int8, int4 x fp16, int8 x int8, fp16 x fp16",
        ),
    ],
)
def test_refuses_what_no_pe_computes(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        form(**values)
    assert str(raised.value) == message
