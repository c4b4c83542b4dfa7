"""rtl/floating/fused_add.py behind each product, against the reference, in Verilator.

What :mod:`dovetail.tests.rtl.floating.test_products` shows of all operands of a product is not
repeated here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dovetail.arch.number_formats import FP16, FP32, FloatFormat
from dovetail.models.floating import multiply, to_float
from dovetail.rtl.floating.exact import ExactFormat
from dovetail.rtl.floating.fused_add import guard_bits
from dovetail.rtl.floating.products import (
    FloatPass,
    Fp16Multiply,
    Fp16ShiftAdd,
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
    integers,
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
    "pass_fp16": passed(FP16),
    "pass_fp32": passed(FP32),
    "scale_fp16": scaled(FP16),
    "scale_fp32": scaled(FP32),
    "zero_fp16": zeroed(FP16),
    "zero_fp32": zeroed(FP32),
}
CASES = pytest.mark.parametrize(
    ("name", "form", "on_grid"),
    [
        pytest.param(name, form, on_grid, id=f"{name}-{form.name}{'-on_grid' * on_grid}")
        for name, form, on_grid in (
            ("fma", FP16, False),
            ("fma", FP32, False),
            ("fma", FP32, True),
            ("shift_add", FP16, False),
            ("shift_add", FP32, False),
            ("shift_add", FP32, True),
            ("pass_fp16", FP16, False),
            ("pass_fp16", FP32, False),
            ("pass_fp16", FP32, True),
            ("pass_fp32", FP32, False),
            ("scale_fp16", FP32, False),
            ("scale_fp32", FP32, False),
            ("zero_fp16", FP16, False),
            ("zero_fp32", FP32, False),
        )
    ],
)


def corner_operands(unit: Unit) -> list[list[int]]:
    def choices(bits: int) -> list[int]:
        return [*range(min(1 << bits, 16)), *([4094, 4095] if bits == 12 else [])]

    others = (corners(FP16) if bits == 16 else choices(bits) for bits in unit.integers.values())
    return [corners(unit.a), *others]


def random_operands(unit: Unit, rng: np.random.Generator, count: int) -> list[Words]:
    others = (
        numbers(rng, count, FP16) if bits == 16 else integers(rng, count, bits)
        for bits in unit.integers.values()
    )
    return [numbers(rng, count, unit.a), *others]


def check(name: str, form: FloatFormat, on_grid: bool, count: int, *, seed: int) -> None:
    """Every combination of corners, and ``count`` random operands."""
    unit, rng = UNITS[name], np.random.default_rng(seed)
    product = unit.make()
    grid = product.exact.grid if on_grid else None
    starts, *crossing = crossed(grid_corners(form, grid), *corner_operands(unit))
    drawn = random_operands(unit, rng, count)
    a, *rest = (np.append(*parts) for parts in zip(crossing, drawn, strict=True))
    others = dict(zip(unit.integers, rest, strict=True))
    exact = multiply(to_float(a, unit.a), unit.value(**others))
    accumulator = np.append(starts, accumulators(rng, exact[len(starts) :], form, grid))
    check_fused(product, form, grid, {"a": a, **others}, accumulator, exact)


@CASES
def test_corners_and_random_operands(name: str, form: FloatFormat, on_grid: bool) -> None:
    check(name, form, on_grid, 300_000, seed=0)


@pytest.mark.long
@CASES
def test_ten_million_random_operands(name: str, form: FloatFormat, on_grid: bool) -> None:
    for seed in range(1, 11):
        check(name, form, on_grid, CHUNK, seed=seed)


def test_two_numbers_of_one_format_need_a_guard_and_a_round_bit() -> None:
    """Besides the sticky bit: the three extra bits of every textbook's adder."""
    exact = ExactFormat(
        significand_bits=FP32.significand_bits,
        exponent_bits=FP32.exponent_bits,
        origin=FP32.least_exponent - 1,
        least=1,
        small=1,
        leading=FP32.fraction_bits,
    )
    assert guard_bits(exact, FP32, accumulator_grid=FP32.least_exponent) == 2
