"""rtl/gemm/tile_loop.py against three plain loops."""

import random
from typing import Any

import pytest

from dovetail.arch.descriptor import registers
from dovetail.rtl.gemm.tile_loop import TileLoop
from dovetail.tests.rtl.gemm.nest import Problem, Tile, problems
from dovetail.tests.rtl.simulation import simulate


def operand_place(problem: Problem, name: str, tile: Tile) -> dict[str, int]:
    """Where an operand's slices of a tile lie, from the layout's words: blocks of rows of beats."""
    d = problem.descriptor
    k = problem.k(tile)
    spad, block, slices = {
        "a": ("activation", tile.m, k),
        "w": ("weight", tile.n, range(k.start * problem.planes, k.stop * problem.planes)),
        "s": ("scale", tile.n, range(tile.g, tile.g + tile.g_count)),
    }[name]
    shape = getattr(problem.config, spad)
    rows = problem.rows(spad, slices)
    return {
        f"{name}_rows": len(rows),
        f"{name}_offset": slices.start % shape.slices_per_row,
        f"{name}_address": getattr(d, f"{spad}_address")
        + block * getattr(d, f"{spad}_block_beats")
        + rows[0] * shape.beats_per_row,
    }


def expected(problem: Problem) -> list[dict[str, int]]:
    d = problem.descriptor
    tiles = list(problem.tiles())
    values = []
    for index, tile in enumerate(tiles):
        before = tiles[index - 1] if index else None
        after = tiles[index + 1] if index + 1 < len(tiles) else None
        k = problem.k(tile)
        value = {
            "m_count": tile.m_count,
            "n_count": tile.n_count,
            "g_count": tile.g_count,
            "k_count": len(k),
            "m_last": tile.m + tile.m_count == d.m_blocks,
            "n_last": tile.n + tile.n_count == d.n_blocks,
            "first_k": k.start == 0,
            "last_k": k.stop == problem.gemm.k,
            "last": after is None,
            "a_new": before is None or (before.m, before.g) != (tile.m, tile.g),
            "w_new": before is None or (before.n, before.g) != (tile.n, tile.g),
            "a_free": after is None or (after.m, after.g) != (tile.m, tile.g),
            "w_free": after is None or (after.n, after.g) != (tile.n, tile.g),
            "o_address": d.output_address + (tile.n * d.m_blocks + tile.m) * d.output_tile_beats,
        }
        for name in "aw" if problem.planes == 2 else "aws":
            value |= operand_place(problem, name, tile)
        values.append(value)
    return values


async def walk(ctx: Any, dut: Any, problem: Problem, values: list[dict[str, int]]) -> None:
    rng = random.Random(len(values))
    ctx.set(dut.descriptor, registers(problem.config, problem.descriptor))
    ctx.set(dut.start, 1)
    await ctx.tick()
    ctx.set(dut.start, 0)
    for index, value in enumerate(values):
        while True:
            got = {name: ctx.get(getattr(dut, name)) for name in value}
            assert got == value, f"tile {index} of {problem}"
            advance = rng.random() < 0.7
            ctx.set(dut.advance, advance)
            await ctx.tick()
            if advance:
                break
    ctx.set(dut.advance, 0)


@pytest.mark.parametrize("problem", problems(40))
def test_walks_tiles_like_nested_loops(problem: Problem) -> None:
    dut = TileLoop(problem.config)

    async def check(ctx: Any) -> None:
        # Twice: the second GEMM starts from the state that the first one left.
        for _ in range(2):
            await walk(ctx, dut, problem, expected(problem))

    simulate(dut, check)


@pytest.mark.parametrize("problem", problems(15))
def test_visits_each_output_tile_once_without_k(problem: Problem) -> None:
    dut = TileLoop(problem.config, over_k=False)
    d = problem.descriptor
    tiles = list(problem.tiles(over_k=False))
    values = [
        {
            "m_count": tile.m_count,
            "n_count": tile.n_count,
            "m_last": tile.m + tile.m_count == d.m_blocks,
            "n_last": tile.n + tile.n_count == d.n_blocks,
            "last": index == len(tiles) - 1,
            "o_address": d.output_address + (tile.n * d.m_blocks + tile.m) * d.output_tile_beats,
        }
        for index, tile in enumerate(tiles)
    ]

    async def check(ctx: Any) -> None:
        await walk(ctx, dut, problem, values)

    simulate(dut, check)


def test_the_problems_cover_both_orders_and_tiles_that_are_shared() -> None:
    seen = set()
    for problem in problems(40):
        for value in expected(problem)[1:]:
            seen.add((problem.mapping.order, value["a_new"], value["w_new"]))
    assert len(seen) == 6  # both new, or either kept, in both orders
