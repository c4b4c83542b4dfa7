"""rtl/rounding.py against Python's own rounding of the exact fraction."""

import random
from fractions import Fraction
from typing import Any

import pytest

from dovetail.rtl.rounding import RoundingShift
from dovetail.tests.rtl.simulation import edges, simulate


def expected(value: int, shift: int, out_bits: int) -> int:
    rounded = round(Fraction(value, 1 << shift))  # half to even
    return max(-(1 << (out_bits - 1)), min((1 << (out_bits - 1)) - 1, rounded))


@pytest.mark.parametrize(("in_bits", "out_bits"), [(1, 1), (2, 1), (4, 4), (5, 3), (8, 5), (9, 4)])
def test_every_value_and_shift(in_bits: int, out_bits: int) -> None:
    dut = RoundingShift(in_bits=in_bits, out_bits=out_bits)

    async def check(ctx: Any) -> None:
        for shift in range(in_bits):
            ctx.set(dut.shift, shift)
            for value in range(-(1 << (in_bits - 1)), 1 << (in_bits - 1)):
                ctx.set(dut.i, value)
                assert ctx.get(dut.o) == expected(value, shift, out_bits), (value, shift)

    simulate(dut, check)


def test_an_accumulator_of_48_bits() -> None:
    dut = RoundingShift(in_bits=48, out_bits=16)
    rng = random.Random(1)

    async def check(ctx: Any) -> None:
        for shift in range(48):
            ctx.set(dut.shift, shift)
            ties = [(q << shift) + (1 << shift >> 1) for q in (-3, -2, 2, 3, 32766, 32767)]
            near = [tie + step for tie in ties for step in (-1, 0, 1)]
            values = edges(48) + [rng.randrange(-(1 << 47), 1 << 47) for _ in range(3)]
            for value in values + [v for v in near if -(1 << 47) <= v < 1 << 47]:
                ctx.set(dut.i, value)
                assert ctx.get(dut.o) == expected(value, shift, 16), (value, shift)

    simulate(dut, check)
