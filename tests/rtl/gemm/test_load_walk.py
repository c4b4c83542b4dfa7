"""rtl/gemm/load_walk.py against three plain loops."""

import random
from typing import Any

import pytest

from dovetail.arch.descriptor import registers
from dovetail.rtl.gemm.load_walk import LoadWalk, Operand
from dovetail.tests.rtl.gemm.nest import Problem, problems
from dovetail.tests.rtl.simulation import simulate


def expected(problem: Problem) -> list[tuple[Operand, int, int, bool, bool]]:
    """Operand, address, beats, and whether it is the tile's last of weights, of activations."""
    d, config = problem.descriptor, problem.config
    blocks = []
    held: dict[str, tuple[int, int]] = {}
    for tile in problem.tiles():
        k = problem.k(tile)
        weights = range(k.start * problem.planes, k.stop * problem.planes)
        loads: list[tuple[Operand, str, int, int, range]] = []
        if held.get("w") != (tile.n, tile.g):
            held["w"] = (tile.n, tile.g)
            loads.append((Operand.WEIGHT, "weight", tile.n, tile.n_count, weights))
            if problem.planes == 1:
                groups = range(tile.g, tile.g + tile.g_count)
                loads.append((Operand.SCALE, "scale", tile.n, tile.n_count, groups))
        if held.get("a") != (tile.m, tile.g):
            held["a"] = (tile.m, tile.g)
            loads.append((Operand.ACTIVATION, "activation", tile.m, tile.m_count, k))
        completes_weights = Operand.SCALE if problem.planes == 1 else Operand.WEIGHT
        for operand, spad, first, count, slices in loads:
            rows = problem.rows(spad, slices)
            per_row = getattr(config, spad).beats_per_row
            for block in range(count):
                address = getattr(d, f"{spad}_address")
                address += (first + block) * getattr(d, f"{spad}_block_beats") + rows[0] * per_row
                last = block == count - 1
                blocks.append(
                    (
                        operand,
                        address,
                        len(rows) * per_row,
                        last and operand == completes_weights,
                        last and operand == Operand.ACTIVATION,
                    )
                )
    return blocks


@pytest.mark.parametrize("problem", problems(40))
def test_walks_blocks_like_nested_loops(problem: Problem) -> None:
    dut = LoadWalk(problem.config)
    rng = random.Random(5)
    blocks = expected(problem)

    async def check(ctx: Any) -> None:
        assert ctx.get(dut.valid) == 0
        for _ in range(2):
            ctx.set(dut.descriptor, registers(problem.config, problem.descriptor))
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            got = []
            while ctx.get(dut.valid):
                advance = rng.random() < 0.7
                ctx.set(dut.advance, advance)
                if advance:
                    got.append(
                        (
                            ctx.get(dut.operand),
                            ctx.get(dut.address),
                            ctx.get(dut.beats),
                            bool(ctx.get(dut.last_of_weights)),
                            bool(ctx.get(dut.last_of_activations)),
                        )
                    )
                await ctx.tick()
                assert len(got) <= len(blocks)
            ctx.set(dut.advance, 0)
            assert got == blocks

    simulate(dut, check)
