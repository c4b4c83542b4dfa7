"""arch/number_formats.py against NumPy's own description of its formats."""

from typing import Any

import numpy as np
import pytest

from dovetail.arch.number_formats import BF16, FP16, FP32, FloatFormat, float_format
from dovetail.errors import ConfigError


@pytest.mark.parametrize(
    ("form", "dtype", "word"), [(FP16, np.float16, np.uint16), (FP32, np.float32, np.uint32)]
)
def test_the_format_is_numpy_s(form: FloatFormat, dtype: Any, word: Any) -> None:
    info = np.finfo(dtype)
    assert (form.bits, form.exponent_bits, form.fraction_bits) == (info.bits, info.iexp, info.nmant)
    assert form.significand_bits == info.nmant + 1
    assert form.largest == info.max
    assert form.least_normal_exponent == info.minexp
    assert form.largest_exponent == info.maxexp - 1
    assert 2.0**form.least_exponent == info.smallest_subnormal
    assert dtype(np.inf).view(word) == form.infinity == form.special_field << form.fraction_bits
    assert dtype(-0.0).view(word) == form.sign
    assert dtype(1).view(word) == form.bias << form.fraction_bits


@pytest.mark.parametrize(("form", "nan"), [(FP16, 0x7E00), (FP32, 0x7FC00000), (BF16, 0x7FC0)])
def test_the_nan_is_positive_and_quiet(form: FloatFormat, nan: int) -> None:
    assert form.nan == nan


def test_bf16_is_the_upper_half_of_fp32() -> None:
    assert (BF16.bits, BF16.exponent_bits, BF16.bias) == (16, FP32.exponent_bits, FP32.bias)


def test_formats_are_found_by_name() -> None:
    assert [float_format(name) for name in ("fp16", "fp32", "bf16")] == [FP16, FP32, BF16]


def test_refuses_an_unknown_name() -> None:
    with pytest.raises(
        ConfigError,
        match=r"^no floating-point format named 'fp8'; use one of fp16, fp32, bf16$",
    ):
        float_format("fp8")


@pytest.mark.parametrize(("exponent_bits", "fraction_bits"), [(1, 6), (9, 6), (5, 0), (8, 24)])
def test_refuses_widths_that_the_reference_cannot_hold(
    exponent_bits: int, fraction_bits: int
) -> None:
    with pytest.raises(
        ConfigError,
        match=rf"^mine: exponent_bits={exponent_bits}, fraction_bits={fraction_bits} "
        r"must be from 2 to 8 and from 1 to 23; change the format$",
    ):
        FloatFormat("mine", exponent_bits=exponent_bits, fraction_bits=fraction_bits)
