"""rtl/deform/pixel_ring.py against a queue of pixels, under random gaps."""

import random
from collections import deque
from typing import Any

import pytest

from dovetail.rtl.deform.pixel_ring import PixelRing
from dovetail.tests.rtl.simulation import simulate


@pytest.mark.parametrize(("beats", "pixel_beats"), [(2, 1), (8, 3), (8, 8), (16, 5)])
def test_pixels_come_out_whole_and_in_order(beats: int, pixel_beats: int) -> None:
    dut = PixelRing(beats=beats, beat_bits=8)
    rng = random.Random(beats + pixel_beats)

    async def check(ctx: Any) -> None:
        ctx.set(dut.start, 1)
        ctx.set(dut.pixel_beats, pixel_beats)
        await ctx.tick()
        ctx.set(dut.start, 0)
        stored: deque[int] = deque()  # beats that are not freed
        complete = 0
        taken = False
        offered: int | None = None
        place = came = freed_pixels = 0
        expected: int | None = None
        for _ in range(600):
            if offered is None and rng.random() < 0.8:
                offered = rng.randrange(256)
            ctx.set(dut.i.valid, offered is not None)
            ctx.set(dut.i.payload, offered or 0)
            assert ctx.get(dut.i.ready) == (len(stored) < beats)
            assert ctx.get(dut.ready) == (complete > 0)
            if expected is not None:
                assert ctx.get(dut.data) == expected
            begin = not taken and complete > 0 and rng.random() < 0.7
            read = (taken or begin) and rng.random() < 0.8
            last = bool(read and place == pixel_beats - 1)
            for port, value in (("take", begin), ("read", read), ("free", last)):
                ctx.set(getattr(dut, port), value)
            ctx.set(dut.read_beat, place)
            expected = stored[place] if read else expected
            accepted = offered is not None and len(stored) < beats
            await ctx.tick()
            if accepted:
                assert offered is not None
                stored.append(offered)
                offered = None
                came += 1
                complete += came % pixel_beats == 0
            complete -= begin
            taken = (taken or begin) and not last
            place = 0 if last else place + read
            if last:
                freed_pixels += 1
                for _ in range(pixel_beats):
                    stored.popleft()
        assert freed_pixels > 20

    simulate(dut, check)
