"""Layer norm in RTL against the fixed-point reference, in whole tokens."""

from typing import Any

import numpy as np
import pytest

from dovetail.models.m3vit.fixed_norm import FixedNorm, fixed_layer_norm
from dovetail.rtl.m3vit.layer_norm import NormaliseFeature, TokenStatistics
from dovetail.tests.rtl.m3vit.pipeline import through
from dovetail.tests.rtl.simulation import simulate

RNG = np.random.default_rng(3)


def tokens(width: int) -> np.ndarray:
    """Usual features, small and far ones, a constant token and the largest deviations."""
    usual = RNG.normal(0, 1, (3, width)) * np.array([[2**22], [2**28], [300]])
    far = np.where(np.arange(width) % 2, 2**31 - 1, -(2**31))
    constant = np.full(width, 5 * 2**22)
    return np.concatenate([usual.astype(np.int64), [far, -far - 1, constant, np.zeros_like(far)]])


def statistics(values: np.ndarray, lanes: int) -> list[tuple[int, int]]:
    """Mean and inverse deviation of each row, as the unit finds them under gaps."""
    count, width = values.shape
    steps = -(-width // lanes)
    padded = np.zeros((count, steps * lanes), np.int64)
    padded[:, :width] = values
    dut = TokenStatistics(width=width, lanes=lanes)
    got: list[tuple[int, int]] = []

    async def drive(ctx: Any) -> None:
        cycle, ends = 0, []
        work = [(row, step) for row in range(count) for step in range(steps)]
        while len(got) < count:
            valid = bool(work) and RNG.random() < 0.8
            ctx.set(dut.valid, valid)
            ctx.set(dut.last, 1)  # without ``valid`` it means nothing
            if valid:
                row, step = work.pop(0)
                ctx.set(dut.first, step == 0)
                ctx.set(dut.last, step == steps - 1)
                for lane in range(lanes):
                    ctx.set(dut.i[lane], int(padded[row, step * lanes + lane]))
                if step == steps - 1:
                    ends.append(cycle + dut.latency_cycles)
            await ctx.tick()
            cycle += 1
            assert ctx.get(dut.done) == (cycle in ends)
            if ctx.get(dut.done):
                got.append((ctx.get(dut.mean), ctx.get(dut.rstd)))

    simulate(dut, drive)
    return got


@pytest.mark.parametrize(("width", "lanes"), [(1, 1), (5, 2), (16, 16), (192, 16), (17, 8)])
def test_layer_norm_of_whole_tokens(width: int, lanes: int) -> None:
    values = tokens(width)
    gamma = RNG.integers(-(2**15), 2**15, width)
    beta = RNG.integers(-(2**15), 2**15, width)
    found = np.array(statistics(values, lanes))
    count = values.size
    inputs = {
        "i": values.ravel().tolist(),
        "mean": np.repeat(found[:, 0], width).tolist(),
        "rstd": np.repeat(found[:, 1], width).tolist(),
        "gamma": np.resize(gamma, count).tolist(),
        "beta": np.resize(beta, count).tolist(),
    }
    got = [o for (o,) in through(NormaliseFeature(), inputs, ["o"])]
    want = fixed_layer_norm(values, FixedNorm(gamma, beta))
    np.testing.assert_array_equal(np.reshape(got, values.shape), want)
