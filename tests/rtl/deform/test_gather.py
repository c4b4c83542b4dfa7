"""rtl/deform/gather.py against a list of the taps inside the image, under random gaps."""

import random
from collections import deque
from dataclasses import asdict
from typing import Any

import pytest

from dovetail.arch.deform import DeformEngineConfig
from dovetail.arch.deform_call import DeformCall, describe_call
from dovetail.rtl.deform.gather import Gather
from dovetail.tests.rtl.simulation import simulate


@pytest.mark.parametrize("bursts", [1, 3, 16])
@pytest.mark.parametrize("stride", [1, 2])
def test_each_tap_inside_is_asked_for_once_and_stored_in_its_place(
    stride: Any, bursts: int
) -> None:
    config = DeformEngineConfig(
        lanes=2, bound=3, window_ports=9, memory="gather", gather_bursts=bursts, max_channels=8
    )
    call = DeformCall(
        height=5,
        width=4,
        in_channels=6,
        out_channels=6,
        pointwise=False,
        deform=True,
        stride=stride,
    )
    d = describe_call(config, call)
    rng = random.Random(bursts)
    pixels = []  # offset, and the taps inside: place and first beat
    for r in range(call.out_height):
        for c in range(call.out_width):
            s = rng.randrange(4)
            taps = []
            for place in range(9):
                row, col = stride * r + (place // 3 - 1) * s, stride * c + (place % 3 - 1) * s
                if 0 <= row < call.height and 0 <= col < call.width:
                    taps.append((place, d.feature_address + (row * call.width + col) * 3))
            pixels.append((s, taps))
    dut = Gather(config)

    async def check(ctx: Any) -> None:
        ctx.set(dut.descriptor, asdict(d))
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        ctx.set(dut.loaded, 1)
        begun = ended = 0
        asked, stored = [], []
        coming: deque[int] = deque()  # beats of the bursts that were asked for
        for _ in range(4000):
            # At most two pixels are under way: begun and not ended.
            ctx.set(dut.free, begun - ended < 2 and rng.random() < 0.8)
            ctx.set(dut.offset, pixels[min(begun, len(pixels) - 1)][0])
            ctx.set(dut.command.ready, rng.random() < 0.7)
            ctx.set(dut.read.valid, bool(coming) and rng.random() < 0.7)
            ctx.set(dut.read.payload, (coming[0] if coming else 0) & 0xFFFF)
            if ctx.get(dut.command.valid) and ctx.get(dut.command.ready):
                assert len(coming) <= 3 * (bursts - 1)
                address = ctx.get(dut.command.payload.address)
                assert ctx.get(dut.command.payload.beats) == 3
                asked.append(address)
                coming.extend(range(address, address + 3))
            if ctx.get(dut.read.valid) and ctx.get(dut.read.ready):
                place = ctx.get(dut.write).bit_length() - 1
                assert ctx.get(dut.write) == 1 << place
                stored.append((place, ctx.get(dut.write_group), coming.popleft()))
            else:
                assert not ctx.get(dut.write)
            if ctx.get(dut.end):
                taps = pixels[ended][1]
                assert ctx.get(dut.inside) == sum(1 << place for place, _ in taps)
                assert stored == [(p, group, at + group) for p, at in taps for group in range(3)]
                stored.clear()
                ended += 1
            assert ctx.get(dut.take) == ctx.get(dut.advance)
            begun += ctx.get(dut.take)
            await ctx.tick()
        assert begun == ended == len(pixels)
        assert asked == [at for _, taps in pixels for _, at in taps]

    simulate(dut, check)
