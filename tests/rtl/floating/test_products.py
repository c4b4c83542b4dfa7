"""rtl/floating/products.py: exact, for all operands where there are few, in Verilator."""

from typing import Any

import numpy as np
import pytest
from amaranth import signed
from numpy.typing import NDArray

from dovetail.arch.number_formats import FP16, FP32, FloatFormat
from dovetail.models.floating import to_float
from dovetail.rtl.floating.exact import ExactFormat
from dovetail.rtl.floating.products import (
    FloatPass,
    Fp16Multiply,
    Fp16ShiftAdd,
    Fp16TimesInt,
    ScaleProduct,
    ZeroProduct,
)
from dovetail.tests.rtl.floating.fused import outputs
from dovetail.tests.rtl.floating.operands import Words, corners, crossed, numbers

pytestmark = pytest.mark.cosim
FORMATS = pytest.mark.parametrize("form", [FP16, FP32], ids=["fp16", "fp32"])
COUNT = 200_000


def run(product: Any, **inputs: Words) -> tuple[NDArray[np.float64], dict[str, Words]]:
    """What a product is worth, and its fields."""
    shape: ExactFormat = product.exact
    rest = outputs(product, inputs, shape.layout.size)
    fields = {}
    for name, field in shape.layout:
        fields[name] = rest >> np.uint64(field.offset) & np.uint64((1 << field.width) - 1)
    significand, exponent = fields["significand"].astype(float), fields["exponent"].astype(int)
    value = np.ldexp(significand, exponent + shape.origin)
    value = np.where(fields["inf"] == 1, np.inf, value)
    value = np.where(fields["nan"] == 1, np.nan, np.where(fields["sign"] == 1, -value, value))
    return value, fields


def check(product: Any, want: NDArray[np.float64], **inputs: Words) -> None:
    """The product's number, sign of zero included, and what its format promises of its fields."""
    got, fields = run(product, **inputs)
    # A NaN's sign means nothing.
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    known = ~np.isnan(want)
    np.testing.assert_array_equal(got[known], want[known])
    np.testing.assert_array_equal(np.signbit(got[known]), np.signbit(want[known]))
    finite = np.isfinite(want)
    np.testing.assert_array_equal(fields["zero"][finite] == 1, want[finite] == 0)
    shape: ExactFormat = product.exact
    number = finite & (want != 0)
    exponent, significand = fields["exponent"][number], fields["significand"][number]
    assert exponent.min() == shape.least
    assert exponent[significand >> np.uint64(shape.leading) == 0].max() == shape.small


@pytest.mark.parametrize("product", [Fp16ShiftAdd, Fp16TimesInt])
@pytest.mark.parametrize("signed_weight", [0, 1], ids=["unsigned", "signed"])
def test_every_fp16_times_every_int4(product: Any, signed_weight: int) -> None:
    a, w = crossed(list(range(1 << 16)), list(range(16)))
    weight = w.astype(int)
    if signed_weight:
        weight = (weight + 8) % 16 - 8
    with np.errstate(invalid="ignore"):
        want = a.astype(np.uint16).view(np.float16).astype(float) * weight
    check(product(), want, a=a, w=w, signed_weight=np.full_like(a, signed_weight))


def test_fp16_times_fp16() -> None:
    rng = np.random.default_rng(1)
    pairs = crossed(corners(FP16), corners(FP16))
    a, b = (np.append(numbers(rng, COUNT, FP16), part) for part in pairs)
    with np.errstate(invalid="ignore"):
        want = np.multiply(
            *(each.astype(np.uint16).view(np.float16).astype(float) for each in (a, b))
        )
    check(Fp16Multiply(), want, a=a, b=b)


@FORMATS
def test_a_number_passes(form: FloatFormat) -> None:
    bits = np.append(numbers(np.random.default_rng(2), COUNT, form), corners(form)).astype(
        np.uint64
    )
    check(FloatPass(form), to_float(bits, form), a=bits)


@FORMATS
def test_a_sum_times_its_scale(form: FloatFormat) -> None:
    rng = np.random.default_rng(3)
    grid = crossed(corners(form), [0, 1, 2, 2047, 2048, 4094, 4095], [0, 1])
    a = np.append(numbers(rng, COUNT, form), grid[0])
    scale = np.append(rng.integers(0, 4096, COUNT, dtype=np.uint64), grid[1])
    high = np.append(rng.integers(0, 2, COUNT, dtype=np.uint64), grid[2])
    with np.errstate(invalid="ignore"):
        want = to_float(a, form) * scale * np.where(high == 1, 16, 1)
    check(ScaleProduct(form), want, a=a, scale=scale, high=high)


@FORMATS
def test_a_sum_times_its_zero_point_is_negated(form: FloatFormat) -> None:
    rng = np.random.default_rng(4)
    grid = crossed(corners(form), list(range(16)))
    a = np.append(numbers(rng, COUNT, form), grid[0])
    zero = np.append(rng.integers(0, 16, COUNT, dtype=np.uint64), grid[1])
    with np.errstate(invalid="ignore"):
        want = -(to_float(a, form) * zero)
    check(ZeroProduct(form), want, a=a, zero=zero)


@FORMATS
def test_a_signed_zero_point_of_a_lut_core(form: FloatFormat) -> None:
    rng = np.random.default_rng(5)
    grid = crossed(corners(form), [511, 510, 257, 256 + 128, 0, 1, 128, 255])
    a = np.append(numbers(rng, COUNT, form), grid[0])
    codes = np.append(rng.integers(0, 512, COUNT, dtype=np.uint64), grid[1])
    codes = np.where(codes == 256, 0, codes)  # -256 does not occur
    zero = codes.astype(np.int64) - 512 * (codes >= 256)
    with np.errstate(invalid="ignore"):
        want = -(to_float(a, form) * zero)
    check(ZeroProduct(form, signed(9)), want, a=a, zero=codes)
