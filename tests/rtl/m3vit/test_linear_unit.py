"""What is the linear core's own: products with registers, biases, truncated outputs."""

import random
from typing import Any

import numpy as np
import pytest

from dovetail.models.m3vit.delta_gelu import delta_gelu
from dovetail.rtl.dot.mac import MacUnit
from dovetail.rtl.m3vit.bias_add import BiasAdd
from dovetail.rtl.m3vit.linear_output import LinearOutput
from dovetail.tests.rtl.dot.drive import Step, run_segments
from dovetail.tests.rtl.simulation import edges, simulate


def wrapped(value: int, bits: int) -> int:
    """Two's complement of the low bits."""
    low = value & ((1 << bits) - 1)
    return low - (1 << bits) if low >> (bits - 1) else low


@pytest.mark.parametrize(("lut_k", "product_cycles"), [(16, 3), (5, 2), (2, 3), (16, 1)])
def test_products_with_registers_sum_modulo_a_power_of_two(lut_k: int, product_cycles: int) -> None:
    unit = MacUnit(
        lut_k=lut_k,
        activation_bits=32,
        element_bits=16,
        sum_bits=48,
        product_cycles=product_cycles,
    )
    rng = random.Random(lut_k)
    segments: list[list[Step]] = []
    want = []
    for length in (1, 5, 2):
        a = [[rng.choice(edges(32)) for _ in range(lut_k)] for _ in range(length)]
        w = [[rng.choice(edges(16)) for _ in range(lut_k)] for _ in range(length)]
        total = sum(p * q for x, y in zip(a, w, strict=True) for p, q in zip(x, y, strict=True))
        want.append(wrapped(total, 48))
        slices = [[sum((v & 0xFFFF) << 16 * k for k, v in enumerate(y))] for y in w]
        segments.append(list(zip(a, slices, strict=True)))
    # One that certainly wraps: 4 steps of products of 2^46.
    extreme = [([-(1 << 31)] * lut_k, [sum(0x8000 << 16 * k for k in range(lut_k))])] * 4
    segments.append(extreme)
    want.append(wrapped(4 * lut_k << 46, 48))
    assert run_segments(unit, segments) == want


def test_biases_are_shifted_up_and_wrap() -> None:
    dut = BiasAdd(bits=48)
    rng = random.Random(0)
    cases = [
        (rng.choice([*edges(48), rng.randrange(-(1 << 47), 1 << 47)]), bias, shift)
        for bias in (*edges(16), 12345)
        for shift in (0, 13, 14, 25, 27, 31)
    ]

    async def bench(ctx: Any) -> None:
        for p, bias, shift in cases:
            ctx.set(dut.p, p)
            ctx.set(dut.bias, bias)
            ctx.set(dut.shift, shift)
            await ctx.tick()
            assert ctx.get(dut.o) == wrapped(p + bias * 2**shift, 48)

    simulate(dut, bench)


def test_outputs_truncate_pass_gelu_and_hold() -> None:
    dut = LinearOutput(bits=48)
    rng = random.Random(1)
    near = [value << 14 for value in (-(6 << 22), -(1 << 20), 1 << 20, 3 << 22, 6 << 22)]
    inputs = [
        (rng.choice([*edges(48), *near, rng.randrange(-(1 << 47), 1 << 47)]), shift, gelu)
        for shift in (0, 2, 14, 16)
        for gelu in (0, 1)
        for _ in range(20)
    ]
    want = []
    for value, shift, gelu in inputs:
        plain = wrapped(value >> shift, 32)
        want.append(int(delta_gelu(np.array([plain]))[0]) if gelu else plain)
    seen = []

    async def bench(ctx: Any) -> None:
        moved = 0  # cycles with ``enable``
        while moved < len(inputs) + dut.cycles:
            if moved >= dut.cycles:
                result = ctx.get(dut.o)
            value, shift, gelu = inputs[min(moved, len(inputs) - 1)]
            ctx.set(dut.i, value)
            ctx.set(dut.shift, shift)
            ctx.set(dut.gelu, gelu)
            enable = rng.random() < 0.6
            ctx.set(dut.enable, enable)
            if moved >= dut.cycles:
                assert ctx.get(dut.o) == result  # no way through
                if enable:
                    seen.append(result)
            await ctx.tick()
            moved += enable

    simulate(dut, bench)
    assert seen == want
