"""rtl/mixpe/dequant.py against integer arithmetic, at the ends of every operand's range."""

import itertools
import random
from typing import Any

import pytest
from amaranth import signed

from dovetail.rtl.mixpe.dequant import GroupDequant
from dovetail.tests.rtl.simulation import edges, simulate, small_engine


@pytest.mark.parametrize("max_group", [1, 2, 128, 1024])
def test_corrects_scales_and_shifts(max_group: int) -> None:
    config = small_engine(max_group=max_group)
    p_bits, s_bits = config.pe_accumulator_bits, config.group_sum_bits
    dut = GroupDequant(p_bits=p_bits, s_bits=s_bits)
    rng = random.Random(max_group)

    def draw(bits: int) -> int:
        return rng.randrange(-(1 << (bits - 1)), 1 << (bits - 1))

    values = list(itertools.product(edges(p_bits), edges(s_bits), (0, 15), (0, 4095), (0, 1)))
    for _ in range(50):
        codes = rng.randrange(16), rng.randrange(4096), rng.randrange(2)
        values.append((draw(p_bits), draw(s_bits), *codes))

    async def check(ctx: Any) -> None:
        for p, s, zero, scale, high in values:
            ctx.set(dut.p, p)
            ctx.set(dut.s, s)
            ctx.set(dut.zero, zero)
            await ctx.tick()
            # The scale meets the difference while the next operands stand at the inputs.
            ctx.set(dut.p, draw(p_bits))
            ctx.set(dut.s, draw(s_bits))
            ctx.set(dut.zero, rng.randrange(16))
            ctx.set(dut.scale, scale)
            ctx.set(dut.high, high)
            assert ctx.get(dut.o) == (p - zero * s) * scale * (16 if high else 1)

    simulate(dut, check)


@pytest.mark.parametrize("zero_bits", [4, 8])
def test_zero_points_of_lut_cores_are_signed(zero_bits: int) -> None:
    config = small_engine(core="lut_int8", lut_k=4, accumulator_buffer_bytes=1024)
    p_bits, s_bits = config.pe_accumulator_bits, config.group_sum_bits
    dut = GroupDequant(p_bits=p_bits, s_bits=s_bits, zero_shape=signed(zero_bits + 1))
    most = (1 << zero_bits) - 1
    values = itertools.product(edges(p_bits), edges(s_bits), (-most, -1, 0, 1, most), (0, 1, 4095))

    async def check(ctx: Any) -> None:
        ctx.set(dut.high, 0)
        for p, s, zero, scale in values:
            ctx.set(dut.p, p)
            ctx.set(dut.s, s)
            ctx.set(dut.zero, zero)
            await ctx.tick()
            ctx.set(dut.zero, -zero)
            ctx.set(dut.scale, scale)
            assert ctx.get(dut.o) == (p - zero * s) * scale

    simulate(dut, check)
