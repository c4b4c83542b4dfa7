"""rtl/deform/loader.py and offsets.py: sections in order, each beat to its place."""

import random
from dataclasses import asdict
from typing import Any

import pytest

from dovetail.arch.deform import SECTIONS, DeformEngineConfig
from dovetail.arch.deform_call import DeformCall, describe_call
from dovetail.rtl.deform.loader import Loader
from dovetail.rtl.deform.offsets import Offsets
from dovetail.tests.rtl.simulation import simulate

CONFIG = DeformEngineConfig(lanes=4, max_channels=16, offset_buffer_bytes=64)


@pytest.mark.parametrize(
    ("pointwise", "depthwise", "deform"),
    [
        (True, False, False),
        (True, True, False),
        (True, True, True),
        (False, True, False),
        (False, True, True),
    ],
)
def test_commands_and_beats_follow_the_sections(
    pointwise: bool, depthwise: bool, deform: bool
) -> None:
    call = DeformCall(
        height=3,
        width=2,
        in_channels=5,
        out_channels=5,
        pointwise=pointwise,
        depthwise=depthwise,
        deform=deform,
    )
    d = asdict(describe_call(CONFIG, call))
    sections = [
        (n, d[f"{name}_address"], d[f"{name}_beats"])
        for n, name in enumerate(SECTIONS)
        if d[f"{name}_beats"]
    ]
    dut = Loader(port_bits=32)
    rng = random.Random(1)

    async def check(ctx: Any) -> None:
        ctx.set(dut.descriptor, d)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        commands, beats = [], []
        for cycle in range(1, 400):
            ready = cycle < 8 or rng.random() < 0.6
            ctx.set(dut.command.ready, ready)
            if ctx.get(dut.command.valid) and ready:
                payload = dut.command.payload
                commands.append((cycle, ctx.get(payload.address), ctx.get(payload.beats)))
            ctx.set(dut.read.valid, rng.random() < 0.7)
            ctx.set(dut.read.payload, len(beats))
            ctx.set(dut.features.ready, rng.random() < 0.5)
            if ctx.get(dut.read.valid) and ctx.get(dut.read.ready):
                assert ctx.get(dut.data) == len(beats)
                preload = ctx.get(dut.preload)
                if preload:
                    assert ctx.get(dut.loading)
                    beats.append(preload.bit_length() - 1)
                else:
                    assert ctx.get(dut.features.valid)
                    assert ctx.get(dut.features.payload) == len(beats)
                    beats.append(5)
            else:
                assert not ctx.get(dut.preload)
            await ctx.tick()
        # Section n's command is in cycle n + 1.
        assert commands == [(n + 1, address, count) for n, address, count in sections]
        assert beats == [n for n, _, count in sections for _ in range(count)]

    simulate(dut, check)


@pytest.mark.parametrize("pixels", [1, 4, 5, 64])
def test_offsets_come_pixel_by_pixel_and_each_beat_is_read_once(pixels: int) -> None:
    dut = Offsets(CONFIG)
    rng = random.Random(pixels)
    values = [rng.randrange(8) for _ in range(pixels)]
    call = DeformCall(
        height=1, width=pixels, in_channels=1, out_channels=1, pointwise=False, deform=True
    )

    async def check(ctx: Any) -> None:
        for deform in (1, 0):
            ctx.set(dut.descriptor, {**asdict(describe_call(CONFIG, call)), "deform": deform})
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            for at in range(0, pixels, 4):
                if deform:
                    ctx.set(dut.write, 1)
                    beat = bytes(values[at : at + 4]).ljust(4, b"\0")
                    ctx.set(dut.write_data, int.from_bytes(beat, "little"))
                await ctx.tick()
            ctx.set(dut.write, 0)
            ctx.set(dut.loaded, 1)
            reads = ctx.get(dut.read)
            await ctx.tick()
            for value in values:
                for advance in (0, 1) if rng.random() < 0.5 else (1,):
                    ctx.set(dut.advance, advance)
                    assert ctx.get(dut.offset) == (value if deform else 1)
                    reads += ctx.get(dut.read)
                    await ctx.tick()
            ctx.set(dut.advance, 0)
            ctx.set(dut.loaded, 0)
            assert reads == (-(-pixels // 4) if deform else 0)

    simulate(dut, check)
