"""Running softmax, reciprocal and probabilities in RTL against the fixed-point reference."""

from typing import Any

import numpy as np
import pytest

from dovetail.models.m3vit.softmax import probability, running_softmax
from dovetail.rtl.m3vit.reciprocal import Reciprocal
from dovetail.rtl.m3vit.softmax import Probability, SoftmaxStep
from dovetail.tests.rtl.m3vit.pipeline import through
from dovetail.tests.rtl.simulation import simulate

RNG = np.random.default_rng(8)
ONE = 1 << 22


def rows(length: int) -> np.ndarray:
    """Rows as they come, ones that rise and fall at each step, and the largest distances."""
    usual = RNG.normal(0, 3 * ONE, (3, length)).astype(np.int64)
    rising = np.linspace(-40 * ONE, 40 * ONE, length).astype(np.int64)
    far = np.where(np.arange(length) % 2, 2**31 - 1, -(2**31))
    return np.stack([*usual, rising, rising[::-1], far, far[::-1], np.zeros(length, np.int64)])


@pytest.mark.parametrize("length", [1, 2, 17])
def test_rows_interleave(length: int) -> None:
    values = rows(length)
    count = len(values)
    dut = SoftmaxStep()
    assert count > dut.latency_cycles
    state = [(0, 0)] * count

    async def drive(ctx: Any) -> None:
        waiting: list[int] = []
        for step in range(length * count + dut.latency_cycles):
            row, column = step % count, step // count
            if column < length:
                ctx.set(dut.first, column == 0)
                ctx.set(dut.x, int(values[row, column]))
                # Of a row's first number the state is left over from another one.
                bias, total = state[row if column else row - 1]
                ctx.set(dut.bias, bias)
                ctx.set(dut.sum, total)
                waiting.append(row)
            await ctx.tick()
            if step >= dut.latency_cycles - 1 and waiting:
                state[waiting.pop(0)] = (ctx.get(dut.o_bias), ctx.get(dut.o_sum))

    simulate(dut, drive)
    bias, reciprocal = running_softmax(values)
    assert [b for b, _ in state] == bias.tolist()
    assert [2**53 // total for _, total in state] == reciprocal.tolist()


def test_probabilities() -> None:
    values = rows(9)
    bias, reciprocal = running_softmax(values)
    want = probability(values, bias[:, None], reciprocal[:, None])
    inputs = {
        "x": values.ravel().tolist(),
        "bias": np.repeat(bias, 9).tolist(),
        "reciprocal": np.repeat(reciprocal, 9).tolist(),
    }
    assert [o for (o,) in through(Probability(), inputs, ["o"])] == want.ravel().tolist()


def test_reciprocals_take_their_time_and_no_more() -> None:
    dut = Reciprocal()
    sums = [ONE, ONE + 1, 3 * ONE, 129 * ONE, 2**38 - 1, *RNG.integers(ONE, 2**38, 20).tolist()]

    async def drive(ctx: Any) -> None:
        for value in sums:
            ctx.set(dut.start, 1)
            ctx.set(dut.i, value)
            await ctx.tick()
            ctx.set(dut.start, 0)
            ctx.set(dut.i, 0)
            for _ in range(dut.latency_cycles - 1):
                assert not ctx.get(dut.done)
                await ctx.tick()
            assert ctx.get(dut.done)
            assert ctx.get(dut.o) == 2**53 // value

    simulate(dut, drive)
