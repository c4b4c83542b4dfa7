# amaranth: UnusedElaboratable=no
"""rtl/mixpe/packed_pe.py beside two single PEs with the same operands, in every cycle."""

import random
from typing import Any

import pytest
from amaranth import Module

from dovetail.rtl.int8.pe import Int8Pe
from dovetail.rtl.mixpe.multiplier_pe import MultiplierPe
from dovetail.rtl.mixpe.packed_pe import PackedPePair, packed_pair
from dovetail.rtl.mixpe.pe import MixpePe
from dovetail.tests.rtl.simulation import simulate


@pytest.mark.parametrize("sum_bits", [12, 19])
def test_a_pair_is_two_pes(sum_bits: int) -> None:
    pair = PackedPePair(sum_bits=sum_bits)
    singles = [MixpePe(sum_bits=sum_bits) for _ in range(2)]
    top = Module()
    top.submodules += [pair, *singles]
    rng = random.Random(sum_bits)
    half = 1 << (sum_bits - 1)

    async def check(ctx: Any) -> None:
        a = passed = 0
        for cycle in range(2000):
            a, passed = rng.choice((-128, 127, rng.randint(-128, 127))), a
            control = {name: rng.randrange(2) for name in ("valid", "first", "last", "signed")}
            drain, shift = rng.randrange(2), rng.randrange(2)
            ctx.set(pair.a_i, a)
            for dut in (pair, *singles):
                ctx.set(dut.control_i, control)
                ctx.set(dut.drain_i, drain)
                ctx.set(dut.shift_i, shift)
            for column, single in enumerate(singles):
                w, above = rng.randrange(16), rng.randrange(-half, half)
                # The activation meets the weights one cycle after it entered.
                for port, value in (("a_i", passed), ("w_i", w), ("sum_i", above)):
                    ctx.set(getattr(single, port), value)
                ctx.set(getattr(pair, f"w{column}_i"), w)
                ctx.set(getattr(pair, f"sum{column}_i"), above)
            await ctx.tick()
            if cycle == 0:
                continue  # nothing has been in the registers of data
            for column, single in enumerate(singles):
                assert ctx.get(getattr(pair, f"sum{column}_o")) == ctx.get(single.sum_o)
                assert ctx.get(getattr(pair, f"w{column}_o")) == ctx.get(single.w_o)
            assert ctx.get(pair.a_o) == passed % 256
            assert ctx.get(pair.shift_o) == ctx.get(singles[0].shift_o)
            assert ctx.get(pair.control_o) == ctx.get(singles[0].control_o)

    simulate(top, check)


def test_only_pes_of_eight_by_four_bits_share_a_dsp() -> None:
    for pe in (MixpePe(sum_bits=19), MultiplierPe(activation_bits=8, sum_bits=19)):
        pair = packed_pair(pe)
        assert pair is not None
        assert pair.signature.members["sum1_o"].shape == pe.sum_shape
    assert packed_pair(MultiplierPe(activation_bits=4, sum_bits=15)) is None
    assert packed_pair(Int8Pe(sum_bits=32)) is None
