"""rtl/floating/fused_add.py behind each product, against the reference, in Verilator."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dovetail.arch.number_formats import FP16, FP32, FloatFormat
from dovetail.models.floating import multiply, to_float
from dovetail.rtl.floating.products import (
    FloatPass,
    Fp16Multiply,
    Fp16ShiftAdd,
    Fp16TimesInt,
    ScaleProduct,
    ZeroProduct,
)
from dovetail.tests.rtl.floating.fused import check_fused
from dovetail.tests.rtl.floating.operands import (
    Words,
    accumulators,
    corners,
    crossed,
    grid_corners,
    numbers,
)

pytestmark = pytest.mark.cosim
CHUNK = 1_000_000


@dataclass(frozen=True)
class Unit:
    """A product, its operand of some format, and its integer operands.

    ``value`` maps the second operand's bits, and what else there is, to a number.
    """

    make: Callable[[], Any]
    a: FloatFormat
    integers: dict[str, int]
    value: Callable[..., NDArray[np.float64]]


def int4(w: Words, signed_weight: Words) -> NDArray[np.float64]:
    return np.where((signed_weight == 1) & (w > 7), w.astype(float) - 16, w.astype(float))


def scaled(form: FloatFormat) -> Unit:
    return Unit(
        make=lambda: ScaleProduct(form),
        a=form,
        integers={"scale": 12, "high": 1},
        value=lambda scale, high: scale * np.where(high == 1, 16.0, 1.0),
    )


def zeroed(form: FloatFormat) -> Unit:
    return Unit(
        make=lambda: ZeroProduct(form),
        a=form,
        integers={"zero": 4},
        # Not -zero: the sign of a product of 0 is that of the negated sum.
        value=lambda zero: np.copysign(zero.astype(float), -1.0),
    )


def passed(form: FloatFormat) -> Unit:
    return Unit(make=lambda: FloatPass(form), a=form, integers={}, value=lambda: np.array(1.0))


UNITS = {
    "fma": Unit(Fp16Multiply, FP16, {"b": 16}, lambda b: to_float(b, FP16)),
    "shift_add": Unit(Fp16ShiftAdd, FP16, {"w": 4, "signed_weight": 1}, int4),
    "times_int": Unit(Fp16TimesInt, FP16, {"w": 4, "signed_weight": 1}, int4),
    "pass_fp16": passed(FP16),
    "pass_fp32": passed(FP32),
    "scale_fp16": scaled(FP16),
    "scale_fp32": scaled(FP32),
    "zero_fp16": zeroed(FP16),
    "zero_fp32": zeroed(FP32),
}
PAIRS = pytest.mark.parametrize(
    ("name", "form"),
    [
        (name, form)
        for name, unit in UNITS.items()
        for form in (FP16, FP32)
        if unit.a.bits <= form.bits
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)


def check_random(name: str, form: FloatFormat, count: int, seed: int) -> None:
    unit, rng = UNITS[name], np.random.default_rng(seed)
    product = unit.make()
    a = numbers(rng, count, unit.a)
    others = {
        name: numbers(rng, count, FP16)
        if bits == 16
        else rng.integers(0, 1 << bits, count, dtype=np.uint64)
        for name, bits in unit.integers.items()
    }
    exact = multiply(to_float(a, unit.a), unit.value(**others))
    accumulator = accumulators(rng, exact, form, product.exact.grid)
    check_fused(product, form, {"a": a, **others}, accumulator, exact)


@PAIRS
def test_every_combination_of_corners(name: str, form: FloatFormat) -> None:
    unit = UNITS[name]
    product = unit.make()
    choices = [
        corners(FP16)
        if bits == 16
        else [*range(min(1 << bits, 16)), *([4094, 4095] * (bits == 12))]
        for bits in unit.integers.values()
    ]
    starts = grid_corners(form, product.exact.grid)
    accumulator, a, *integers = crossed(starts, corners(unit.a), *choices)
    others = dict(zip(unit.integers, integers, strict=True))
    exact = multiply(to_float(a, unit.a), unit.value(**others))
    check_fused(product, form, {"a": a, **others}, accumulator, exact)


@PAIRS
def test_random_operands(name: str, form: FloatFormat) -> None:
    check_random(name, form, 200_000, seed=0)


@pytest.mark.long
@PAIRS
def test_ten_million_random_operands(name: str, form: FloatFormat) -> None:
    for seed in range(1, 11):
        check_random(name, form, CHUNK, seed)
