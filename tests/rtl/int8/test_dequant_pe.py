"""rtl/int8/dequant_pe.py against models/quantize.py and integer arithmetic."""

from typing import Any

import numpy as np
import pytest

from dovetail.models.quantize import dequantize_to_int8
from dovetail.rtl.int8.dequant_pe import DequantPe
from dovetail.tests.rtl.simulation import simulate


@pytest.mark.parametrize("shift", [0, 7, 15])
@pytest.mark.parametrize("unscaled", [False, True])
def test_sums_products_with_dequantised_weights(shift: int, unscaled: bool) -> None:
    dut = DequantPe(sum_bits=32)
    rng = np.random.default_rng(shift)
    length = 40
    a = rng.integers(-128, 128, length)
    code, scale, zero = (
        rng.integers(0, 16, length),
        rng.integers(0, 4096, length),
        rng.integers(0, 16, length),
    )
    byte = rng.integers(-128, 128, length)
    # Each k is a group of its own.
    weights = dequantize_to_int8(
        code[None, :].astype(np.int8), scale[None, :], zero[None, :], group=1, weight_shift=shift
    )[0].astype(int)
    want = int(a @ (byte if unscaled else weights))

    async def check(ctx: Any) -> None:
        ctx.set(dut.weight_shift, shift)
        for k in range(length + dut.product_cycles):
            inside = k < length
            at = min(k, length - 1)
            w = int(byte[at]) % 256 if unscaled else int(code[at])
            lane = int(scale[at]) | int(zero[at]) << 12
            ctx.set(dut.a_i, int(a[at]))
            ctx.set(dut.w_i, w | lane << 8 | int(unscaled) << 24)
            control = {"valid": inside, "first": k == 0, "last": k == length - 1, "signed": 0}
            ctx.set(dut.control_i, control)
            await ctx.tick()
        assert ctx.get(dut.sum_o) == want

    simulate(dut, check)
