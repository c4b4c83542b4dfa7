"""rtl/deform/word_memory.py against a list of words."""

import random
from typing import Any

import pytest

from dovetail.rtl.deform.word_memory import WordMemory
from dovetail.tests.rtl.simulation import simulate


@pytest.mark.parametrize(("words", "beats"), [(1, 1), (3, 1), (4, 2), (2, 5)])
def test_beats_fill_words_from_the_lowest_bits_on(words: int, beats: int) -> None:
    dut = WordMemory(words=words, beats=beats, beat_bits=8)
    rng = random.Random(words)

    async def check(ctx: Any) -> None:
        for _ in range(3):  # a second time over the first
            contents = [rng.randrange(1 << (8 * beats)) for _ in range(words)]
            ctx.set(dut.restart, 1)
            await ctx.tick()
            ctx.set(dut.restart, 0)
            for word in contents:
                for beat in range(beats):
                    for gap in (1, 0) if rng.random() < 0.3 else (0,):
                        ctx.set(dut.write, not gap)
                        ctx.set(dut.write_data, word >> (8 * beat) & 255)
                        await ctx.tick()
            ctx.set(dut.write, 0)
            for _ in range(2 * words):
                chosen = rng.randrange(words)
                ctx.set(dut.read, 1)
                ctx.set(dut.read_word, chosen)
                await ctx.tick()
                ctx.set(dut.read, 0)
                ctx.set(dut.read_word, rng.randrange(words))
                await ctx.tick()  # what was read stays
                assert ctx.get(dut.data) == contents[chosen]

    simulate(dut, check)
