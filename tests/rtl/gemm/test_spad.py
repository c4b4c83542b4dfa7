"""rtl/gemm/spad.py against a plain list of bits."""

import random
from typing import Any

import pytest

from dovetail.arch.spad import SpadShape
from dovetail.rtl.gemm.spad import Spad
from dovetail.tests.rtl.simulation import simulate

# word, row, beat: all equal; several words in a beat; several beats in a word.
WIDTHS = [(16, 16, 16), (8, 32, 32), (32, 32, 8)]


@pytest.mark.parametrize("half_rows", [1, 4, 5])
@pytest.mark.parametrize(("word", "row", "beat"), WIDTHS)
def test_one_half_is_filled_while_the_other_is_read(
    word: int, row: int, beat: int, half_rows: int
) -> None:
    shape = SpadShape(
        slice_bits=word, word_bits=word, row_bits=row, half_rows=half_rows, beat_bits=beat
    )
    dut = Spad(shape)
    rng = random.Random(half_rows)
    beats = half_rows * row // beat

    async def check(ctx: Any) -> None:
        halves = [0, 0]  # contents as one long number each
        fetched: int | None = None
        for fill in range(6):
            half = fill % 2
            place = 0
            content = 0
            while place < beats:
                write = rng.random() < 0.7
                data = rng.randrange(1 << beat)
                ctx.set(dut.write, write)
                ctx.set(dut.write_half, half)
                ctx.set(dut.write_beat, place)
                ctx.set(dut.write_data, data)
                read = fill > 0 and rng.random() < 0.7
                at_row, at_word = rng.randrange(half_rows), rng.randrange(row // word)
                ctx.set(dut.read, read)
                ctx.set(dut.read_half, 1 - half)
                ctx.set(dut.read_row, at_row)
                ctx.set(dut.read_word, at_word)
                if read:
                    fetched = halves[1 - half] >> (at_row * row)
                await ctx.tick()
                if fetched is not None:  # any word of the row that was fetched last
                    assert ctx.get(dut.data) == fetched >> (at_word * word) & (1 << word) - 1
                if write:
                    content |= data << (place * beat)
                    place += 1
            halves[half] = content

    simulate(dut, check)
