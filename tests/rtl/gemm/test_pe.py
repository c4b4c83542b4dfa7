"""rtl/gemm/pe.py: what a PE does around its product, cycle by cycle against plain variables."""

import random
from typing import Any

import pytest
from amaranth import Module, Value, signed

from dovetail.rtl.gemm.pe import OutputStationaryPe
from dovetail.tests.rtl.simulation import simulate


class Difference(OutputStationaryPe):
    """``a - w`` in place of a product, so that no core's own arithmetic is in the way."""

    def product(self, m: Module) -> Value:
        return self.a_i.as_signed() - self.w_i


def wrap(value: int, bits: int) -> int:
    return (value + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))


@pytest.mark.parametrize("sum_bits", [8, 11])
def test_every_combination_of_control_signals(sum_bits: int) -> None:
    dut = Difference(activation_bits=8, weight_bits=5, sum_shape=signed(sum_bits))
    rng = random.Random(sum_bits)
    seen = set()

    async def check(ctx: Any) -> None:
        accumulator = drained = 0
        for _ in range(600):
            a, w = rng.randint(-128, 127), rng.randrange(32)
            valid, first, last, drain, shift = (rng.randrange(2) for _ in range(5))
            above = rng.randrange(-(1 << (sum_bits - 1)), 1 << (sum_bits - 1))
            seen.add((valid, first, last, drain, shift))
            control = {"valid": valid, "first": first, "last": last, "signed": rng.randrange(2)}
            ctx.set(dut.a_i, a)
            ctx.set(dut.w_i, w)
            ctx.set(dut.control_i, control)
            ctx.set(dut.drain_i, drain)
            ctx.set(dut.shift_i, shift)
            ctx.set(dut.sum_i, above)
            await ctx.tick()
            if shift or drain:
                drained = above
            if valid:
                accumulator = wrap((0 if first else accumulator) + a - w, sum_bits)
                if last:  # the new sum wins over the shift
                    drained = accumulator
            assert ctx.get(dut.a_o) == a % 256
            assert ctx.get(dut.w_o) == w
            passed = ctx.get(dut.control_o)
            assert {name: passed[name] for name in control} == control
            assert ctx.get(dut.shift_o) == (shift or drain)
            assert ctx.get(dut.sum_o) == drained

    simulate(dut, check)
    assert len(seen) == 32
