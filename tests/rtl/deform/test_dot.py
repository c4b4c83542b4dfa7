"""rtl/deform/dot.py against sums of Python integers."""

import random
from collections.abc import Sequence
from typing import Any

import pytest

from dovetail.rtl.deform.dot import DotLane, DotPair, WindowLane
from dovetail.tests.rtl.simulation import simulate


def packed(values: Sequence[int], bits: int) -> int:
    return sum((value & ((1 << bits) - 1)) << (bits * place) for place, value in enumerate(values))


def operands(rng: random.Random, terms: int, extremes: bool) -> tuple[list[int], list[int]]:
    if extremes:
        return [rng.choice([-128, 127]) for _ in range(terms)], [-8] * terms
    return (
        [rng.randrange(-128, 128) for _ in range(terms)],
        [rng.randrange(-8, 8) for _ in range(terms)],
    )


@pytest.mark.parametrize("terms", [2, 4, 16])
def test_passes_of_any_length_follow_each_other_or_leave_gaps(terms: int) -> None:
    dut = DotLane(terms=terms)
    rng = random.Random(terms)
    beats: list[tuple[bool, bool, list[int], list[int]]] = []
    for number in range(25):
        for k in range(rng.randrange(1, 5)):
            beats.append((True, k == 0, *operands(rng, terms, number % 3 == 0)))
        beats += [(False, False, *operands(rng, terms, True)) for _ in range(rng.choice([0, 0, 2]))]
    quiet = (False, False, [0] * terms, [0] * terms)

    async def check(ctx: Any) -> None:
        total = 0
        for now in range(len(beats) + 3):
            _, _, activations, weights = beats[now] if now < len(beats) else quiet
            ctx.set(dut.activations, packed(activations, 8))
            ctx.set(dut.weights, packed(weights, 4))
            # Flags come two cycles after the operands that they belong to.
            valid, first, *_ = beats[now - 2] if 2 <= now < len(beats) + 2 else quiet
            ctx.set(dut.valid, valid)
            ctx.set(dut.first, first)
            if now >= 3:
                was, began, a, w = beats[now - 3]
                if was:
                    total = (0 if began else total) + sum(map(int.__mul__, a, w))
                    assert ctx.get(dut.o) == total
            await ctx.tick()

    simulate(dut, check)


def test_a_pair_gives_what_two_lanes_give() -> None:
    dut = DotPair(terms=4)
    rng = random.Random(5)

    def beat(n: int) -> tuple[Any, ...]:
        pair = operands(rng, 4, n < 30), operands(rng, 4, n % 2 > 0)
        return rng.random() < 0.8, rng.random() < 0.4, *pair

    beats = [beat(n) for n in range(90)]
    beats[0] = (True, True, *beats[0][2:])

    async def check(ctx: Any) -> None:
        totals = [0, 0]
        for now in range(len(beats) + 3):
            _, _, (activations, w0), (_, w1) = beats[min(now, len(beats) - 1)]
            ctx.set(dut.activations, packed(activations, 8))
            ctx.set(dut.weights0, packed(w0, 4))
            ctx.set(dut.weights1, packed(w1, 4))
            flags = beats[now - 2][:2] if 2 <= now < len(beats) + 2 else (False, False)
            ctx.set(dut.valid, flags[0])
            ctx.set(dut.first, flags[1])
            if now >= 3:
                valid, first, (a, w0), (_, w1) = beats[now - 3]
                if valid:
                    sums = [sum(map(int.__mul__, a, w)) for w in (w0, w1)]
                    totals = [(0 if first else t) + s for t, s in zip(totals, sums, strict=True)]
                assert [ctx.get(dut.o0), ctx.get(dut.o1)] == totals
            await ctx.tick()

    simulate(dut, check)


def test_a_window_each_cycle() -> None:
    dut = WindowLane()
    rng = random.Random(9)
    windows = [operands(rng, 9, extremes) for extremes in (True, False) for _ in range(40)]

    async def check(ctx: Any) -> None:
        for now in range(len(windows) + 2):
            activations, weights = windows[min(now, len(windows) - 1)]
            ctx.set(dut.activations, packed(activations, 8))
            ctx.set(dut.weights, packed(weights, 4))
            if now >= 2:
                a, w = windows[now - 2]
                assert ctx.get(dut.o) == sum(map(int.__mul__, a, w))
            await ctx.tick()

    simulate(dut, check)
