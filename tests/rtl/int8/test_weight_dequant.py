"""rtl/int8/weight_dequant.py against models/quantize.py."""

import random
from typing import Any

import numpy as np
import pytest

from dovetail.models.quantize import dequantize_to_int8
from dovetail.rtl.int8.weight_dequant import WeightDequant
from dovetail.tests.rtl.simulation import simulate


@pytest.mark.parametrize("signed_weight", [False, True])
def test_matches_the_reference_for_every_code(signed_weight: bool) -> None:
    dut = WeightDequant()
    rng = random.Random(int(signed_weight))
    codes = np.arange(-8, 8) if signed_weight else np.arange(16)
    lanes = [(scale, zero) for scale in (0, 1, 2048, 4095) for zero in (0, 15)]
    lanes += [(rng.randrange(4096), rng.randrange(16)) for _ in range(6)]

    async def check(ctx: Any) -> None:
        ctx.set(dut.signed_weight, signed_weight)
        for shift in (0, 1, 4, 8, 9, 15):
            ctx.set(dut.shift, shift)
            for scale, zero in lanes:
                ctx.set(dut.lane, scale | zero << 12)
                want = dequantize_to_int8(
                    codes[None, :],
                    np.array([[scale]]),
                    np.array([[zero]]),
                    group=16,
                    weight_shift=shift,
                )[0].tolist()
                got = []
                for index in range(len(codes) + 2):
                    if index >= 2:  # two cycles after its code
                        byte = ctx.get(dut.o)
                        got.append(byte - 256 if byte > 127 else byte)
                    # The high nibble belongs to INT8 weights only.
                    code = int(codes[index % len(codes)]) & 15
                    ctx.set(dut.w, code | rng.randrange(16) << 4)
                    await ctx.tick()
                assert got == want, (shift, scale, zero)

    simulate(dut, check)


def test_an_int8_weight_passes_unchanged() -> None:
    dut = WeightDequant()
    rng = random.Random(3)

    async def check(ctx: Any) -> None:
        ctx.set(dut.bypass, 1)
        for value in range(256 + 2):
            if value >= 2:
                assert ctx.get(dut.o) == value - 2
            ctx.set(dut.w, value % 256)
            ctx.set(dut.lane, rng.randrange(1 << 16))
            ctx.set(dut.signed_weight, rng.randrange(2))
            await ctx.tick()

    simulate(dut, check)
